"""What does each part buy? ``python book/experiments/ablations.py RUN [RUN …]``.

Reads trained CAM networks (folders of ``train-cam`` on the built-in scenes), takes one
part at a time away from each, or puts another in its place, and measures the maps.
Writes data/results/ablations.json after each run it has finished, and prints the
tables for README.md; a run whose seed is in the file already is not measured again, so
without a RUN it only prints. Nothing but small fusions is trained: the backbone never
hears the fusion, so swapping it on a finished network is what another training would
have given.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from skimage.filters import threshold_otsu
from torch import Tensor, nn
from weaktr_core.config import CamConfig
from weaktr_core.data import Sample, TaggedDataset, open_dataset
from weaktr_core.labels.views import tagged_scores
from weaktr_core.method.fusion import build_fusion
from weaktr_core.method.grid import Size, map_to_image
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.checkpoints import load_checkpoint
from weaktr_core.runtime import write_json
from weaktr_core.scores.metrics import THRESHOLDS, ScoredImage, Sweep, SweepCounter
from weaktr_core.train.runs import Run

from baselines import coupled, grad_cam, rollout
from fusions import FUSIONS, train_fusions, weight_spread
from reading import Seen, batches
from tables import RESULTS, spread, table

DRAWS = 5
"""Random head weightings; a run's number is their mean."""


