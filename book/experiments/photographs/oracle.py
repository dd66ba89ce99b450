"""Is there anything to adapt to? python oracle.py NAME CAM.pt SECONDS FOLDER [LIMIT]; writes $RES/NAME.json"""

import sys, json, os, time
import numpy as np, torch, torch.nn.functional as F
from safetensors.torch import load_file
from lib import *
import cam as C, seg

name, path, seconds, folder = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
limit = int(sys.argv[5]) if len(sys.argv) > 5 else None
T0 = time.time()
dev = torch.device("cuda" if torch.cuda.is_available() else "cpu")
half = torch.float16 if dev.type == "cuda" else torch.float32
torch.set_num_threads(1)
state = {k: v.float() for k, v in load_file(folder + "/dino.safetensors").items()}
data = Data(folder, open("../../../data/results/voc-part-dev.txt").read().split(), dev, limit, keep=True)
net = seg.load_cam(path, state, dev)
groups = []
with torch.no_grad():
    for wide in (True, False):
        ids = [i for i in data.dev if bool(data.wide[i]) == wide]
        if not ids:
            continue
        look, spr, co, obj, z, learned, feats = [], [], [], [], [], [], []
        for a in range(0, len(ids), 4):
            x = data.photos(ids[a : a + 4])
            out = net(x)
            h, w = out["grid"]
            n = h * w
            r = [rows(q, slice(None), slice(-n, None)) for q in out["rec"]]
            look.append(torch.stack([q[:, :, :K] for q in r], 1).flatten(1, 2).to(half))
            spr.append(torch.stack([q[:, :, -n:] for q in r], 1).flatten(1, 2).to(half))
            zz = torch.cat([out["map"], out["bg"]], 1)
            co.append(C.coarse(zz, net.o).flatten(2))
            z.append((out["map"] - (out["bg"] if net.o["bg"] else 0)).flatten(2))
            obj.append(objectness(net.vit, net.prior, x).flatten(2))
            learned.append(out["hw"].flatten(1))
            feats.append(C.affinity(out["feats"]))
        g = dict(
            ids=ids,
            grid=(h, w),
            **{k: torch.cat(v).float() if k not in ("look", "spr") else torch.cat(v) for k, v in dict(look=look, spr=spr, co=co, obj=obj, z=z, learned=learned, feats=feats).items()},
        )
        t, ok = [], []
        for i in ids:
            m = data.mask(i)
            hot = F.one_hot(torch.where(m == 255, 0, m), 21)[..., 1:].permute(2, 0, 1).float() * (m != 255)
            t.append(F.avg_pool2d(hot[None], 14)[0].flatten(1))
        g["mask"] = torch.stack(t)
        g["tags"] = torch.stack([data.tags[i] for i in ids])
        s = torch.einsum("bnm,bkm->bkn", g["feats"], g["co"]) * g["tags"][:, :, None]
        g["self"] = minmax(s[:, :, None])[:, :, 0] * g["tags"][:, :, None]
        g["self"] = (12 * (g["self"] - 0.4)).sigmoid() * g["tags"][:, :, None] * (s == s.amax(1, keepdim=True))
        g["objt"] = g["obj"] * g["tags"][:, :, None]
        groups.append(g)


def fine(g, wl, ws, refine):
    """(B,72) weights → normalised fine maps (B,K,N)."""
    x = torch.einsum("bh,bhkn->bkn", wl.to(half), g["look"]).float() / 72
    x = torch.minimum(x, x.mean(2, keepdim=True))
    cam = x * g["co"]
    if refine == "attention":
        p = torch.einsum("bh,bhnm->bnm", ws.to(half), g["spr"]).float() / 72
    else:
        p = g["feats"]
    return torch.einsum("bnm,bkm->bkn", p, cam)


def norm(f):
    lo, hi = f.amin(2, keepdim=True), f.amax(2, keepdim=True)
    return (f - lo) / (hi - lo + 1e-8)


def loss_of(g, f, teacher):
    """(B,) of the tagged classes."""
    p = (12 * (norm(f) - 0.4)).sigmoid()
    if teacher == "judge":
        inside = (p * g["z"]).sum(2) / p.sum(2)
        outside = ((1 - p) * g["z"]).sum(2) / (1 - p).sum(2).clamp(min=1)
        l = F.softplus(-inside) + F.softplus(outside)
    else:
        t = g[{"mask": "mask", "obj": "objt", "self": "self"}[teacher]]
        l = 1 - (p * t).sum(2) / (p + t - p * t).sum(2).clamp(min=1e-6)
    return (l * g["tags"]).sum(1) / g["tags"].sum(1)


