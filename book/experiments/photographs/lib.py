"""Photographs on one GPU: data, network, maps and scores of the search runs."""

import math
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

S = 336
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1) * 255
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1) * 255
K = 20


class Data:
    """All photos as uint8 on the device; landscape 252x336 or portrait 336x252, padded."""

    def __init__(self, folder, dev, device, limit=None, keep=False):
        z = np.load(f"{folder}/meta.npz")
        self.names = [str(n) for n in z["names"]]
        index = {n: i for i, n in enumerate(self.names)}
        self.tags = torch.from_numpy(z["tags"]).float().to(device)
        self.wide = torch.from_numpy(z["size"][:, 0] >= z["size"][:, 1])
        self.masks = z["masks"]
        self.lists = {k: np.array([index[str(n)] for n in z[k]]) for k in ("train", "train_aug", "train_balanced", "val")}
        self.dev = np.array([index[n] for n in dev])
        rng = np.random.default_rng(1)
        pool = np.setdiff1d(self.lists["train_aug"], self.dev)
        pool = np.setdiff1d(pool, self.lists["train"])
        self.held = np.sort(rng.choice(pool, min(400, len(pool)), replace=False))
        self.classes = [torch.tensor(np.flatnonzero(t), device=device) for t in z["tags"]]
        self.dev_masks = {}
        images = np.load(f"{folder}/images.npy", mmap_mode="c")
        if limit:
            self.held, self.dev = self.held[:limit], self.dev[:limit]
        if keep:  # only a few are looked at: leave them where they are
            self.images, self.device = torch.zeros(images.shape, dtype=torch.uint8), device
            self.images[self.dev] = torch.from_numpy(np.array(images[self.dev]))
            self.images = self.images.to(device) if device.type == "cuda" else self.images
            return
        self.images = torch.empty(images.shape, dtype=torch.uint8, device=device)
        for i in range(0, len(images), 256):
            self.images[i : i + 256] = torch.from_numpy(np.ascontiguousarray(images[i : i + 256])).to(device)
        self.device = device

    def mask(self, i):
        i = int(i)
        if i not in self.dev_masks:
            h, w = (252, 336) if self.wide[i] else (336, 252)
            self.dev_masks[i] = torch.from_numpy(self.masks[i].reshape(h, w)).to(self.device).long()
        return self.dev_masks[i]

    def photos(self, ids, scale=1.0):
        """Normalised photos of one orientation."""
        wide = bool(self.wide[ids[0]])
        h, w = (252, 336) if wide else (336, 252)
        x = self.images[torch.as_tensor(ids, device=self.device)][:, :, :h, :w].float()
        x = (x - MEAN.to(x.device)) / STD.to(x.device)
        if scale != 1.0:
            size = [round(n * scale / 14) * 14 for n in (h, w)]
            x = F.interpolate(x, size=size, mode="bicubic", antialias=True, align_corners=False)
        return x

    def batches(self, ids, size):
        """Batches of one orientation."""
        ids = np.asarray(ids)
        wide = self.wide[ids].numpy()
        for part in (ids[wide], ids[~wide]):
            for i in range(0, len(part), size):
                yield part[i : i + size]


