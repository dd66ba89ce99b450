"""What a linear layer on the frozen backbone makes of true masks: an upper bound.

    python probe.py VOC [OUT]     → data/results/photographs-probe.json, table

DINOv2-S as it comes from its package, no adapters; photos of train_balanced, true masks, a
layer from 384 numbers of a patch to 21 classes, three seeds; measured on val, one view, tags
not given and given. Tokens are kept in OUT (default: build/probe). One CPU thread.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from second import RESULT, arg, fitted, frame, small_labels
from tabulate import tabulate
from torch import nn
from tqdm import tqdm

from weaktr_core.data import open_dataset
from weaktr_core.networks.backbone import ClassTokenViT
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.inference import fast_inference
from weaktr_core.networks.pretrained import load_vit
from weaktr_core.scores.metrics import ConfusionMatrix

SEEDS, STEPS, BATCH, RATE = (0, 1, 2), 1500, 16, 3e-3


def tokens(voc, split, out):
    """Patch tokens (photos, 432, 384) in half precision, made once."""
    path = out / f"{split}.npy"
    photos = open_dataset(voc, split)
    if path.exists():
        return np.load(path, mmap_mode="r"), photos
    vit, prepare = ClassTokenViT(load_vit("dinov2-s", 224), 1).eval(), WeakTr.pretrained("voc").prepare
    kept = np.zeros((len(photos), 432, 384), np.float16)
    with torch.no_grad(), fast_inference(vit):
        for n, sample in enumerate(tqdm(photos, desc=split, mininterval=10)):
            kept[n] = vit(prepare(fitted(sample.image, frame(sample.image)))).patches[0].float().numpy()
    np.save(path, kept)
    return kept, photos


def train(seed, kept, targets, wide):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = nn.Linear(384, 21)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.01)
    groups = [np.flatnonzero(wide), np.flatnonzero(~wide)]
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / STEPS) ** 0.9
        pick = rng.choice(groups[int(rng.random() >= wide.mean())], BATCH)
        y = torch.from_numpy(np.stack([targets[i] for i in pick])).long()
        x = torch.from_numpy(np.stack([kept[i] for i in pick])).float()
        optimizer.zero_grad()
        F.cross_entropy(logits(net, x, y.shape[1:]), y, ignore_index=255).backward()
        optimizer.step()
    return net


def logits(net, x, size):
    """(B, 21, *size) of tokens (B, 432, 384)."""
    grid = (18, 24) if size[0] < size[1] else (24, 18)
    return F.interpolate(net(x).mT.unflatten(2, grid), tuple(size), mode="bilinear")


def main():
    voc, out = Path(sys.argv[1]), Path([*sys.argv, "build/probe"][2])
    out.mkdir(parents=True, exist_ok=True)
    kept, photos = tokens(voc, "train_balanced", out)
    sizes = [frame(s.image) for s in photos]
    targets = [small_labels(s.mask, size) for s, size in zip(photos, sizes)]
    wide = np.array([h < w for h, w in sizes])
    nets = {seed: train(seed, kept, targets, wide) for seed in SEEDS}
    ways = ("no tags", "tags given")
    counts = {seed: {way: ConfusionMatrix(21) for way in ways} for seed in SEEDS}
    kept, photos = tokens(voc, "val", out)
    for n, sample in enumerate(tqdm(photos, desc="measure", mininterval=10)):
        x, size = torch.from_numpy(np.array(kept[n])).float()[None], frame(sample.image)
        given = torch.tensor([1.0, *sample.tags])[None, :, None, None]
        for seed, net in nets.items():
            with torch.no_grad():
                p = F.interpolate(logits(net, x, size), sample.mask.shape, mode="bilinear").softmax(1)
            for way, q in zip(ways, (p, p * given)):
                counts[seed][way].update(sample.mask, arg(q))
    miou = {way: [round(100 * counts[s][way].miou, 2) for s in SEEDS] for way in ways}
    about = dict(photos=len(targets), val=len(photos), steps=STEPS, batch=BATCH, miou=miou)
    RESULT.with_name("photographs-probe.json").write_text(json.dumps(about, indent=1) + "\n", "utf8")
    rows = [[way, " / ".join(f"{v:.1f}" for v in miou[way])] for way in ways]
    print(tabulate(rows, ["linear layer, true masks", "mIoU, seeds 0, 1, 2"], tablefmt="github"))


if __name__ == "__main__":
    main()
