"""Step 2 on a CPU: the encoder of step 1 stays as it is, so its tokens are made once.

    python second.py tokens VOC OUT             photos of train_aug → tokens, maps
    python second.py labels VOC OUT             maps → labels, with and without a CRF
    python second.py train OUT NAME LABELS LOSS SEED PASSES
    python second.py val VOC OUT NAME …         scores on val
    python second.py keep OUT                   → data/results/photographs-second.json, table
    python second.py ship OUT NAME              → weaktr_core/weights/voc-seg.safetensors

LABELS is crf, raw or true; LOSS is ce or clip; PASSES is how often photos are shown, all in
all. For the results that was 6400, seeds 0, 1 and 2, labels crf, names LOSS-SEED.
Each photo is resized to 252 x 336 pixels, or 336 x 252: 18 x 24 patches of 14.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from tqdm import tqdm

from weaktr_core.data import open_dataset
from weaktr_core.labels.crf import CRF_PRESETS, crf_on_labels, crf_on_probabilities
from weaktr_core.labels.recipe import label_free_threshold, label_map
from weaktr_core.labels.views import View, infer_tagged
from weaktr_core.method.cams import normalise
from weaktr_core.method.decoder import MaskTransformer
from weaktr_core.method.grid import flip, map_to_image
from weaktr_core.method.losses import gradient_clipping_loss
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.segmenter import Segmenter
from weaktr_core.scores.metrics import ConfusionMatrix

BY = 4  # labels per side of a patch in training
CLIP_START = 0.3  # nats; 0.6 came to 47.1 on the 100 photos that choose, no clipping to 58.6
torch.set_num_threads(1)


def frame(image: np.ndarray) -> tuple[int, int]:
    return (252, 336) if image.shape[1] >= image.shape[0] else (336, 252)


def fitted(image: np.ndarray, size: tuple[int, int], how=Image.Resampling.BICUBIC):
    return np.asarray(Image.fromarray(image).resize(size[::-1], how))


def half():
    return torch.autocast("cpu", dtype=torch.bfloat16)


def encoder() -> Segmenter:
    """The network of step 2 before it has learned: the adapters of step 1 in the ViT."""
    cam, seg = WeakTr.pretrained("voc"), Segmenter.pretrained("voc")
    seg.start_from(cam)
    return seg.eval()


def tokens(voc: Path, out: Path) -> None:
    photos = open_dataset(voc, "train_aug")
    cam, seg = WeakTr.pretrained("voc").eval(), encoder()
    kept = np.lib.format.open_memmap(out / "tokens.npy", "w+", np.float16, (len(photos), 432, 384))
    maps, tags, wide = [], [], []
    with torch.no_grad(), half():
        for n, sample in enumerate(tqdm(photos, mininterval=20)):
            size = frame(sample.image)
            batch = cam.prepare(fitted(sample.image, size))
            kept[n] = seg.encode(batch)[0][0].float().numpy()
            classes = np.flatnonzero(sample.tags)
            found, _ = infer_tagged(cam, batch, [classes], (View(),), ["fine_cam"])
            small = F.interpolate(found[0], (size[0] // 2, size[1] // 2), mode="area")
            maps.append(normalise(small[0].float()).half().numpy())
            tags.append(sample.tags)
            wide.append(size[0] < size[1])
    torch.save(dict(maps=maps, tags=np.stack(tags), wide=np.array(wide)), out / "maps.pt")


def small_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Labels (height, width) as they are learned from: BY a patch and side."""
    return fitted(labels, (size[0] // 14 * BY, size[1] // 14 * BY), Image.Resampling.NEAREST)


def labels(voc: Path, out: Path) -> None:
    photos = open_dataset(voc, "train_aug")
    found = torch.load(out / "maps.pt", weights_only=False)
    otsu = label_free_threshold(m.astype(np.float32) for m in found["maps"])
    measured = set(open_dataset(voc, "train").names)
    counts = {name: ConfusionMatrix(21) for name in ("raw", "crf")}
    made: dict[str, list] = dict(raw=[], crf=[], true=[])
    for n, sample in enumerate(tqdm(photos, mininterval=20)):
        size, own = frame(sample.image), sample.image.shape[:2]
        halved = (size[0] // 2, size[1] // 2)
        scores = found["maps"][n].astype(np.float32)
        raw = label_map(scores, np.flatnonzero(sample.tags), otsu)
        large = fitted(raw, size, Image.Resampling.NEAREST)
        photo = fitted(sample.image, size)
        every = dict(raw=large, crf=crf_on_labels(photo, large, CRF_PRESETS["voc-cam"]))
        for name, labelled in every.items():
            made[name].append(small_labels(labelled, size))
            if sample.name in measured:
                counts[name].update(sample.mask, fitted(labelled, own, Image.Resampling.NEAREST))
        made["true"].append(small_labels(sample.mask, size))
        assert raw.shape == halved
    torch.save(made, out / "labels.pt")
    scores = {k: round(100 * v.miou, 2) for k, v in counts.items()}
    (out / "labels.json").write_text(json.dumps(dict(otsu=otsu, train=scores)))
    print(otsu, scores)


def train(out: Path, name: str, kind: str, loss: str, seed: int, passes: int) -> None:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    kept = np.load(out / "tokens.npy", mmap_mode="r")
    found = torch.load(out / "maps.pt", weights_only=False)
    targets = torch.load(out / "labels.pt", weights_only=False)[kind]
    tags, wide = found["tags"], found["wide"]
    often = (tags / np.sqrt(tags.sum(0).clip(1))).max(1)
    groups = [np.flatnonzero(wide), np.flatnonzero(~wide)]
    net = MaskTransformer(21, 384, width=192, layers=2, dropout=0.1, class_std=1.0)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.01)
    mean = [p.detach().clone() for p in net.parameters()]
    size, steps, log = 8, passes // 8, []
    began = time.time()
    for step in range(steps):
        t = step / steps
        for group in optimizer.param_groups:
            group["lr"] = 1.2e-3 * min(1, (t + 1e-3) / 0.06) * (1 - t) ** 0.9
        pool = groups[int(rng.random() >= wide.mean())]
        pick = rng.choice(pool, size, replace=False, p=often[pool] / often[pool].sum())
        x = torch.from_numpy(np.stack([kept[i] for i in pick])).float()
        y = torch.from_numpy(np.stack([targets[i] for i in pick])).long()
        grid = (y.shape[1] // BY, y.shape[2] // BY)
        with half():
            logits = net(x, grid)
        logits = F.interpolate(logits.float(), y.shape[1:], mode="bilinear")
        start = CLIP_START if loss == "clip" else -1.0
        pixels, raw = gradient_clipping_loss(logits, y, start, 12)
        optimizer.zero_grad()
        (pixels if loss == "clip" else raw).mean().backward()
        optimizer.step()
        decay = min(0.99, step / (step + 10))
        torch._foreach_lerp_(mean, [p.detach() for p in net.parameters()], 1 - decay)
        if step % 50 == 0:
            share = float((pixels < raw).float().mean()) if loss == "clip" else 0.0
            log.append([step, round(time.time() - began, 1), raw.mean().item(), share])
            print(name, log[-1], flush=True)
    for p, m in zip(net.parameters(), mean, strict=True):
        p.data.copy_(m)
    about = dict(labels=kind, loss=loss, seed=seed, steps=steps, batch=size, log=log)
    torch.save(dict(about, state=net.state_dict()), out / f"{name}.pt")


class Reader(nn.Module):
    def __init__(self, path: Path):
        super().__init__()
        self.net = MaskTransformer(21, 384, width=192, layers=2, class_std=1.0)
        self.net.load_state_dict(torch.load(path, weights_only=False)["state"])
        self.eval()

    def forward(self, x, grid, size, own):
        logits = map_to_image(self.net(x, grid).float(), size, (14, 14))
        return F.interpolate(logits, own, mode="bilinear").softmax(1)


def val(voc: Path, out: Path, names: list[str]) -> None:
    """One view; two scales and their mirror images; these with a CRF, with tags given."""
    photos = open_dataset(voc, "val")
    seg = encoder()
    nets = {name: Reader(out / f"{name}.pt") for name in names}
    ways = ("one", "multi", "crf", "multi, tags")
    counts = {n: {w: ConfusionMatrix(21) for w in ways} for n in names}
    views = [(s, m) for s in (1.0, 4 / 3) for m in (False, True)]
    began = time.time()
    for n, sample in enumerate(photos):
        own = sample.image.shape[:2]
        short = 252 / min(own)
        total = dict.fromkeys(names, 0.0)
        with torch.no_grad(), half():
            for scale, mirrored in views:
                size = tuple(round(side * short * scale) for side in own)
                batch = seg.prepare(fitted(sample.image, size))
                x, grid = seg.encode(flip(batch) if mirrored else batch)
                for name, net in nets.items():
                    p = net(x, grid, size, own)
                    total[name] += flip(p) if mirrored else p
                    if (scale, mirrored) == views[0]:
                        counts[name]["one"].update(sample.mask, arg(p))
        given = torch.tensor([1.0, *sample.tags])[None, :, None, None]
        for name, p in total.items():
            counts[name]["multi"].update(sample.mask, arg(p))
            counts[name]["multi, tags"].update(sample.mask, arg(p * given))
            counts[name]["crf"].update(sample.mask, with_crf(sample.image, p[0] / len(views)))
        if n % 20 == 19 or n == len(photos) - 1:
            done = {k: {w: round(100 * c.miou, 2) for w, c in v.items()} for k, v in counts.items()}
            print(n + 1, round(time.time() - began), done, flush=True)
            iou = {k: {w: c.iou.round(4).tolist() for w, c in v.items()} for k, v in counts.items()}
            (out / f"val-{names[0]}.json").write_text(json.dumps(dict(photos=n + 1, miou=done, iou=iou)))


def arg(p: torch.Tensor) -> np.ndarray:
    return p[0].argmax(0).numpy().astype(np.uint8)


def with_crf(photo: np.ndarray, p: torch.Tensor) -> np.ndarray:
    """The CRF of the six likeliest classes beside the background, for speed."""
    q = p.float().numpy()
    top = np.unique(np.r_[0, np.argsort(-q.reshape(21, -1).max(1))[:6]])
    few = q[top] / q[top].sum(0)
    return top[crf_on_probabilities(photo, few, CRF_PRESETS["voc-seg"]).argmax(0)].astype(np.uint8)


ROWS = {
    "clipped": [f"clip-{s}" for s in range(3)],
    "cross-entropy": [f"ce-{s}" for s in range(3)],
}
WAYS = {
    "one": "one view",
    "multi": "two scales, mirrored",
    "crf": "and CRF",
    "multi, tags": "tags given",
}
RESULT = Path(__file__).parents[3] / "data/results/photographs-second.json"


def keep(out: Path) -> None:
    """Gather the scores, and print them as a table."""
    (found,) = (json.loads(p.read_text()) for p in out.glob("val-*.json"))
    labels = json.loads((out / "labels.json").read_text())
    about = {}
    for name in found["miou"]:
        saved = torch.load(out / f"{name}.pt", weights_only=False)
        log = saved.pop("log")
        saved.pop("state")
        about[name] = dict(saved, seconds=log[-1][1], clipped_share=round(log[-1][3], 3))
    kept = dict(device="CPU, one thread", labels=labels, networks=about, **found)
    RESULT.write_text(json.dumps(kept, indent=1) + "\n", "utf8")
    from tabulate import tabulate

    lines = []
    for row, names in ROWS.items():
        scores = [[found["miou"][n][w] for n in names] for w in WAYS]
        lines.append([row, *(" / ".join(f"{v:.1f}" for v in s) for s in scores)])
    print(tabulate(lines, ["learned with", *WAYS.values()], tablefmt="github"))


def ship(out: Path, name: str) -> None:
    """Put a decoder and the encoder it learned on into one file."""
    from weaktr_core.networks.checkpoints import SHIPPED, save_checkpoint

    seg = encoder()
    seg.decoder.load_state_dict(torch.load(out / f"{name}.pt", weights_only=False)["state"])
    save_checkpoint(SHIPPED / "voc-seg.safetensors", seg, trained_only=True)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "tokens":
        tokens(Path(rest[0]), Path(rest[1]))
    elif what == "labels":
        labels(Path(rest[0]), Path(rest[1]))
    elif what == "train":
        train(Path(rest[0]), *rest[1:4], int(rest[4]), int(rest[5]))
    elif what == "keep":
        keep(Path(rest[0]))
    elif what == "ship":
        ship(Path(rest[0]), rest[1])
    else:
        val(Path(rest[0]), Path(rest[1]), rest[2:])
