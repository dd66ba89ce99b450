"""Step 1 on one GPU: python cam.py NAME JSON-OPTIONS; writes $RES/NAME.json"""

import sys, json, os, time, math
import numpy as np, torch, torch.nn.functional as F
from torch import nn
from safetensors.torch import load_file
from lib import *

DEFAULT = dict(
    rank=8,
    isolate=False,
    layers=[9, 12],
    kernel=3,
    pool="mean",
    top=0.3,
    size=224,
    batch=32,
    epochs=8,
    lr=3e-4,
    head_lr=1e-3,
    cls_lr=1e-2,
    fusion_lr=5e-4,
    token=0.1,
    balanced=0.5,
    seed=0,
    list="train_aug",
    wd=0.01,
    bg=False,
    focal=True,
    data="pack",
    dev="../../../data/results/voc-part-dev.txt",
    limit=None,
    budget=1e9,
    crop=0.4,
    temp=1.0,
    drop_tokens=0.0,
    sharp=0.5,
    patch=1.0,
    steps=800,
    count=None,
    final=False,
)


class Fusion(nn.Module):
    """As the package's AdaptiveFusion, not official."""

    def __init__(self):
        super().__init__()
        self.squeeze = nn.Sequential(nn.Linear(64, 8), nn.Linear(8, 1))
        self.excite = nn.Sequential(nn.Linear(72, 9, bias=False), nn.GELU(), nn.Linear(9, 72, bias=False))

    def forward(self, records):
        pooled = torch.stack([F.layer_norm(r[2].float().amax(2), (64,)) for r in records], 1)
        w = self.excite(self.squeeze(pooled).flatten(1)).sigmoid().view(-1, 12, 6)
        return w / w.mean((1, 2), keepdim=True)


