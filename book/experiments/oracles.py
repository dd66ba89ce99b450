"""Is there anything to adapt to? ``python book/experiments/oracles.py RUN [RUN …]``.

Fits head weights of trained CAM networks (folders of ``train-cam`` on the built-in
scenes) by gradient, for a teacher that sees each scene's mask, and for teachers that see
none, and measures the fine CAMs they give. One set serves all scenes, fitted on one half
of them and measured on the other, or each scene has its own, which a mask that it is
measured with has then chosen: an upper bound. Two sets let other heads look than spread.
Writes data/results/oracles.json after each run it has finished, and prints the table.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from weaktr_core.config import CamConfig
from weaktr_core.data import Sample, open_dataset
from weaktr_core.method.grid import tokens_to_map
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.checkpoints import load_checkpoint
from weaktr_core.runtime import write_json
from weaktr_core.scores.metrics import THRESHOLDS, SweepCounter
from weaktr_core.train.runs import Run

from ablations import count, scores
from reading import Seen, batches
from tables import RESULTS, spread, table

STEPS, RATE, SLOPE, LEVEL = 60, 0.15, 12.0, 0.4
"""Steps and learning rate of Adam; slope and level of the soft mask."""


def main() -> None:
    """Measure each run that is not in the file yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*", help="folders written by train-cam")
    parser.add_argument("--count", type=int, default=64, help="scenes of the test split")
    parser.add_argument("--out", default=str(RESULTS / "oracles.json"))
    arguments = parser.parse_args()
    path = Path(arguments.out)
    stored = json.loads(path.read_text("utf8")) if path.exists() else []
    for folder in arguments.runs:
        config = CamConfig.from_dict(Run(folder).config)
        if config.seed in [run["seed"] for run in stored]:
            continue
        rows = measure_all(load_checkpoint(Run(folder).best), config, arguments.count)
        stored.append(dict(seed=config.seed, scenes=arguments.count, rows=rows))
        write_json(path, stored)
    sys.stdout.write(as_table(stored))


@dataclass
class Batch:
    """Some scenes, encoded once, and what teachers know of them.

    Attributes:
        look: (B, L·H, K, N), attention of the class tokens to the patches.
        spread: (B, L·H, N, N), of the patches to one another.
        coarse, logits: (B, K, N), the patch classifier's map, rectified and raw.
        mask: (B, K, N), share of each patch that a class fills.
        tags: (B, K).
    """

    samples: list[Sample]
    grid: tuple[int, int]
    own: Tensor
    look: Tensor
    spread: Tensor
    coarse: Tensor
    logits: Tensor
    mask: Tensor
    tags: Tensor

    def fine(self, look: Tensor, spread: Tensor) -> Tensor:
        """Fine CAM (B, K, N) under head weights (B, L·H)."""
        seen = torch.einsum("bh,bhkn->bkn", look, self.look) / look.shape[1]
        seen = torch.minimum(seen, seen.mean(2, keepdim=True))
        fused = torch.einsum("bh,bhnm->bnm", spread, self.spread) / look.shape[1]
        return torch.einsum("bnm,bkm->bkn", fused, seen * self.coarse)


@torch.no_grad()
def encode(model: WeakTr, amount: int, size: int) -> list[Batch]:
    """Scenes of the test split as batches."""
    data, found = open_dataset("scenes", "test", size=size, count=amount), []
    for images, samples in batches(model, data, "encode"):
        seen = Seen(model, model.encode(images))
        tokens, k = seen.tokens, model.num_classes
        n = tokens.grid[0] * tokens.grid[1]
        stack = seen.stack.flatten(1, 2)
        logits = model.patch_head(tokens_to_map(tokens.patches, tokens.grid))
        masks = torch.from_numpy(np.stack([s.mask for s in samples])).long()
        hot = F.one_hot(masks, 256)[..., 1 : k + 1].permute(0, 3, 1, 2).float()
        batch = Batch(
            samples=samples,
            grid=tokens.grid,
            own=seen.own.flatten(1),
            look=stack[:, :, :k, -n:].contiguous(),
            spread=stack[:, :, -n:, -n:].contiguous(),
            coarse=seen.coarse.flatten(2),
            logits=logits.flatten(2),
            mask=F.avg_pool2d(hot, model.backbone.patch_size).flatten(2),
            tags=torch.from_numpy(np.stack([s.tags for s in samples])).float(),
        )
        found.append(batch)
    return found


def soft_mask(maps: Tensor) -> Tensor:
    """Maps (B, K, N) as masks that a gradient passes through."""
    low, high = maps.amin(2, keepdim=True), maps.amax(2, keepdim=True)
    return (SLOPE * ((maps - low) / (high - low + 1e-8) - LEVEL)).sigmoid()


def by_mask(batch: Batch, mask: Tensor) -> Tensor:
    """One minus the soft IoU with the true mask, (B, K)."""
    both = (mask * batch.mask).sum(2)
    either = (mask + batch.mask - mask * batch.mask).sum(2)
    return 1 - both / either.clamp(min=1e-6)


