import torch, numpy as np, time, seg, cam as C
from lib import *
from safetensors.torch import load_file

torch.set_num_threads(1)
state = {k: v.float() for k, v in load_file("pack/dino.safetensors").items()}
dev = open("../../../data/results/voc-part-dev.txt").read().split()
d = Data("pack", dev, torch.device("cpu"), None, keep=True)
d.images = torch.from_numpy(np.load("pack/images.npy", mmap_mode="c"))
net = seg.load_cam("cam0.pt", state, torch.device("cpu"))
vit1 = ViT(state, 0, 8)
vit1.load_state_dict({k[4:]: v for k, v in net.state_dict().items() if k.startswith("vit.") and (".up" in k or ".down" in k)}, strict=False)
vit1.eval()
rng = np.random.default_rng(5)
ids = rng.permutation(np.setdiff1d(d.lists["train_balanced"], d.dev))
F_, M_, I_ = [], [], []
t = time.time()
with torch.no_grad():
    for a in range(0, len(ids), 2):
        for i in ids[a : a + 2]:
            x = d.photos([i])
            out = net(x)
            aff = C.affinity(out["feats"])
            cls = d.classes[i]
            v = out["cam"][:, cls].flatten(2)
            m = (aff @ v.transpose(1, 2)).transpose(1, 2)[0]
            o1, _, _, _ = vit1(x, keep=False)
            f1 = vit1.norm(o1[-1][:, 1:])[0]
            if len(I_) < 4:
                print("cos", F.cosine_similarity(f1, out["feats"][0], dim=-1).mean().item(), f1.std().item(), flush=True)
            F_.append(f1.half())
            M_.append(m.half())
            I_.append(int(i))
        if len(I_) % 50 == 0 or a + 2 >= len(ids):
            print(len(I_), round(time.time() - t, 1), flush=True)
        if len(I_) % 100 == 0 or a + 2 >= len(ids):
            torch.save(dict(F=torch.stack(F_), M=M_, ids=I_), "part.tmp")
            import os

            os.replace("part.tmp", "part.pt")
