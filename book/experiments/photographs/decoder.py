import sys
import torch, numpy as np, time, torch.nn.functional as F
from weaktr_core.method.decoder import MaskTransformer
from lib import minmax, up

torch.set_num_threads(2)
torch.manual_seed(0)
LOSS = sys.argv[1]
SECONDS = float(sys.argv[2])
OUT = sys.argv[3]
p = torch.load("part.pt")
z = np.load("meta.npz")
ids = p["ids"]
tags = z["tags"][ids]
wide = (z["size"][:, 0] >= z["size"][:, 1])[ids]
t0 = time.time()
SC = []
for j, m in enumerate(p["M"]):
    g = (18, 24) if wide[j] else (24, 18)
    SC.append(minmax(up(m.float().view(1, -1, *g), (g[0] * 4, g[1] * 4))[0]))
h = sum(torch.histc(s.amax(0), 256, 0, 1) for s in SC).numpy().astype(float)
x = (np.arange(256) + 0.5) / 256
w, mu = np.cumsum(h), np.cumsum(h * x)
t = (int(np.argmax(((mu[-1] * w / w[-1] - mu) ** 2 / np.maximum(w * (w[-1] - w), 1e-9))[:-1])) + 1) / 256
L = []
for j, s in enumerate(SC):
    cls = torch.from_numpy(np.flatnonzero(tags[j]))
    v, k = s.max(0)
    L.append(torch.where(v > t, cls[k] + 1, 0))
print(len(L), "otsu", t, round(time.time() - t0, 1), flush=True)
net = MaskTransformer(21, 384, width=192, layers=2, dropout=0.1, class_std=1.0)
opt = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)
f = tags.sum(0).clip(1)
pw = (tags / f**0.5).max(1)
rng = np.random.default_rng(0)
W_, T_ = np.flatnonzero(wide), np.flatnonzero(~wide)
mean = [q.detach().clone() for q in net.parameters()]
t0 = time.time()
step = 0
B = 8
while True:
    e = (time.time() - t0) / SECONDS
    if e >= 1:
        break
    for g in opt.param_groups:
        g["lr"] = 1.2e-3 * min(1, (e + 1e-3) / 0.06) * (1 - e) ** 0.9
    pool = W_ if rng.random() < len(W_) / len(ids) else T_
    b = rng.choice(pool, B, replace=False, p=pw[pool] / pw[pool].sum())
    g = (18, 24) if wide[b[0]] else (24, 18)
    X = p["F"][b].float()
    Y = torch.stack([L[j] for j in b])
    zt = up(net(X, g), (g[0] * 4, g[1] * 4))
    l = F.cross_entropy(zt, Y, reduction="none")
    if LOSS == "clip" and l.detach().mean() < 0.6:
        m = l.detach().mean(0, keepdim=True)
        lam = F.interpolate(F.avg_pool2d(m[None], 12, ceil_mode=True), scale_factor=12)[0, :, : l.shape[1], : l.shape[2]]
        l = torch.minimum(l, torch.maximum(lam, m.mean()))
    l = l.mean()
    opt.zero_grad()
    l.backward()
    opt.step()
    step += 1
    d = min(0.99, (step) / (step + 10))
    torch._foreach_lerp_(mean, [q.detach() for q in net.parameters()], 1 - d)
    if step % 20 == 0:
        print(step, round(time.time() - t0, 1), round(l.item(), 4), flush=True)
for q, m in zip(net.parameters(), mean):
    q.data.copy_(m)
torch.save(dict(state=net.state_dict(), steps=step, images=len(ids), otsu=t, loss=LOSS), OUT)
print("done", step)
