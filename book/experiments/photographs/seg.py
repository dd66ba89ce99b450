"""Step 2 and its rounds on one GPU: python seg.py NAME JSON-OPTIONS; writes $RES/NAME.json"""

import sys, json, os, time
import numpy as np, torch, torch.nn.functional as F
from torch import nn
from safetensors.torch import load_file
from lib import *
import cam as C

DEFAULT = dict(
    labels="labels.npy",
    rounds=2,
    rank=8,
    width=192,
    size=252,
    batch=32,
    steps=1000,
    lr=1e-3,
    lora_lr=3e-4,
    ema=0.998,
    loss="ce",
    start=1.0,
    window=42,
    crf=True,
    seed=0,
    list="train_aug",
    data="pack",
    dev="../../../data/results/voc-part-dev.txt",
    limit=None,
    balanced=0.5,
    crop=0.3,
    true=False,
    wd=0.01,
    band=0.0,
    seg_crf=False,
    scales=[1.0, 4 / 3],
    val=False,
    deadline=1e9,
    layers=[12],
    all_ids=False,
    budget=1e9,
    warm=None,
    cont=None,
    relabel=None,
)


class SegNet(nn.Module):
    def __init__(self, state, o):
        super().__init__()
        from weaktr_core.decoder import MaskTransformer

        self.layers = o["layers"]
        self.vit = ViT(state, 0, o["rank"])
        self.decoder = MaskTransformer(K + 1, 384 * len(self.layers), width=o["width"], layers=2, dropout=0.1, class_std=1.0)

    def forward(self, x):
        outs, _, grid, c = self.vit(x, keep=False)
        f = torch.cat([self.vit.norm(outs[l - 1][:, 1:]) for l in self.layers], -1)
        return self.decoder(f, grid).float()


def clipped(logits, target, start, window):
    raw = F.cross_entropy(logits, target, ignore_index=255, reduction="none")
    d = raw.detach()
    count = (target != 255).sum().clamp(min=1)
    if start < 0:
        return raw.sum() / count, 0.0
    m = d.mean(0, keepdim=True)
    lam = F.interpolate(F.avg_pool2d(m[None], window, ceil_mode=True), scale_factor=window, mode="nearest")[0, :, : raw.shape[1], : raw.shape[2]]
    lam = torch.maximum(lam, m.mean())
    lam = torch.where(d.mean() > start, torch.full_like(lam, 1e9), lam)
    return torch.minimum(raw, lam).sum() / count, (d > lam).float().mean()


def train(state, data, labels, ids, o, seed, steps=None):
    torch.manual_seed(seed)
    gen = torch.Generator().manual_seed(seed)
    dev = data.device
    net = SegNet(state, o)
    if o["warm"]:  # adapters of step 1
        saved = torch.load(o["warm"], weights_only=False, map_location="cpu")["state"]
        net.load_state_dict({k: v.float() for k, v in saved.items() if ".up" in k or ".down" in k}, strict=False)
    if o["cont"]:  # the network of the round before
        net.load_state_dict({k: v.float() for k, v in torch.load(o["cont"], weights_only=False, map_location="cpu")["state"].items()}, strict=False)
    net = net.to(dev)
    opt = torch.optim.AdamW([dict(params=list(net.decoder.parameters()), lr=o["lr"]), dict(params=[p for p in net.vit.parameters() if p.requires_grad], lr=o["lora_lr"])], weight_decay=o["wd"])
    steps = steps or o["steps"]
    peaks = [g["lr"] for g in opt.param_groups]
    w = C.sampler(data.tags[torch.as_tensor(ids, device=dev)].cpu(), o["balanced"])
    ids = np.asarray(ids)
    params = [p for p in net.parameters() if p.requires_grad]
    mean = [p.detach().clone() for p in params]
    log, t0 = [], time.time()
    net.train()
    for step in range(steps):
        t = max(step / steps, (time.time() - t0) / o["budget"])
        if t >= 1:
            break
        for g, peak in zip(opt.param_groups, peaks):
            g["lr"] = peak * min(1, (t + 1e-3) / 0.1) * (1 - t) ** 0.9
        pick = ids[torch.multinomial(w, o["batch"], generator=gen).numpy()]
        x, m = crops(data, pick, o["size"], gen, (o["crop"], 1.0), 0.3, labels)
        with torch.autocast(dev.type, dtype=torch.bfloat16, enabled=dev.type == "cuda"):
            z = net(x)
        z = up(z, (o["size"], o["size"]))
        loss, share = clipped(z, m, o["start"] if o["loss"] == "clip" else -1, o["window"])
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        d = min(o["ema"], (step + 1) / (step + 10))
        torch._foreach_lerp_(mean, [p.detach() for p in params], 1 - d)
        if step % 100 == 0:
            log.append([step, round(time.time() - t0, 1), round(loss.item(), 4), round(float(share), 3)])
            print(log[-1], flush=True)
    log.append([step, round(time.time() - t0, 1)])
    for p, m in zip(params, mean):
        p.data.copy_(m)
    return net.eval(), log