def measure(maps):
    s = Sweep(dev)
    for g, f in zip(groups, maps):
        for j, i in enumerate(g["ids"]):
            cls = data.classes[i]
            m = data.mask(i)
            s.add(minmax(up(f[j, cls].view(1, len(cls), *g["grid"]), m.shape)[0]), cls, m)
    r = s.result()
    return dict(otsu=r["otsu"], best=r["best"])


def const(w):
    return [w.to(dev).expand(len(g["ids"]), -1) for g in groups]


res = {}
one = torch.ones(72)
last = torch.zeros(72)
last[-6:] = 12
fixed = {"equal": (const(one), const(one)), "learned": ([g["learned"] for g in groups],) * 2, "last looks": (const(last), const(one))}
for s in range(3):
    r = torch.rand(72, generator=torch.Generator().manual_seed(s))
    fixed[f"random {s}"] = (const(r / r.mean()),) * 2
with torch.no_grad():
    for refine in ("attention", "features"):
        for k, (wl, ws) in fixed.items():
            res[f"{refine}: {k}"] = measure([fine(g, a, b, refine) for g, a, b in zip(groups, wl, ws)])
    res["coarse"] = measure([g["co"] for g in groups])
    res["coarse, features"] = measure([torch.einsum("bnm,bkm->bkn", g["feats"], g["co"]) for g in groups])
    w = torch.cat([g["learned"] for g in groups])
    res["learned weights"] = dict(sd_heads=round(float(w.mean(0).std()), 4), sd_images=round(float(w.std(0).mean()), 4))
print(name, res, round(time.time() - T0, 1), flush=True)
STEPS = 60 if not limit else 2


def weights(theta):
    w = F.softplus(theta + 0.5413)
    return w / w.mean(-1, keepdim=True)


def run(teacher, scope, jobs, refine):
    """Fit head weights and measure; a shared set is fitted on one half, measured on the other."""
    maps = [[None] * len(g["ids"]) for g in groups]
    index = np.concatenate([np.arange(len(g["ids"])) for g in groups])
    for fold in (0, 1) if scope == "one" else (None,):
        shape = [(1 if scope == "one" else len(g["ids"]), 72) for g in groups]
        if scope == "one":
            thetas = [[torch.zeros(1, 72, device=dev, requires_grad=True)] * len(groups) for _ in range(jobs)]
            params = [t[0] for t in thetas]
        else:
            thetas = [[torch.zeros(s, device=dev, requires_grad=True) for s in shape] for _ in range(jobs)]
            params = [t for ts in thetas for t in ts]
        opt = torch.optim.Adam(params, lr=0.15)
        for _ in range(STEPS):
            total = 0
            for k, g in enumerate(groups):
                b = len(g["ids"])
                wl, ws = weights(thetas[0][k]).expand(b, -1), weights(thetas[-1][k]).expand(b, -1)
                l = loss_of(g, fine(g, wl, ws, refine), teacher)
                if fold is not None:
                    l = l * (torch.arange(b, device=dev) % 2 == fold)
                total = total + l.sum()
            opt.zero_grad()
            total.backward()
            opt.step()
        with torch.no_grad():
            for k, g in enumerate(groups):
                b = len(g["ids"])
                f = fine(g, weights(thetas[0][k]).expand(b, -1), weights(thetas[-1][k]).expand(b, -1), refine)
                for j in range(b):
                    if fold is None or j % 2 != fold:
                        maps[k][j] = f[j]
    return measure([torch.stack(m) for m in maps])


plan = [(t, s, j, r) for t in ("mask", "judge", "self", "obj") for r in ("attention", "features") for s in ("one", "image") for j in ((1, 2) if r == "attention" else (1,))]
for t, s, j, r in plan:
    if time.time() - T0 > seconds:
        break
    res[f"{r}: {t}, {s}, {j}"] = run(t, s, j, r)
    json.dump(res, open(os.environ.get("RES", ".") + f"/{name}.json", "w"))
print(name, res, round(time.time() - T0, 1), flush=True)
