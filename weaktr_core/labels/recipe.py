"""How scores become labels: the best class above a threshold, perhaps a CRF."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from skimage.filters import threshold_otsu

from weaktr_core.data.sample import IGNORE, DataError
from weaktr_core.labels.crf import CrfSettings, crf_on_labels
from weaktr_core.labels.sizes import WORKING_SIDE, at_most, enlarge, shrink


def best_class(scores: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label (k + 1) and score of the best class per pixel; 0 and -1 without classes."""
    if not len(classes):
        shape = scores.shape[1:]
        return np.zeros(shape, dtype=np.int64), np.full(shape, -1.0)
    index = scores.argmax(axis=0)
    score = np.take_along_axis(scores, index[None], axis=0)[0]
    return np.asarray(classes, dtype=np.int64)[index] + 1, score


def label_map(scores: np.ndarray, classes: np.ndarray, threshold: float) -> np.ndarray:
    """Label each pixel with its best class if that beats the background score.

    Ties go to the background: a score must be strictly above the threshold.

    Args:
        scores: (P, height, width), normalised maps of the classes present.
        classes: (P,), their indices k.
        threshold: background score.

    Returns:
        (height, width) uint8: 0 or k + 1.

    Raises:
        DataError: for a class whose id would not fit beside 255.
    """
    if len(classes) and classes.max() + 1 >= IGNORE:
        raise DataError(
            f"a mask holds ids 1 to {IGNORE - 1}, came class {classes.max() + 1}"
        )
    labels, score = best_class(scores, classes)
    return np.where(score > threshold, labels, 0).astype(np.uint8)


def label_free_threshold(cams: Iterable[np.ndarray]) -> float:
    """A background score for a whole dataset, chosen without any mask.

    Otsu's method on the pooled histogram of every pixel's best score: the value that
    splits the scores into two groups which differ most.

    Args:
        cams: scores (P, height, width) of one image after the other, in [0, 1].

    Source: Otsu 1979, as scikit-image computes it.
    """
    counts = np.zeros(256)
    for scores in cams:
        if len(scores):
            counts += np.histogram(scores.max(axis=0), bins=256, range=(0, 1))[0]
    if not counts.any():
        raise DataError("no CAM has a class: a threshold cannot be chosen")
    return float(threshold_otsu(hist=(counts, (np.arange(256) + 0.5) / 256)))


@dataclass(frozen=True)
class LabelRecipe:
    """How scores become labels.

    Attributes:
        threshold: background score.
        crf: refine by the photo; None to leave it.
        ignore_band: half width of a band of background scores around the threshold.
            The image is labelled at both ends; where the two differ it gets 255.
    """

    threshold: float
    crf: CrfSettings | None = None
    ignore_band: float = 0.0

    def __call__(
        self, image: np.ndarray, scores: np.ndarray, classes: np.ndarray
    ) -> np.ndarray:
        """Photo (height, width, 3), scores (P, height, width) → labels uint8.

        A CRF takes minutes and gigabytes for a photo of 12 megapixels, and its reach is
        in pixels: it works at 640 of the longer side, and its labels are enlarged.
        """
        if self.crf is not None:
            small = at_most(image, WORKING_SIDE)
            if small.shape != image.shape:
                labels = self(small, shrink(scores, small.shape[:2]), classes)
                return enlarge(labels, image.shape[:2])
        if not self.ignore_band:
            return self._label(image, scores, classes, self.threshold)
        low, high = (self.threshold + side * self.ignore_band for side in (-1, 1))
        generous = self._label(image, scores, classes, low)
        strict = self._label(image, scores, classes, high)
        return np.where(generous == strict, strict, IGNORE).astype(np.uint8)

    def _label(self, image, scores, classes, threshold: float) -> np.ndarray:
        labels = label_map(scores, classes, threshold)
        return labels if self.crf is None else crf_on_labels(image, labels, self.crf)