def probabilities(net, data, part, scales, size):
    acc = 0
    with torch.no_grad():
        for s in scales:
            for flip in (False, True) if len(scales) > 1 else (False,):
                x = data.photos(part, s)
                with torch.autocast(data.device.type, dtype=torch.bfloat16, enabled=data.device.type == "cuda"):
                    z = net(x.flip(-1) if flip else x)
                z = up(z, size).softmax(1)
                acc = acc + (z.flip(-1) if flip else z)
    return acc / acc.sum(1, keepdim=True)


def crf(rgb, prob, sxy=42.0, srgb=8.0, wb=4.0, g=2.0, wg=3.0, iters=8, by=3):
    """Exact dense CRF at 1/by of the size. rgb (H,W,3) 0..255, prob (P,H,W) summing to 1."""
    by = int(os.environ.get("BY", by))
    h, w = rgb.shape[0] // by, rgb.shape[1] // by
    c = F.interpolate(rgb.permute(2, 0, 1)[None], (h, w), mode="area")[0].flatten(1).t()
    p = F.interpolate(prob[None], (h, w), mode="area")[0].flatten(1).t().clamp(1e-5)
    yy, xx = torch.meshgrid(torch.arange(h, device=rgb.device), torch.arange(w, device=rgb.device), indexing="ij")
    xy = torch.stack([yy, xx], -1).flatten(0, 1).float() * by
    half = torch.float16 if rgb.is_cuda else torch.float32

    def kernel(f):
        n = (f**2).sum(1)
        k = torch.exp(-0.5 * torch.addmm(n[:, None] + n[None], f, f.t(), alpha=-2).clamp(min=0)).to(half)
        d = k.sum(1, dtype=torch.float32).rsqrt()
        return k, d

    kb, db = kernel(torch.cat([xy / sxy, c / srgb], 1))
    q = p / p.sum(1, keepdim=True)
    u = p.log()
    gh = torch.arange(-6, 7, device=rgb.device).float() * by
    g1 = torch.exp(-0.5 * (gh / g) ** 2)
    g1 = g1 / g1.sum()
    for _ in range(iters):
        mb = db[:, None] * (kb @ (db[:, None] * q).to(half)).float()
        im = q.t().view(1, -1, h, w).transpose(0, 1)
        mg = F.conv2d(F.conv2d(im, g1.view(1, 1, -1, 1), padding=(6, 0)), g1.view(1, 1, 1, -1), padding=(0, 6))
        q = (u + wb * mb + wg * mg[:, 0].flatten(1).t()).softmax(1)
    return up(q.t().view(1, -1, h, w), rgb.shape[:2])[0]


def rgb_of(data, i):
    h, w = (252, 336) if data.wide[i] else (336, 252)
    return data.images[i, :, :h, :w].permute(1, 2, 0).float()


class Count:
    def __init__(self, dev):
        self.c = torch.zeros(462, dtype=torch.int64, device=dev)

    def add(self, pred, mask):
        flat = (torch.where(mask == 255, 21, mask) * 21 + pred).flatten()
        self.c.index_add_(0, flat, torch.ones_like(flat))

    def miou(self):
        c = self.c.view(22, 21)[:21].cpu().numpy().astype(float)
        i, u = np.diag(c), c.sum(0) + c.sum(1) - np.diag(c)
        iou = np.where(u > 0, i / np.maximum(u, 1), np.nan)
        return round(100 * float(np.nanmean(iou)), 2), [round(100 * float(v), 1) for v in iou]


