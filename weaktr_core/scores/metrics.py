"""Scores: confusion matrices, IoU, average precision, every threshold in one pass.

Class 0 is background, class ``k + 1`` is class k of the tags; 255 never counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from weaktr_core.data.sample import IGNORE
from weaktr_core.labels.recipe import best_class


class ConfusionMatrix:
    """Pixel counts by (true class, predicted class), added up image by image.

    Attributes:
        counts: (C, C) int64, rows the truth, columns the prediction.
    """

    def __init__(self, num_classes: int):
        self.counts = np.zeros((num_classes, num_classes), dtype=np.int64)

    def update(self, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Count the pixels of one label map, (height, width) each; 255 is ignored.

        Raises:
            ValueError: where the sizes differ or a label is no class.
        """
        if truth.shape != prediction.shape:
            raise ValueError(f"mask is {truth.shape}, prediction {prediction.shape}")
        counted = truth != IGNORE
        pairs = truth[counted].astype(np.int64), prediction[counted].astype(np.int64)
        size = len(self.counts)
        if pairs[0].size and max(pairs[0].max(), pairs[1].max()) >= size:
            raise ValueError(f"label {max(p.max() for p in pairs)} of {size} classes")
        flat = np.bincount(pairs[0] * size + pairs[1], minlength=size * size)
        self.counts += flat.reshape(size, size)

    @property
    def informed(self) -> bool:
        """Whether some true pixel shows a class: background alone measures nothing.

        Masks of 0 and 255, which other tools draw of one class, are background and
        "do not count" here: whatever is predicted as background would be perfect.
        """
        return bool(self.counts[1:].any())

    @property
    def iou(self) -> np.ndarray:
        """(C,) intersection over union; NaN for classes neither there nor predicted."""
        return iou(self.counts)

    @property
    def miou(self) -> float:
        """Mean of `iou` over the classes that occur."""
        return float(np.nanmean(self.iou))


def iou(counts: np.ndarray) -> np.ndarray:
    """IoU (..., C) of confusion matrices (..., C, C); NaN where a class never occurs."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1).astype(float)
    union = counts.sum(axis=-1) + counts.sum(axis=-2) - hits
    return np.divide(hits, union, out=np.full(hits.shape, np.nan), where=union > 0)


def average_precision(scores: np.ndarray, tags: np.ndarray) -> np.ndarray:
    """Average precision of each class over all images.

    AP = Σ (recall_n − recall_{n−1}) · precision_n over the distinct scores, largest
    first; equal to scikit-learn's ``average_precision_score`` per class. (The "mAP"
    printed by the official code averages over classes within each image.)

    Args:
        scores: (images, K), any monotone score.
        tags: (images, K), 0 or 1.

    Returns:
        (K,); NaN for a class that no image has.
    """
    return np.array([_one_class_ap(s, t) for s, t in zip(scores.T, tags.T, strict=True)])


def _one_class_ap(scores: np.ndarray, tags: np.ndarray) -> float:
    if not tags.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    scores, found = scores[order], np.cumsum(tags[order] > 0)
    last_of_score = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    found = found[last_of_score]
    precision, recall = found / (last_of_score + 1), found / found[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def per_image_average_precision(scores: np.ndarray, tags: np.ndarray) -> float:
    """The official code's "mAP": AP over the classes of each image, then averaged."""
    return float(np.nanmean(average_precision(scores.T, tags.T)))


class ScoredImage(NamedTuple):
    """Class scores of an image beside its mask.

    Attributes:
        scores: (P, height, width), in [0, 1], of the classes that may occur.
        classes: (P,) their indices k, counted without background.
        mask: (height, width), 0 background, k + 1, 255.
    """

    scores: np.ndarray
    classes: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True)
class Sweep:
    """Scores of every threshold.

    Attributes:
        thresholds: (T,) background scores.
        counts: (T, C, C) confusion matrices, C = K + 1.
    """

    thresholds: np.ndarray
    counts: np.ndarray

    @property
    def iou(self) -> np.ndarray:
        """(T, C)."""
        return iou(self.counts)

    @property
    def miou(self) -> np.ndarray:
        """(T,)."""
        return np.nanmean(self.iou, axis=-1)

    @property
    def best(self) -> int:
        """Index of the best threshold. Choosing by it peeks at masks."""
        return int(np.argmax(self.miou))

    @property
    def best_miou(self) -> float:
        """The best of `miou`."""
        return float(self.miou[self.best])


THRESHOLDS = np.linspace(0.0, 1.0, 101)


class SweepCounter:
    """Counts for all thresholds at once, image by image; nothing else is kept.

    A pixel's label is its best class where that score is *strictly* above the
    threshold, else background. So it is enough to know, per pixel, the true class, the
    best class, and how many thresholds its score beats; counting those and summing
    from the top gives every threshold. (The official code walks from 0.40 in steps of
    0.01 and stops at the first fall; that can miss the maximum.)
    """

    def __init__(self, thresholds: np.ndarray, num_classes: int):
        size = num_classes + 1
        self.thresholds, self.images = np.asarray(thresholds), 0
        # beaten[truth, best, n]: pixels whose best score beats exactly n thresholds
        self.beaten = np.zeros((size, size, len(thresholds) + 1), dtype=np.int64)

    def update(self, image: ScoredImage) -> None:
        """Count one image."""
        best, score = best_class(image.scores, image.classes)
        if best.shape != image.mask.shape:
            raise ValueError(f"mask is {image.mask.shape}, scores are {best.shape}")
        count = np.searchsorted(self.thresholds, score, side="left")
        kept = image.mask != IGNORE
        size, _, bins = self.beaten.shape
        if (largest := image.mask[kept].max(initial=0)) >= size:
            raise ValueError(f"mask holds id {largest}, the last class is {size - 1}")
        cell = (image.mask[kept].astype(np.int64) * size + best[kept]) * bins
        flat = np.bincount(cell + count[kept], minlength=self.beaten.size)
        self.beaten += flat.reshape(self.beaten.shape)
        self.images += 1

    def add(self, other: SweepCounter) -> None:
        """Count what another counter has counted."""
        self.beaten += other.beaten
        self.images += other.images

    @property
    def informed(self) -> bool:
        """As `ConfusionMatrix.informed`."""
        return bool(self.beaten[1:].any())

    @property
    def sweep(self) -> Sweep:
        """The confusion matrices so far."""
        beaten = self.beaten
        # foreground at the n-th threshold: every pixel that beats more than n of them
        below = np.cumsum(beaten, axis=-1)[..., :-1]
        counts = np.moveaxis(beaten.sum(axis=-1)[..., None] - below, -1, 0)  # (T, C, C)
        counts[:, :, 0] += beaten.sum(axis=(1, 2)) - counts.sum(axis=-1)
        return Sweep(self.thresholds, counts)


def threshold_sweep(
    images: Iterable[ScoredImage],
    thresholds: np.ndarray = THRESHOLDS,
    *,
    num_classes: int,
) -> Sweep:
    """Exact scores of all thresholds in one pass, see `SweepCounter`.

    Args:
        images: one `ScoredImage` after the other.
        thresholds: (T,), rising.
        num_classes: K, without background.
    """
    counter = SweepCounter(thresholds, num_classes)
    for image in images:
        counter.update(image)
    return counter.sweep