class CamNet(nn.Module):
    def __init__(self, state, o):
        super().__init__()
        self.o = o
        self.vit = ViT(state, K, o["rank"], o["isolate"])
        self.head = nn.Conv2d(384 * len(o["layers"]), K + (1 if o["bg"] else 0), o["kernel"], padding=o["kernel"] // 2)
        self.token_w = nn.Parameter(torch.zeros(K, 384))
        self.token_b = nn.Parameter(torch.zeros(K))
        self.fusion = Fusion()

    def forward(self, images, maps=True):
        outs, rec, (h, w), c = self.vit(images)
        with torch.autocast(images.device.type, enabled=False):
            feats = torch.cat([self.vit.norm(outs[l - 1][:, c:]) for l in self.o["layers"]], -1)
            if self.training and self.o["drop_tokens"]:
                feats = F.dropout(feats, self.o["drop_tokens"])
            z = self.head(feats.transpose(1, 2).unflatten(2, (h, w)))
            tok = (self.vit.norm(outs[-1][:, :c]) * self.token_w).sum(-1) + self.token_b
            out = dict(map=z[:, :K], bg=z[:, K:], token=tok, feats=feats, rec=rec, grid=(h, w), c=c)
            if maps:
                hw = self.fusion(rec)
                cam = coarse(z.detach(), self.o)
                out |= readings(rec, hw, cam, c, (h, w))
                out["hw"] = hw
        return out


def coarse(z, o):
    """Evidence for each class: its share against the background, or the positive part."""
    return torch.cat([z[:, :K], z[:, K:]], 1).softmax(1)[:, :K] if o["bg"] else z.relu()


def affinity(feats, power=8):
    f = F.normalize(feats, dim=-1)
    a = (f @ f.transpose(1, 2)).clamp(min=0) ** power
    return a / a.sum(-1, keepdim=True)


def fused(rec, sets, c, n):
    """Class rows (B,K,N) and patch rows (B,N,N) of the attention under each set of head weights (B,12,6)."""
    total = {k: [0, 0] for k in sets}
    for l, r in enumerate(rec):
        a = rows(r, slice(None), slice(-n, None))
        for k, w in sets.items():
            p = torch.einsum("bh,bhts->bts", w[:, l], a) / 72
            total[k] = [total[k][0] + p[:, :c], total[k][1] + p[:, -n:]]
    return total


def cross(p, grid, cap=1.0):
    x = p[0]
    if cap:
        x = torch.minimum(x, cap * x.mean(2, keepdim=True))
    return x.unflatten(2, grid)


def spread(p, cam):
    return (p[1] @ cam.flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, cam.shape[2:])


def readings(rec, hw, cam, c, grid):
    p = fused(rec, {"l": hw}, c, grid[0] * grid[1])["l"]
    x = cross(p, grid)
    return dict(cross=x, cam=x * cam, fine=spread(p, x * cam))


def pooled(out, o):
    z = out["map"].flatten(2)
    if o["pool"] == "mean":
        return z.mean(2)
    if o["pool"] == "top":
        n = max(1, round(o["top"] * z.shape[2]))
        return z.topk(n, 2).values.mean(2)
    if o["pool"] == "lse":
        r = o["temp"]
        return (torch.logsumexp(z * r, 2) - math.log(z.shape[2])) / r
    if o["pool"] == "soft":  # each patch weighted by its own share of softmax over patches and mean
        a = (z.detach() * o["temp"]).softmax(2)
        return 0.5 * (a * z).sum(2) + 0.5 * z.mean(2)
    if o["pool"] == "attn":  # the class token's capped attention says where to pool
        a = out["cross"].detach().flatten(2)
        a = a / a.sum(2, keepdim=True)
        return (a * z).sum(2)
    if o["pool"] == "ngwp":  # softmax with a background, normalised weighted mean, size focus
        b = out["bg"].flatten(2) if o["bg"] else torch.ones_like(z[:, :1])
        m = torch.cat([z, b], 1).softmax(1)[:, :K]
        y = (m * z).sum(2) / (1 + m.sum(2))
        if o["focal"]:
            size = m.mean(2)
            y = y + (1 - size) ** 3 * torch.log(0.01 + size)
        return y
    if o["pool"] == "noisyor":  # per-patch softmax with background; top-share probability
        b = out["bg"].flatten(2)
        m = torch.cat([z, b], 1).softmax(1)[:, :K]
        n = max(1, round(o["top"] * z.shape[2]))
        p = m.topk(n, 2).values.mean(2).clamp(1e-5, 1 - 1e-5)
        return torch.log(p / (1 - p))
    if o["pool"] == "object":  # mean over the object side of the prior; the other side is a bag of nothing
        s = out["obj"].flatten(2)
        return (s * z).sum(2) / s.sum(2)
    if o["pool"] == "em":
        m = torch.cat([out["bg"].flatten(2), z], 1).softmax(1)[:, 1:]
        n = max(1, round(o["top"] * z.shape[2]))
        p = m.topk(n, 2).values.mean(2).clamp(1e-4, 1 - 1e-4)
        return torch.log(p / (1 - p))
    raise ValueError(o["pool"])


def patch_loss(out, tags, o):
    """What the prior says of single patches, tags given."""
    z, s = out["map"].flatten(2), out["obj"].flatten(2)
    if o["pool"] == "object":
        back = ((1 - s) * z).sum(2) / (1 - s).sum(2)
        return F.softplus(back).mean()
    full = torch.cat([out["bg"].flatten(2), z], 1)
    with torch.no_grad():
        prior = torch.cat([1 - s, s * tags[:, :, None]], 1)
        q = prior * full.softmax(1)
        q = q / q.sum(1, keepdim=True).clamp(min=1e-8)
        f = o["class_weight"]
        w = (q * f[None, :, None]).sum(1)
    ce = -(q * full.log_softmax(1)).sum(1)
    return o["patch"] * (w * ce).sum() / w.sum()


def maps_of(net, x, o, only=None):
    """Readings of one view, (B,K,h,w) each, by name."""
    out = net(x)
    with torch.autocast(x.device.type, enabled=False):
        b, rec, grid, c = len(x), out["rec"], out["grid"], out["c"]
        n = grid[0] * grid[1]
        z = torch.cat([out["map"], out["bg"]], 1)
        co = coarse(z, o)
        aff = affinity(out["feats"])
        feat = lambda v: (aff @ v.flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, grid)
        if only == "shipped":
            return {only: feat(out["cam"])}, out
        uni = torch.ones(b, 12, 6, device=x.device)
        rnd = torch.rand(12, 6, generator=torch.Generator().manual_seed(0)).to(x.device).expand(b, -1, -1)
        last = torch.zeros_like(uni)
        last[:, -1] = 12
        ps = fused(rec, {"uni": uni, "rnd": rnd / rnd.mean(), "last": last}, c, n)
        m = {
            "coarse": co,
            "coarse_feat": feat(co),
            "obj": objectness(net.vit, net.prior, x, o["sharp"]).expand(-1, K, -1, -1),
            "cross": out["cross"],
            "cam": out["cam"],
            "fine": out["fine"],
            "shipped": feat(out["cam"]),
            "signed": z[:, :K] - z[:, :K].amin((2, 3), keepdim=True),
        }
        for k, p in ps.items():
            xk = cross(p, grid)
            m[f"{k}_cross"], m[f"{k}_cam"], m[f"{k}_feat"] = xk, xk * co, feat(xk * co)
            m[f"{k}_fine"] = spread(ps["uni"] if k == "last" else p, xk * co)
        m["nocap_fine"] = spread(ps["uni"], cross(ps["uni"], grid, None) * co)
        m["coarse_uni"] = spread(ps["uni"], co)
    return m, out


def evaluate(net, data, o, ids, scales=(1.0,), keep=False):
    net.eval()
    sweeps, logits, kept = {}, {}, {}
    with torch.no_grad():
        for part in data.batches(ids, 8):
            acc = {}
            for s in scales:
                for flip in (False, True) if len(scales) > 1 else (False,):
                    x = data.photos(part, s)
                    with torch.autocast(data.device.type, dtype=torch.bfloat16, enabled=data.device.type == "cuda"):
                        m, out = maps_of(net, x.flip(-1) if flip else x, o)
                    for n, v in m.items():
                        v = v.flip(-1) if flip else v
                        v = up(v, (72, 96) if v.shape[2] < v.shape[3] else (96, 72)) if len(scales) > 1 else v
                        acc[n] = acc.get(n, 0) + v
            for j, i in enumerate(part):
                mask = data.mask(i)
                cls = data.classes[i]
                for n, v in acc.items():
                    sc = minmax(up(v[j : j + 1, cls], mask.shape)[0])
                    sweeps.setdefault(n, Sweep(data.device)).add(sc, cls, mask)
                if keep:
                    kept[i] = {n: v[j, cls].half().cpu() for n, v in acc.items() if n in ("coarse", "cam", "fine", "shipped")}
    return {n: s.result() for n, s in sweeps.items()}, kept


def tag_ap(net, data, o, ids):
    net.eval()
    lg = {"token": [], "pool": [], "mean": []}
    order = []
    with torch.no_grad():
        for part in data.batches(ids, 32):
            with torch.autocast(data.device.type, dtype=torch.bfloat16, enabled=data.device.type == "cuda"):
                x = data.photos(part)
                out = net(x, maps=o["pool"] == "attn")
            if o["pool"] in ("object", "em"):
                out["obj"] = objectness(net.vit, net.prior, x, o["sharp"])
            lg["token"].append(out["token"])
            lg["pool"].append(pooled(out, o))
            lg["mean"].append(out["map"].mean((2, 3)))
            order += list(part)
    t = data.tags[torch.as_tensor(order, device=data.device)].cpu().numpy()
    return {n: round(100 * float(np.nanmean([average_precision(torch.cat(v).float().cpu().numpy()[:, k], t[:, k]) for k in range(K)])), 2) for n, v in lg.items()}


def sampler(tags, power):
    f = tags.sum(0).clamp(min=1)
    w = (tags / f**power).amax(1)
    return w


def train(net, data, o, ids, prior):
    torch.manual_seed(o["seed"])
    gen = torch.Generator().manual_seed(o["seed"])
    groups = [
        dict(params=[p for n, p in net.vit.named_parameters() if n != "cls" and p.requires_grad], lr=o["lr"]),
        dict(params=[net.vit.cls], lr=o["cls_lr"], weight_decay=0.0),
        dict(params=[*net.head.parameters(), net.token_w, net.token_b], lr=o["head_lr"]),
        dict(params=list(net.fusion.parameters()), lr=o["fusion_lr"]),
    ]
    groups = [g for g in groups if g["params"]]
    opt = torch.optim.AdamW(groups, weight_decay=o["wd"])
    per = len(ids) // o["batch"]
    total = o["steps"]
    peaks = [g["lr"] for g in opt.param_groups]
    w = sampler(data.tags[torch.as_tensor(ids, device=data.device)].cpu(), o["balanced"])
    ids = np.asarray(ids)
    t0, log = time.time(), []
    o = {**o, "class_weight": torch.cat([data.tags.new_ones(1), (data.tags[torch.as_tensor(ids, device=data.device)].mean(0).clamp(min=1e-3) ** -0.5) / 4])}
    net.train()
    for step in range(total):
        t = max(step / total, (time.time() - t0) / o["budget"])  # the schedule ends when the time does
        if t >= 1:
            break
        for g, peak in zip(opt.param_groups, peaks):
            g["lr"] = peak * min(1, (t + 1e-3) / 0.1) * 0.5 * (1 + math.cos(math.pi * t))
        pick = ids[torch.multinomial(w, o["batch"], generator=gen).numpy()]
        x = crops(data, pick, o["size"], gen, (o["crop"], 1.0))
        tags = data.tags[torch.as_tensor(pick, device=data.device)]
        with torch.autocast(data.device.type, dtype=torch.bfloat16, enabled=data.device.type == "cuda"):
            out = net(x)
        if o["pool"] in ("object", "em"):
            out["obj"] = objectness(net.vit, prior, x, o["sharp"])
        lt = F.multilabel_soft_margin_loss(out["token"], tags)
        lp = F.multilabel_soft_margin_loss(pooled(out, o), tags)
        lf = F.multilabel_soft_margin_loss(out["fine"].mean((2, 3)), tags)
        loss = o["token"] * lt + lp + lf
        if "obj" in out:
            loss = loss + patch_loss(out, tags, o)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        if step % 50 == 0:
            log.append([step, round(time.time() - t0, 1), round(lt.item(), 4), round(lp.item(), 4), round(lf.item(), 4)])
            print(log[-1], flush=True)
    log.append([step, round(time.time() - t0, 1)])
    return log


def trained(net):
    return {n: p.detach().half().cpu().contiguous() for n, p in net.named_parameters()}


def main():
    name, o = sys.argv[1], {**DEFAULT, **json.loads(sys.argv[2])}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    state = {k: v.float() for k, v in load_file(o["data"] + "/dino.safetensors").items()}
    data = Data(o["data"], open(o["dev"]).read().split(), device, o["limit"])
    ids = np.setdiff1d(np.setdiff1d(data.lists[o["list"]], data.dev), data.held)
    if o["final"]:
        ids = data.lists[o["list"]]
    if o["count"]:
        ids = np.random.default_rng(0).permutation(data.lists["train_balanced"])[: o["count"]]
    if o["limit"]:
        ids = ids[: o["limit"] * 8]
        data.lists["val"] = data.lists["val"][: o["limit"]]
    torch.manual_seed(o["seed"])
    net = CamNet(state, o).to(device)
    t0 = time.time()
    prior = fit_prior(net.vit, data, ids[:: max(1, len(ids) // 600)])
    net.prior = prior
    log = train(net, data, o, ids, prior)
    t1 = time.time()
    out = os.environ.get("RES", ".")
    torch.save(dict(options=o, state=trained(net), prior=net.prior), f"{out}/{name}.pt")
    res = dict(name=name, options=o, log=log, images=len(ids), train_s=round(t1 - t0, 1))
    res["ap"] = ap = tag_ap(net, data, o, data.lists["val"] if o["final"] else data.held)
    print("ap", ap, round(time.time() - t1, 1), flush=True)
    res["multi"], kept = evaluate(net, data, o, data.dev, (1.0, 4 / 3), keep=True)
    if o["final"]:
        res["val"], _ = evaluate(net, data, o, data.lists["val"], (1.0, 4 / 3))
        res["val_one"], _ = evaluate(net, data, o, data.lists["val"])
    res["eval_s"] = round(time.time() - t1, 1)
    json.dump(res, open(f"{out}/{name}.json", "w"))
    torch.save(kept, f"{out}/{name}-maps.pt")
    print(
        name,
        "train",
        res["train_s"],
        "eval",
        res["eval_s"],
        "ap",
        ap,
        {k: (v["otsu"], v["best"]) for k, v in res["multi"].items()},
        "VAL",
        {k: v["otsu"] for k, v in res.get("val", {}).items()},
        flush=True,
    )


if __name__ == "__main__":
    main()