def main() -> None:
    """Measure each run that is not in the file yet, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*", help="folders written by train-cam")
    parser.add_argument("--split", default="test", help="scenes to measure on")
    parser.add_argument("--count", type=int, help="only so many scenes, to try it")
    parser.add_argument("--epochs", type=int, default=3, help="to train a fusion for")
    parser.add_argument("--out", default=str(RESULTS / "ablations.json"))
    arguments = parser.parse_args()
    path = Path(arguments.out)
    about = dict(split=arguments.split, epochs=arguments.epochs, draws=DRAWS)
    stored = json.loads(path.read_text("utf8")) if path.exists() else dict(about, runs=[])
    for folder in arguments.runs:
        config = CamConfig.from_dict(Run(folder).config)
        if config.seed in [run["seed"] for run in stored["runs"]]:
            continue
        stored["runs"].append(ablate(Path(folder), config, arguments))
        stored["runs"].sort(key=lambda run: run["seed"])
        write_json(path, stored)
    sys.stdout.write(tables(stored, read_step_two(RESULTS / "laptop-seg.json")))


def ablate(folder: Path, config: CamConfig, arguments: argparse.Namespace) -> dict:
    """All variants of one trained network."""
    start = time.perf_counter()
    model = load_checkpoint(Run(folder).best).requires_grad_(False)
    train, test = (
        open_dataset("scenes", split, size=config.img_size, count=arguments.count)
        for split in ("train", arguments.split)
    )
    fusions, seen = train_fusions(model, config, train, arguments.epochs)
    mean = seen.own.mean(dim=0)  # (L, H)
    sweeps, heads = measure(model, all_variants(fusions, mean), test)
    best = max(heads, key=lambda sweep: sweep.best_miou)
    rows = {name: scores(one) for name, one in sweeps.items()}
    rows["the best single head"] = scores(best)
    return dict(
        seed=config.seed,
        seconds=round(time.perf_counter() - start),
        scenes=len(test),
        classes=["background", *test.classes],
        rows=rows,
        weight_spread=weight_spread(fusions, seen),
        single_heads=[round(sweep.best_miou, 5) for sweep in heads],
    )


Variant = Callable[[Seen], Tensor]
"""Raw maps (B, K, h, w) of a batch."""


def all_variants(fusions: dict[str, nn.Module], mean: Tensor) -> dict[str, Variant]:
    """Every row of the tables but the single heads.

    Args:
        fusions: trained anew.
        mean: (L, H), weights of the trained network, averaged over training scenes.
    """
    ones, last = torch.ones_like(mean), torch.zeros_like(mean)
    last[-1] = 1
    rows: dict[str, Variant] = {
        "as trained": lambda seen: seen.fine(seen.own),
        "its mean over images": lambda seen: seen.fine(mean),
        "uniform": lambda seen: seen.fine(ones),
        "last layer only": lambda seen: seen.fine(last),
        "uniform heads, no cap": lambda seen: seen.fine(ones, torch.inf),
    }
    for draw in range(DRAWS):
        fixed = build_fusion(f"random:{draw}", *mean.shape, 1)
        rows[f"random {draw}"] = by(fixed)
    rows |= {f"anew: {name}": by(fusion) for name, fusion in fusions.items()}
    return rows | STAGES | OTHERS


def by(fusion: nn.Module) -> Variant:
    """Fine CAM with the weights of a fusion."""
    return lambda seen: seen.fine(fusion(seen.tokens.layers))


STAGES: dict[str, Variant] = {
    "coarse CAM alone": lambda seen: seen.coarse,
    "cross-attention map alone": lambda seen: seen.cross(seen.fused(seen.own)),
    "without refinement": lambda seen: seen.cross(seen.fused(seen.own)) * seen.coarse,
    "without the cross-attention map": lambda seen: seen.refined(
        seen.fused(seen.own), seen.coarse
    ),
    "without the cap": lambda seen: seen.fine(seen.own, torch.inf),
    "without cap and refinement": lambda seen: (
        seen.cross(seen.fused(seen.own), torch.inf) * seen.coarse
    ),
    "cross-attention map alone, no cap": lambda seen: seen.cross(
        seen.fused(seen.own), torch.inf
    ),
}
"""The trained network with a stage left out."""

OTHERS: dict[str, Variant] = {
    "rollout": lambda seen: rollout(
        seen.tokens.layers, seen.model.num_classes, seen.tokens.grid
    ),
    "coupled as TS-CAM": lambda seen: coupled(seen.tokens.layers, seen.coarse),
    "Grad-CAM": lambda seen: seen.gradient,
    "one tag everywhere": lambda seen: torch.ones_like(seen.coarse),
}
"""Other ways to read the same network, and one that does not look at all."""


@torch.no_grad()
def measure(
    model: WeakTr,
    variants: dict[str, Variant],
    data: TaggedDataset,
) -> tuple[dict[str, Sweep], list[Sweep]]:
    """A sweep for each variant, and for each head alone, layer slow."""
    classes, patch = len(data.classes), model.backbone.patch_size
    counters = {name: SweepCounter(THRESHOLDS, classes) for name in variants}
    pairs = list(np.ndindex(*model.backbone.shape[:2]))
    alone = [SweepCounter(THRESHOLDS, classes) for _ in pairs]
    for images, batch in batches(model, data, "measure"):
        tags = torch.from_numpy(np.stack([sample.tags for sample in batch]))
        gradient, tokens = grad_cam(model, images, tags)
        seen = Seen(model, tokens, gradient)
        for name, variant in variants.items():
            count(counters[name], variant(seen), batch, patch)
        for counter, (layer, head) in zip(alone, pairs, strict=True):
            count(counter, seen.alone(layer, head), batch, patch)
    swept = {name: counter.sweep for name, counter in counters.items()}
    return swept, [counter.sweep for counter in alone]


def count(counter: SweepCounter, maps: Tensor, batch: list[Sample], patch: Size) -> None:
    """Add the raw maps (B, K, h, w) of a batch to a sweep."""
    for sample, raw in zip(batch, maps, strict=True):
        assert sample.mask is not None
        kept = np.flatnonzero(sample.tags)
        size = (sample.mask.shape[0], sample.mask.shape[1])
        large = map_to_image(raw[None, kept], size, patch)[0]
        values, _ = tagged_scores(large, np.ones(len(kept)))
        if float(raw.max()) == float(raw.min()):  # no map at all: all is the first tag
            values = np.ones_like(values)
        counter.update(ScoredImage(values, kept, sample.mask))


def scores(sweep: Sweep) -> dict:
    """What is kept of a sweep: the best threshold, and one that no mask chose.

    The pixels above each threshold are a histogram of the largest scores, so Otsu's
    threshold can be read off the sweep itself; true classes do not enter.
    """
    above = sweep.counts[:, :, 1:].sum(axis=(1, 2))
    histogram = above[:-1] - above[1:]
    middles = (sweep.thresholds[1:] + sweep.thresholds[:-1]) / 2
    free = sweep.thresholds[0]
    if np.count_nonzero(histogram) > 1:  # else there is nothing to split
        free = threshold_otsu(hist=(histogram.astype(float), middles))
    return dict(
        miou=round(sweep.best_miou, 5),
        threshold=float(sweep.thresholds[sweep.best]),
        label_free_threshold=round(float(free), 3),
        label_free_miou=round(
            float(sweep.miou[np.abs(sweep.thresholds - free).argmin()]), 5
        ),
        iou=[round(float(v), 5) for v in sweep.iou[sweep.best]],
    )


GROUPS = {
    "Head weights": [
        "as trained", "its mean over images", "uniform", "random", "last layer only",
        "the best single head",
    ],
    "Fusions trained anew on the frozen network": [f"anew: {name}" for name in FUSIONS],
    "Stages": [
        "as trained", "without refinement", "without the cross-attention map",
        "without the cap", "without cap and refinement", "coarse CAM alone",
        "cross-attention map alone", "cross-attention map alone, no cap",
    ],
    "Other ways to read the same network": [
        "uniform heads, no cap", "coupled as TS-CAM", "Grad-CAM", "rollout",
        "one tag everywhere",
    ],
}  # fmt: skip
"""Rows of each table, in order."""


def tables(stored: dict, step_two: list[dict]) -> str:
    """One table per group, mIoU in %; "random" is the mean of its draws in each run."""
    runs = [with_random(run["rows"]) for run in stored["runs"]]
    seeds = [str(run["seed"]) for run in stored["runs"]]
    text = ""
    for group, names in GROUPS.items():
        head = [group, *(f"seed {s}" for s in seeds), "mean ± sd", "no mask chose"]
        lines = []
        for name in (n for n in names if all(n in rows for rows in runs)):
            best = [100 * rows[name]["miou"] for rows in runs]
            free = [100 * rows[name]["label_free_miou"] for rows in runs]
            shown = name.removeprefix("anew: ")
            lines.append([shown, *(f"{v:.1f}" for v in best), spread(best), spread(free)])
        text += table(head, lines) + "\n"
    if step_two:
        beside = ("seed", "retraining_seconds")
        columns = [key for key in step_two[0] if key not in beside]
        lines = []
        for key in columns:
            values = [100 * row[key] for row in step_two if row[key] is not None]
            lines.append([key.replace("_", " "), spread(values)])
        text += table(["Step 2", "mean ± sd"], lines)
    return text


def with_random(rows: dict[str, dict]) -> dict[str, dict]:
    """Rows of one run, and the mean of its random draws as one more."""
    draws = [rows[f"random {draw}"] for draw in range(DRAWS)]
    mean = {
        key: float(np.mean([one[key] for one in draws]))
        for key in ("miou", "label_free_miou")
    }
    return rows | {"random": mean}


def read_step_two(path: Path) -> list[dict]:
    """Rows of the retraining results, where they have been computed."""
    return json.loads(path.read_text("utf8"))["rows"] if path.exists() else []


if __name__ == "__main__":
    main()