def put(labels, i, lab):
    labels[i, : lab.shape[0], : lab.shape[1]] = lab.to(torch.uint8)


def cam_scores(net, data, ids, reading):
    """Normalised multi-scale maps of step 1 and Otsu's threshold of them all."""
    kept = {}
    net.eval()
    hist = torch.zeros(256, dtype=torch.float64, device=data.device)
    with torch.no_grad():
        for part in data.batches(ids, 32):
            acc = 0
            for s in (1.0, 4 / 3):
                for flip in (False, True):
                    x = data.photos(part, s)
                    with torch.autocast(data.device.type, dtype=torch.bfloat16, enabled=data.device.type == "cuda"):
                        m = C.maps_of(net, x.flip(-1) if flip else x, net.o, reading)[0][reading]
                    m = m.flip(-1) if flip else m
                    acc = acc + up(m, (72, 96) if m.shape[2] < m.shape[3] else (96, 72))
            for j, i in enumerate(part):
                cls = data.classes[i]
                size = (252, 336) if data.wide[i] else (336, 252)
                sc = minmax(up(acc[j : j + 1, cls], size)[0])
                kept[int(i)] = sc.half()
                hist += torch.histc(sc.amax(0), 256, 0, 1)
    c = hist.cpu().numpy()
    x = (np.arange(256) + 0.5) / 256
    w, mu = np.cumsum(c), np.cumsum(c * x)
    between = (mu[-1] * w / w[-1] - mu) ** 2 / np.maximum(w * (w[-1] - w), 1e-9)
    t = (int(np.argmax(between[:-1])) + 1) / 256
    return kept, t


def cam_labels(data, kept, t, use_crf, band):
    """Labels of the scores, with a dense CRF, the band around the threshold left out."""
    labels = torch.full((len(data.names), S, S), 255, dtype=torch.uint8, device=data.device)
    for i, sc in kept.items():
        cls = data.classes[i]
        lab, raw = finish(data, i, sc.float(), cls, t, use_crf)
        if band:
            a, _ = finish(data, i, sc.float(), cls, t - band, use_crf)
            b, _ = finish(data, i, sc.float(), cls, t + band, use_crf)
            lab = torch.where(a == b, a, 255)
        put(labels, i, lab)
    return labels


def finish(data, i, sc, cls, t, use_crf):
    s, j = sc.max(0)
    lab = torch.where(s > t, cls[j] + 1, 0)
    if use_crf:
        full = torch.cat([torch.full_like(sc[:1], t), sc])
        p = (full * 12).softmax(0)
        q = crf(rgb_of(data, i), p)
        z = q.argmax(0)
        lab = torch.where(z > 0, cls[(z - 1).clamp(min=0)] + 1, 0)
    return lab, sc


def relabel(net, data, ids, o, use_crf):
    """Labels of a segmentation network's own predictions, held to the tags."""
    labels = torch.full((len(data.names), S, S), 255, dtype=torch.uint8, device=data.device)
    for part in data.batches(ids, 32):
        size = (252, 336) if data.wide[part[0]] else (336, 252)
        p = probabilities(net, data, part, (1.0, 4 / 3), size)
        for j, i in enumerate(part):
            cls = data.classes[i]
            q = p[j, torch.cat([torch.zeros_like(cls[:1]), cls + 1])]
            q = q / q.sum(0, keepdim=True)
            if use_crf:
                q = crf(rgb_of(data, i), q)
            z = q.argmax(0)
            put(labels, i, torch.where(z > 0, cls[(z - 1).clamp(min=0)] + 1, 0))
    return labels


def label_score(labels, data, ids):
    n = Count(data.device)
    for i in ids:
        mask = data.mask(i)
        lab = labels[i, : mask.shape[0], : mask.shape[1]].long()
        n.add(torch.where(lab == 255, 0, lab), mask)
    return n.miou()[0]


