"""Labels of step 1 for all training photos: python labels.py CAM.pt READING OUT [LIMIT]; writes OUT-raw.npy and OUT-crf.npy"""

import sys, json, os, time
import numpy as np, torch
from safetensors.torch import load_file
from lib import *
import seg

cam, reading, out, folder, band = *sys.argv[1:5], float(sys.argv[5])
limit = int(sys.argv[6]) if len(sys.argv) > 6 else None
dev = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.set_num_threads(1)
torch.backends.cuda.matmul.allow_tf32 = True
state = {k: v.float() for k, v in load_file(folder + "/dino.safetensors").items()}
data = Data(folder, open("../../../data/results/voc-part-dev.txt").read().split(), dev, limit)
ids = data.lists["train_aug"]
if limit:
    ids = ids[: limit * 4]
every = np.union1d(ids, data.dev)
t0 = time.time()
net = seg.load_cam(cam, state, dev)
scores = {}
with torch.no_grad():
    kept, t = seg.cam_scores(net, data, every, reading)
print("maps", round(time.time() - t0, 1), flush=True)
for name, use in (("raw", False), ("crf", True)):
    with torch.no_grad():
        lab = seg.cam_labels(data, kept, t, use, band)
        scores[name] = seg.label_score(lab, data, data.dev)
        if name == "crf":
            vt = np.intersect1d(data.lists["train"], every)
            scores["crf_train"] = seg.label_score(lab, data, vt)
        if name == "raw":
            scores["raw_train"] = seg.label_score(lab, data, np.intersect1d(data.lists["train"], every))
    np.save(f"{out}-{name}.npy", lab.cpu().numpy())
    print("labels", name, reading, scores, "otsu", t, round(time.time() - t0, 1), flush=True)
json.dump(dict(cam=cam, reading=reading, scores=scores, otsu=t, seconds=time.time() - t0), open(os.environ.get("RES", ".") + "/" + os.path.basename(out) + ".json", "w"))
