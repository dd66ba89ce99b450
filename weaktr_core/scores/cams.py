"""How good is a CAM network? Tags answer for the logits, masks for the maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from tabulate import tabulate
from tqdm.auto import tqdm

from weaktr_core.data.sample import Sample, TaggedDataset
from weaktr_core.data.transforms import resize_short_side
from weaktr_core.labels.views import (
    STAGES,
    View,
    infer_cams,
    same_size_batches,
    tagged_scores,
)
from weaktr_core.method.grid import map_to_image
from weaktr_core.networks.cam import WeakTr
from weaktr_core.scores.metrics import (
    THRESHOLDS,
    ScoredImage,
    Sweep,
    SweepCounter,
    average_precision,
)
from weaktr_core.scores.tables import iou_table

LOGITS = ("class_logits", "coarse_logits", "fine_logits")


@dataclass(frozen=True)
class CamScores:
    """Scores of a CAM network on a dataset.

    Attributes:
        ap: {logits name: (K,) average precision per class}, tags only.
        sweeps: {stage: `Sweep`}, every threshold against the masks; empty where the
            dataset has none. The tags of each image are given, as for training images.
        head_weights: (images, L, H) in dataset order.
        maps: (stages, K, h, w) of the first images, patch by patch, of one view.
    """

    ap: dict[str, np.ndarray]
    sweeps: dict[str, Sweep]
    head_weights: np.ndarray
    maps: list[np.ndarray] = field(default_factory=list)

    @property
    def mean_ap(self) -> dict[str, float]:
        """Mean over classes; per-class AP is the honest meaning of "mAP"."""
        return {name: float(np.nanmean(values)) for name, values in self.ap.items()}

    @property
    def miou(self) -> dict[str, float]:
        """MIoU of each stage at its best threshold, which peeks at the masks."""
        return {stage: sweep.best_miou for stage, sweep in self.sweeps.items()}


def evaluate_cams(
    model: WeakTr,
    dataset: TaggedDataset,
    *,
    views: Sequence[View] = (View(),),
    stages: Sequence[str] = STAGES,
    eval_size: int | None = None,
    batch_size: int = 32,
    keep: int = 0,
    progress: bool = True,
) -> CamScores:
    """Run a CAM network over a dataset and score everything that can be scored.

    Args:
        model: put in eval mode and back.
        dataset: with masks for the sweeps, without for AP and head weights only.
        views: scales and flips summed into each map; logits and head weights are
            those of the image as it is.
        stages: which maps.
        eval_size: short side in pixels; None keeps the images as they are.
        batch_size: images of one size that go through together.
        keep: of how many images the maps are returned as they are.
        progress: show a bar.
    """
    counters = {s: SweepCounter(THRESHOLDS, len(dataset.classes)) for s in stages}
    logits: dict[str, list] = {name: [] for name in LOGITS}
    tags: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    kept: list[np.ndarray] = []
    was_training = model.training
    model.eval()
    bar = tqdm(total=len(dataset), desc="evaluate", unit="image", disable=not progress)
    samples = iter(dataset)
    for batch in same_size_batches(samples, batch_size):
        images = [resize_short_side(sample.image, eval_size) for sample in batch]
        maps, output = infer_cams(model, model.prepare(images), views, stages)
        for name in LOGITS:
            logits[name].append(getattr(output, name).float().cpu().numpy())
        weights.append(output.head_weights.float().cpu().numpy())
        raw_maps = torch.stack([getattr(output, stage).float() for stage in stages], 1)
        kept.extend(raw_maps[: keep - len(kept)].cpu().numpy() if len(kept) < keep else [])
        tags.extend(sample.tags for sample in batch)
        for stage in stages:
            for sample, raw in zip(batch, maps[stage], strict=True):
                count_image(counters[stage], sample, raw)
        bar.update(len(batch))
    bar.close()
    model.train(was_training)
    truth = np.stack(tags)
    return CamScores(
        ap={n: average_precision(np.concatenate(v), truth) for n, v in logits.items()},
        sweeps={s: c.sweep for s, c in counters.items() if c.informed},
        head_weights=np.concatenate(weights),
        maps=kept,
    )


def count_image(counter: SweepCounter, sample: Sample, raw: torch.Tensor) -> None:
    """Add one image's raw maps (K, height, width) to a sweep, at the mask's size."""
    if sample.mask is None:
        return
    height, width = sample.mask.shape
    if raw.shape[-2:] != (height, width):
        raw = map_to_image(raw[None], (height, width))[0]
    scores, classes = tagged_scores(raw, sample.tags)
    counter.update(ScoredImage(scores, classes, sample.mask))


def scores_as_text(
    scores: CamScores, classes: Sequence[str], threshold: float | None = None
) -> str:
    """Tables for a terminal: each stage, then each class."""
    precision = [(name, 100 * value) for name, value in scores.mean_ap.items()]
    head = ["tag scores", "mean average precision, %"]
    parts = [tabulate(precision, head, floatfmt=".1f")]
    if not scores.sweeps:
        return "\n".join([*parts, "no masks: maps were not measured"])
    head = ["maps", "best mIoU, %", "at threshold"]
    rows = [
        [name, 100 * sweep.best_miou, f"{sweep.thresholds[sweep.best]:.2f}"]
        for name, sweep in scores.sweeps.items()
    ]
    if threshold is not None:
        head.append(f"mIoU at {threshold:g}, %")
        for row, sweep in zip(rows, scores.sweeps.values(), strict=True):
            row.append(100 * miou_at(sweep, threshold))
    parts.append(tabulate(rows, head, floatfmt=("", ".1f", ".2f", ".1f")))
    parts.append("the best threshold was chosen with these very masks")
    stage, sweep = list(scores.sweeps.items())[-1]
    parts.append(f"IoU of {stage} at its best threshold, %")
    return "\n\n".join([*parts, iou_table(classes, sweep.iou[sweep.best])])


def scores_as_json(
    scores: CamScores, classes: Sequence[str], threshold: float | None = None
) -> dict:
    """The same numbers, all of them, as fractions."""
    # JSON has no NaN: null where no image has a class
    mean_ap = {n: None if np.isnan(v) else v for n, v in scores.mean_ap.items()}
    stages = {}
    for stage, sweep in scores.sweeps.items():
        per_class = zip(["background", *classes], sweep.iou[sweep.best], strict=True)
        stages[stage] = dict(
            best_miou=sweep.best_miou,
            best_threshold=float(sweep.thresholds[sweep.best]),
            miou_at_threshold=None if threshold is None else miou_at(sweep, threshold),
            iou={name: float(v) for name, v in per_class if not np.isnan(v)},
        )
    return dict(mean_ap=mean_ap, threshold=threshold, stages=stages)


def miou_at(sweep: Sweep, threshold: float) -> float:
    """MIoU at the swept threshold nearest to one that was fixed before."""
    return float(sweep.miou[np.abs(sweep.thresholds - threshold).argmin()])