def crops(data, ids, size, gen, scale=(0.4, 1.0), jitter=0.2, masks=None):
    """Random resized crops with flips and colours, all on the device."""
    b, dev = len(ids), data.device
    idt = torch.as_tensor(ids)
    wide = data.wide[idt]
    H = torch.where(wide, 252.0, 336.0)
    W = torch.where(wide, 336.0, 252.0)
    area = H * W * torch.empty(b).uniform_(*scale, generator=gen)
    ratio = torch.exp(torch.empty(b).uniform_(math.log(3 / 4), math.log(4 / 3), generator=gen))
    w = torch.minimum((area * ratio).sqrt(), W)
    h = torch.minimum((area / ratio).sqrt(), H)
    x0 = torch.rand(b, generator=gen) * (W - w)
    y0 = torch.rand(b, generator=gen) * (H - h)
    flip = torch.where(torch.rand(b, generator=gen) < 0.5, -1.0, 1.0)
    theta = torch.zeros(b, 2, 3)
    theta[:, 0, 0] = flip * w / S
    theta[:, 0, 2] = (2 * x0 + w) / S - 1
    theta[:, 1, 1] = h / S
    theta[:, 1, 2] = (2 * y0 + h) / S - 1
    grid = F.affine_grid(theta, (b, 3, size, size), align_corners=False).to(dev)
    x = F.grid_sample(data.images[idt.to(dev)].float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
    if jitter:
        f = lambda: (1 + jitter * (2 * torch.rand(b, 1, 1, 1, generator=gen) - 1)).to(dev)
        x = x * f()
        x = (x - x.mean((1, 2, 3), keepdim=True)) * f() + x.mean((1, 2, 3), keepdim=True)
        grey = x.mean(1, keepdim=True)
        x = (grey + (x - grey) * f()).clamp(0, 255)
    x = (x - MEAN.to(dev)) / STD.to(dev)
    if masks is None:
        return x
    m = F.grid_sample(masks[idt.to(dev)][:, None].float(), grid, mode="nearest", padding_mode="border", align_corners=False)
    return x, m[:, 0].round().long()


class LoRA(nn.Module):
    """A frozen linear layer with a trained low-rank addition."""

    off = False

    def __init__(self, linear, rank, alpha=None):
        super().__init__()
        self.register_buffer("weight", linear[0])
        self.register_buffer("bias", linear[1])
        out, inp = linear[0].shape
        self.rank = rank
        if rank:
            self.down = nn.Parameter(torch.randn(rank, inp) * inp**-0.5)
            self.up = nn.Parameter(torch.zeros(out, rank))

    def forward(self, x):
        y = F.linear(x, self.weight, self.bias)
        if self.rank and not LoRA.off:
            y = y + F.linear(F.linear(x, self.down), self.up)
        return y


class Block(nn.Module):
    def __init__(self, s, p, rank):
        super().__init__()
        for n in ("norm1", "norm2"):
            for k in ("weight", "bias"):
                self.register_buffer(f"{n}_{k}", s[f"{p}{n}.{k}"])
        for n, key in (("qkv", "attn.qkv"), ("proj", "attn.proj"), ("fc1", "mlp.fc1"), ("fc2", "mlp.fc2")):
            setattr(self, n, LoRA((s[f"{p}{key}.weight"], s[f"{p}{key}.bias"]), rank))
        self.register_buffer("ls1", s[f"{p}ls1.gamma"])
        self.register_buffer("ls2", s[f"{p}ls2.gamma"])

    def forward(self, x, classes, isolate):
        b, t, d = x.shape
        y = F.layer_norm(x, (d,), self.norm1_weight, self.norm1_bias, 1e-6)
        q, k, v = self.qkv(y).reshape(b, t, 3, 6, d // 6).permute(2, 0, 3, 1, 4)
        if isolate and classes:
            o = torch.cat(
                [
                    F.scaled_dot_product_attention(q[:, :, :classes], k, v),
                    F.scaled_dot_product_attention(q[:, :, classes:], k[:, :, classes:], v[:, :, classes:]),
                ],
                2,
            )
        else:
            o = F.scaled_dot_product_attention(q, k, v)
        x = x + self.ls1 * self.proj(o.transpose(1, 2).reshape(b, t, d))
        y = F.layer_norm(x, (d,), self.norm2_weight, self.norm2_bias, 1e-6)
        x = x + self.ls2 * self.fc2(F.gelu(self.fc1(y)))
        return x, (q.detach(), k.detach(), o.detach())


def drop(x, rate, training):
    return F.dropout(x, rate, training)


class ViT(nn.Module):
    """DINOv2-S, frozen, with low-rank adapters and K class tokens (0: its own one)."""

    def __init__(self, state, classes, rank, isolate=False):
        super().__init__()
        self.classes, self.isolate = classes, isolate
        self.register_buffer("patch_w", state["patch_embed.proj.weight"])
        self.register_buffer("patch_b", state["patch_embed.proj.bias"])
        self.register_buffer("pos", state["pos_embed"])
        self.register_buffer("norm_w", state["norm.weight"])
        self.register_buffer("norm_b", state["norm.bias"])
        self.register_buffer("own_token", state["cls_token"])
        n = max(classes, 1)
        token = state["cls_token"].repeat(1, n, 1)
        self.cls = nn.Parameter(token.clone()) if classes else None
        if not classes:
            self.register_buffer("cls_fixed", token)
        self.blocks = nn.ModuleList(Block(state, f"blocks.{i}.", rank) for i in range(12))
        self.cache = {}

    def position(self, h, w):
        if (h, w) not in self.cache:
            from timm.layers import resample_abs_pos_embed

            p = resample_abs_pos_embed(self.pos[:, 1:].float(), [h, w], num_prefix_tokens=0)
            self.cache[h, w] = p
        return self.cache[h, w]

    def norm(self, x):
        return F.layer_norm(x.float(), (384,), self.norm_w, self.norm_b, 1e-6)

    def forward(self, images, keep=True):
        h, w = images.shape[-2] // 14, images.shape[-1] // 14
        x = F.conv2d(images, self.patch_w, self.patch_b, stride=14).flatten(2).transpose(1, 2).float()
        x = x + self.position(h, w)
        cls = self.cls if self.classes else self.cls_fixed
        c = cls.shape[1]
        x = torch.cat([(cls + self.pos[:, :1]).expand(len(x), -1, -1), x], 1)
        records, outs = [], []
        for blk in self.blocks:
            x, rec = blk(x, c, self.isolate)
            outs.append(x)
            if keep:
                records.append(rec)
        return outs, records, (h, w), c


def rows(rec, sl_q, sl_k):
    """Attention rows, softmax over all tokens, then the columns asked for."""
    q, k, _ = rec
    a = (q[:, :, sl_q].float() @ k.float().transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1)
    return a[..., sl_k]


def average_precision(scores, tags):
    order = np.argsort(-scores, kind="stable")
    t = tags[order] > 0
    if not t.any():
        return float("nan")
    return float((np.cumsum(t) / (np.arange(len(t)) + 1))[t].mean())


class Sweep:
    """Confusion matrices of all thresholds, and of Otsu's threshold."""

    def __init__(self, device, bins=100):
        self.hist = torch.zeros(22 * 21 * (bins + 1), dtype=torch.int64, device=device)
        self.bins = bins

    def add(self, scores, classes, mask):
        """scores (P,H,W) in [0,1] of the classes (P,), true mask (H,W)."""
        s, j = scores.max(0)
        lab = classes[j] + 1
        b = (s.clamp(0, 1) * self.bins).floor().long().clamp(max=self.bins)
        truth = torch.where(mask == 255, 21, mask)
        flat = ((truth * 21 + lab) * (self.bins + 1) + b).flatten()
        self.hist.index_add_(0, flat, torch.ones_like(flat))

    def result(self):
        h = self.hist.view(22, 21, -1)[:21].cpu().numpy().astype(float)
        fg = np.cumsum(h[..., ::-1], -1)[..., ::-1]  # pixels with bin >= t
        best, out = -1, []
        for t in range(self.bins + 1):
            c = fg[..., t].copy()
            c[:, 0] += h.sum((1, 2)) - c.sum(1)
            inter = np.diag(c)
            union = c.sum(0) + c.sum(1) - inter
            iou = np.where(union > 0, inter / np.maximum(union, 1), np.nan)
            out.append(iou)
        m = [np.nanmean(i) for i in out]
        best = int(np.argmax(m))
        counts = h.sum((0, 1))
        centers = (np.arange(self.bins + 1) + 0.5) / self.bins
        w = np.cumsum(counts)
        mu = np.cumsum(counts * centers)
        between = (mu[-1] * w / w[-1] - mu) ** 2 / np.maximum(w * (w[-1] - w), 1e-9)
        o = int(np.argmax(between[:-1])) + 1
        return dict(best=round(100 * m[best], 2), t=best / self.bins, otsu=round(100 * m[o], 2), to=o / self.bins, iou=[round(100 * float(v), 1) for v in out[best]])


def minmax(m):
    lo, hi = m.amin((-2, -1), keepdim=True), m.amax((-2, -1), keepdim=True)
    return (m - lo) / (hi - lo + 1e-8)


def up(m, size):
    return F.interpolate(m, size=size, mode="bilinear", align_corners=False)


def frozen_keys(vit, images):
    """Keys of the last layer of the untouched backbone, its own class token: (B,N,384)."""
    LoRA.off = True
    try:
        with torch.no_grad():
            h, w = images.shape[-2] // 14, images.shape[-1] // 14
            x = F.conv2d(images, vit.patch_w, vit.patch_b, stride=14).flatten(2).transpose(1, 2).float() + vit.position(h, w)
            x = torch.cat([(vit.own_token + vit.pos[:, :1]).expand(len(x), -1, -1), x], 1)
            for blk in vit.blocks[:-1]:
                x, _ = blk(x, 1, False)
            b = vit.blocks[-1]
            y = F.layer_norm(x, (384,), b.norm1_weight, b.norm1_bias, 1e-6)
            return b.qkv(y)[:, 1:, 384:768].float()
    finally:
        LoRA.off = False


def fit_prior(vit, data, ids):
    """First principal direction of all patches' keys, signed so that borders are low; Otsu on it."""
    keys, border = [], []
    for part in data.batches(ids, 32):
        x = data.photos(part)
        with torch.autocast(data.device.type, dtype=torch.bfloat16, enabled=data.device.type == "cuda"):
            k = frozen_keys(vit, x)
        h, w = x.shape[-2] // 14, x.shape[-1] // 14
        edge = torch.zeros(h, w, dtype=torch.bool, device=x.device)
        edge[[0, -1]] = True
        edge[:, [0, -1]] = True
        keys.append(k.flatten(0, 1))
        border.append(edge.flatten().repeat(len(k)))
    keys, border = torch.cat(keys), torch.cat(border)
    mean = keys.mean(0)
    cov = (keys - mean).t() @ (keys - mean) / len(keys)
    v = torch.linalg.eigh(cov.cpu().double())[1][:, -1].float().to(keys.device)
    p = (keys - mean) @ v
    if p[border].mean() > p[~border].mean():
        v, p = -v, -p
    c, e = np.histogram(p.cpu().numpy(), 256)
    x = (e[1:] + e[:-1]) / 2
    w, mu = np.cumsum(c), np.cumsum(c * x)
    between = (mu[-1] * w / w[-1] - mu) ** 2 / np.maximum(w * (w[-1] - w), 1e-9)
    return dict(mean=mean, v=v, t=float(x[np.argmax(between[:-1])]), sd=float(p.std()))


def objectness(vit, prior, images, sharp=0.5):
    """(B,1,h,w) in (0,1): on which side of Otsu's threshold a patch lies."""
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=images.device.type == "cuda"):
        k = frozen_keys(vit, images)
    s = (((k - prior["mean"]) @ prior["v"] - prior["t"]) / (sharp * prior["sd"])).sigmoid()
    return s.unflatten(1, (images.shape[-2] // 14, images.shape[-1] // 14))[:, None]