def by_judge(batch: Batch, mask: Tensor) -> Tensor:
    """The patch classifier as judge: evidence inside the mask, none outside, (B, K)."""
    inside = (mask * batch.logits).sum(2) / mask.sum(2)
    outside = ((1 - mask) * batch.logits).sum(2) / (1 - mask).sum(2).clamp(min=1)
    return F.softplus(-inside) + F.softplus(outside)


def by_itself(batch: Batch, mask: Tensor) -> Tensor:
    """One minus the soft IoU with the coarse CAM, spread by all heads alike, (B, K)."""
    equal = torch.einsum("bhnm,bkm->bkn", batch.spread, batch.coarse)
    own = soft_mask(equal.detach())
    both = (mask * own).sum(2)
    return 1 - both / (mask + own - mask * own).sum(2).clamp(min=1e-6)


TEACHERS = {"mask": by_mask, "judge": by_judge, "itself": by_itself}


def measure_all(model: WeakTr, config: CamConfig, amount: int) -> dict[str, dict]:
    """Every row of the table for one network."""
    model.requires_grad_(False)
    encoded = encode(model, amount, config.img_size)
    patch = model.backbone.patch_size
    heads = encoded[0].own.shape[1]
    last = torch.zeros(heads)
    last[-model.backbone.shape[1] :] = model.backbone.shape[0]
    fixed = {
        "equal": [torch.ones(heads)] * 2,
        "learned": [None, None],
        "last layer looks, all spread": [last, torch.ones(heads)],
    }
    rows = {}
    for name, pair in fixed.items():
        maps = []
        for b in encoded:
            look, to = (b.own if w is None else w.expand(len(b.tags), -1) for w in pair)
            maps.append(b.fine(look, to))
        rows[name] = measure(encoded, maps, patch, encoded[0].tags.shape[1])
    for teacher in TEACHERS:
        for scope in ("one set", "a set per scene"):
            for jobs in (1, 2):
                name = f"{teacher}: {scope}, " + ("one job" if jobs == 1 else "two jobs")
                maps = fit(encoded, teacher, scope, jobs, heads)
                rows[name] = measure(encoded, maps, patch, encoded[0].tags.shape[1])
                sys.stdout.write(f"{name}: {rows[name]}\n")
                sys.stdout.flush()
    return rows


def fit(
    encoded: list[Batch], teacher: str, scope: str, jobs: int, heads: int
) -> list[Tensor]:
    """Fine CAMs under fitted head weights; a shared set is tried on the other half."""
    if scope == "one set":
        even, odd = (
            fitted(encoded, teacher, jobs, heads, shared=True, half=h) for h in (0, 1)
        )
        merged = []
        for a, b in zip(even, odd, strict=True):
            is_even = torch.arange(len(a)) % 2 == 0
            merged.append(torch.where(is_even[:, None, None], b, a))
        return merged
    return fitted(encoded, teacher, jobs, heads, shared=False, half=None)


def fitted(
    encoded: list[Batch],
    teacher: str,
    jobs: int,
    heads: int,
    shared: bool,
    half: int | None,
) -> list[Tensor]:
    """Fit on all scenes, or on every second one, and read all with what came out."""
    amounts = [1] if shared else [len(b.tags) for b in encoded]
    raw = [
        [torch.zeros(a, heads, requires_grad=True) for a in amounts] for _ in range(jobs)
    ]
    optimizer = torch.optim.Adam([w for job in raw for w in job], lr=RATE)

    def read(index: int) -> Tensor:
        batch = encoded[index]
        look, to = (
            positive(job[0 if shared else index]).expand(len(batch.tags), -1)
            for job in (raw[0], raw[-1])
        )
        return batch.fine(look, to)

    for _ in range(STEPS):
        optimizer.zero_grad()
        for index, batch in enumerate(encoded):
            loss = TEACHERS[teacher](batch, soft_mask(read(index)))
            each = (loss * batch.tags).sum(1) / batch.tags.sum(1)
            if half is not None:
                each = each[half::2]
            each.sum().backward()
        optimizer.step()
    with torch.no_grad():
        return [read(index) for index in range(len(encoded))]


def positive(raw: Tensor) -> Tensor:
    """Any numbers → weights of mean 1; zeros → all equal."""
    weights = F.softplus(raw)
    return weights / weights.mean(-1, keepdim=True)


def measure(encoded, maps: list[Tensor], patch, classes: int) -> dict:
    """The scores of fine CAMs (B, K, N) of each batch."""
    counter = SweepCounter(THRESHOLDS, classes)
    for batch, found in zip(encoded, maps, strict=True):
        raw = found.detach().unflatten(2, batch.grid)
        count(counter, raw, batch.samples, patch)
    return {k: v for k, v in scores(counter.sweep).items() if k != "iou"}


def as_table(stored: list[dict]) -> str:
    """The mIoU in % at Otsu's threshold, a column for each network."""
    head = ["head weights", *(f"seed {run['seed']}" for run in stored), "mean ± sd"]
    lines = []
    for name in stored[0]["rows"] if stored else []:
        values = [100 * run["rows"][name]["label_free_miou"] for run in stored]
        lines.append([name, *(f"{v:.1f}" for v in values), spread(values)])
    return table(head, lines)


if __name__ == "__main__":
    main()
