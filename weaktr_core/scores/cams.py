"""How good is a CAM network? Tags answer for the logits, masks for the maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from tabulate import tabulate
from tqdm.auto import tqdm

from weaktr_core.data.batches import same_size_batches
from weaktr_core.data.sample import DataError, Sample, TaggedDataset
from weaktr_core.data.transforms import resize_short_side
from weaktr_core.labels.views import STAGES, View, infer_tagged
from weaktr_core.method.cams import normalise
from weaktr_core.method.grid import map_to_image
from weaktr_core.networks.cam import CamOutput, WeakTr
from weaktr_core.runtime import gather, log, own_share
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
        """Mean over classes, the honest meaning of "mAP"; NaN where no image has a tag."""
        return {
            name: float(np.nanmean(values)) if not np.isnan(values).all() else np.nan
            for name, values in self.ap.items()
        }

    @property
    def miou(self) -> dict[str, float]:
        """MIoU of each stage at its best threshold, which peeks at the masks."""
        return {stage: sweep.best_miou for stage, sweep in self.sweeps.items()}


def evaluate_cams(
    model: WeakTr,
    dataset: TaggedDataset,
    *,
    views: Sequence[View] = (View(),),
    eval_size: int | None = None,
    batch_size: int = 32,
    keep: int = 0,
    progress: bool = True,
) -> CamScores:
    """Run a CAM network over a dataset and score everything that can be scored.

    Several processes share the images, each image once, and all get all scores.

    Args:
        model: put in eval mode and back.
        dataset: with masks for the sweeps, without for AP and head weights only.
        views: scales and flips summed into each map; logits and head weights are
            those of the image as it is.
        eval_size: short side in pixels; None keeps the images as they are.
        batch_size: images of one size that go through together.
        keep: of how many images the maps are returned as they are.
        progress: show a bar.
    """
    counters = {stage: SweepCounter(THRESHOLDS, len(dataset.classes)) for stage in STAGES}
    seen: dict[int, Seen] = {}
    was_training = model.training
    model.eval()
    numbers = own_share(len(dataset))
    bar = tqdm(total=len(numbers), desc="evaluate", unit="image", disable=not progress)
    for batch in same_size_batches(dataset, batch_size, numbers):
        images = [resize_short_side(sample.image, eval_size) for _, sample in batch]
        tagged = [np.flatnonzero(sample.tags) for _, sample in batch]
        maps, output = infer_tagged(model, model.prepare(images), tagged, views)
        for place, (number, sample) in enumerate(batch):
            seen[number] = Seen.of(output, place, sample.tags, keep_maps=number < keep)
            for stage, raw in zip(STAGES, maps[place], strict=True):
                count_image(counters[stage], sample, raw, tagged[place])
        bar.update(len(batch))
    bar.close()
    model.train(was_training)
    return join(gather((seen, counters)))


@dataclass(frozen=True)
class Seen:
    """What is kept of one image: logits (3, K), tags (K,), head weights, perhaps maps."""

    logits: np.ndarray
    tags: np.ndarray
    head_weights: np.ndarray
    maps: np.ndarray | None

    @classmethod
    def of(cls, output: CamOutput, place: int, tags: np.ndarray, keep_maps: bool) -> Seen:
        """One image of a batch."""

        def stacked(names: Sequence[str]) -> np.ndarray:
            chosen = [getattr(output, name)[place].float() for name in names]
            return torch.stack(chosen).cpu().numpy()

        (weights,) = stacked(["head_weights"])
        return cls(stacked(LOGITS), tags, weights, stacked(STAGES) if keep_maps else None)


def join(parts: list[tuple[dict[int, Seen], dict[str, SweepCounter]]]) -> CamScores:
    """Scores of all images, from what each process saw, in the dataset's order."""
    together = {number: one for seen, _ in parts for number, one in seen.items()}
    images = [together[number] for number in sorted(together)]
    if not images:
        raise DataError("no images to evaluate: the split is empty")
    logits, tags = np.stack([one.logits for one in images], 1), [one.tags for one in images]
    sweeps = {}
    for stage in STAGES:
        first, *others = (counters[stage] for _, counters in parts)
        for other in others:
            first.add(other)
        if first.informed:
            sweeps[stage] = first.sweep
        elif first.images and stage == STAGES[0]:
            log.warning("the masks hold no pixel of any class: maps are not measured")
    return CamScores(
        ap={
            name: average_precision(logits[row], np.stack(tags))
            for row, name in enumerate(LOGITS)
        },
        sweeps=sweeps,
        head_weights=np.stack([one.head_weights for one in images]),
        maps=[one.maps for one in images if one.maps is not None],
    )


def count_image(
    counter: SweepCounter, sample: Sample, raw: torch.Tensor, classes: np.ndarray
) -> None:
    """Add one image's raw maps (P, height, width) to a sweep, at the mask's size."""
    if sample.mask is None:
        return
    height, width = sample.mask.shape
    if len(classes) and raw.shape[-2:] != (height, width):
        raw = map_to_image(raw[None], (height, width))[0]
    scores = normalise(raw).cpu().numpy() if len(classes) else np.zeros((0, height, width))
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
    stages = {}
    for stage, sweep in scores.sweeps.items():
        per_class = zip(["background", *classes], sweep.iou[sweep.best], strict=True)
        stages[stage] = dict(
            best_miou=sweep.best_miou,
            best_threshold=float(sweep.thresholds[sweep.best]),
            miou_at_threshold=None if threshold is None else miou_at(sweep, threshold),
            iou={name: float(v) for name, v in per_class if not np.isnan(v)},
        )
    mean_ap = {name: or_none(value) for name, value in scores.mean_ap.items()}
    return dict(mean_ap=mean_ap, threshold=threshold, stages=stages)


def or_none(value: float) -> float | None:
    """NaN, which JSON lacks, as null."""
    return None if np.isnan(value) else value


def miou_at(sweep: Sweep, threshold: float) -> float:
    """MIoU at the swept threshold nearest to one that was fixed before."""
    return float(sweep.miou[np.abs(sweep.thresholds - threshold).argmin()])