def score(net, data, ids, scales, use_crf=False, given=False):
    n = Count(data.device)
    for part in data.batches(ids, 16):
        size = (252, 336) if data.wide[part[0]] else (336, 252)
        p = probabilities(net, data, part, scales, size)
        for j, i in enumerate(part):
            q = p[j]
            if given:
                keep = torch.cat([torch.ones(1, device=q.device), data.tags[i]])
                q = q * keep[:, None, None]
            if use_crf:
                used = torch.cat([torch.zeros(1, dtype=torch.long, device=q.device), q[1:].flatten(1).amax(1).topk(5).indices + 1])
                r = q[used]
                r = r / r.sum(0, keepdim=True)
                z = used[crf(rgb_of(data, i), r).argmax(0)]
            else:
                z = q.argmax(0)
            n.add(z, data.mask(i))
    return n.miou()


def main():
    name, o = sys.argv[1], {**DEFAULT, **json.loads(sys.argv[2])}
    dev = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = True
    res_dir = os.environ.get("RES", ".")
    state = {k: v.float() for k, v in load_file(o["data"] + "/dino.safetensors").items()}
    data = Data(o["data"], open(o["dev"]).read().split(), dev, o["limit"])
    ids = data.lists[o["list"]]
    if not o["all_ids"]:
        ids = np.setdiff1d(ids, data.dev)
    if o["limit"]:
        ids = ids[: o["limit"] * 4]
        data.lists["val"] = data.lists["val"][: o["limit"]]
    every = np.union1d(ids, data.dev)
    res = dict(name=name, options=o, images=len(ids))
    t0 = time.time()
    if o["true"]:
        labels = torch.full((len(data.names), S, S), 255, dtype=torch.uint8, device=dev)
        for i in every:
            put(labels, i, data.mask(i))
    else:
        labels = torch.from_numpy(np.load(o["labels"])).to(dev)
    res["label_s"] = round(time.time() - t0, 1)
    res["labels_dev"] = label_score(labels, data, data.dev)
    t1 = time.time()
    net, log = train(state, data, labels, ids, o, o["seed"])
    torch.save(dict(options=o, state=C.trained(net)), f"{res_dir}/{name}.pt")
    t2 = time.time()
    with torch.no_grad():
        row = dict(
            log=log,
            train_s=round(t2 - t1, 1),
            dev_one=score(net, data, data.dev, (1.0,))[0],
            dev_multi=score(net, data, data.dev, o["scales"])[0],
            dev_given=score(net, data, data.dev, o["scales"], given=True)[0],
        )
        print(name, {k: v for k, v in row.items() if k != "log"}, flush=True)
        if o["relabel"]:
            labels = relabel(net, data, every, o, o["seg_crf"])
            row["relabels_dev"] = label_score(labels, data, data.dev)
            row["relabels_train"] = label_score(labels, data, np.intersect1d(data.lists["train"], every))
            np.save(o["relabel"], labels.cpu().numpy())
        if o["val"]:
            v = data.lists["val"]
            row["val_one"], row["val_multi"] = score(net, data, v, (1.0,)), score(net, data, v, o["scales"])
            row["val_multi_crf"] = score(net, data, v, o["scales"], True)
            row["val_given"] = score(net, data, v, o["scales"], given=True)
    row["eval_s"] = round(time.time() - t2, 1)
    res |= row
    json.dump(res, open(f"{res_dir}/{name}.json", "w"))
    print(name, {k: (v[0] if isinstance(v, tuple) else v) for k, v in row.items() if k != "log"}, "labels", res["labels_dev"], res["label_s"], flush=True)


def load_cam(path, state, dev):
    saved = torch.load(path, weights_only=False, map_location="cpu")
    cam = C.CamNet(state, saved["options"]).to(dev)
    cam.load_state_dict({k: v.float() for k, v in saved["state"].items()}, strict=False)
    cam.prior = {k: v.to(dev) if torch.is_tensor(v) else v for k, v in saved["prior"].items()}
    return cam.eval()


if __name__ == "__main__":
    main()
