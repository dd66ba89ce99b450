"""Dense CRF: neighbours that look alike should get the same label."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import numpy as np

from weaktr_core.errors import WeakTrError


@dataclass(frozen=True)
class CrfSettings:
    """Two pairwise terms, and how far the labels that go in are trusted.

    Attributes:
        gauss_xy: reach of the smoothing term, pixels.
        gauss_weight: its weight.
        bilateral_xy: reach of the colour term in the image, pixels.
        bilateral_rgb: its reach in colour, grey levels.
        bilateral_weight: its weight.
        iterations: of mean-field inference.
        confidence: probability that a hard label is right.
    """

    gauss_xy: float = 3
    gauss_weight: float = 3
    bilateral_xy: float = 83
    bilateral_rgb: float = 5
    bilateral_weight: float = 3
    iterations: int = 10
    confidence: float = 0.7


CRF_PRESETS = {
    "voc-cam": CrfSettings(),
    "coco-cam": CrfSettings(bilateral_xy=50, bilateral_weight=10),
    "voc-seg": CrfSettings(),
    "coco-seg": CrfSettings(
        gauss_xy=1, bilateral_xy=67, bilateral_rgb=3, bilateral_weight=4
    ),
}
"""Published settings, for pseudo-masks (cam) and for predictions (seg)."""


class CrfUnavailableError(WeakTrError):
    """The CRF library is not installed: one line that says what to do."""


def crf_available() -> bool:
    """Whether ``pydensecrf2`` is installed."""
    return importlib.util.find_spec("pydensecrf") is not None


def require_crf() -> None:
    """Raise `CrfUnavailableError` where ``pydensecrf2`` is missing."""
    if not crf_available():
        raise CrfUnavailableError(
            "the CRF needs pydensecrf2, which is built with a C compiler: "
            "pip install pydensecrf2, or go without (--crf none)"
        )


def crf_on_labels(
    image: np.ndarray, labels: np.ndarray, settings: CrfSettings
) -> np.ndarray:
    """Refine hard labels by the photo; an image with a single label comes back as is.

    Each pixel is taken to have its label with probability ``confidence``, the other
    labels of the image share the rest.

    Args:
        image: (height, width, 3) uint8.
        labels: (height, width) uint8, class ids; 255 gives a pixel no opinion.
        settings: of the CRF.

    Returns:
        (height, width) uint8, without 255.
    """
    present = np.unique(labels[labels != 255])
    if len(present) < 2:
        return np.full_like(labels, present[0] if len(present) else 0)
    count = len(present)
    hard = labels[None] == present[:, None, None]  # (P, height, width)
    rest = (1 - settings.confidence) / (count - 1)
    probability = np.where(hard, settings.confidence, rest)
    probability[:, labels == 255] = 1 / count
    refined = crf_on_probabilities(image, probability, settings)
    return present[refined.argmax(axis=0)].astype(np.uint8)


def crf_on_probabilities(
    image: np.ndarray, probability: np.ndarray, settings: CrfSettings
) -> np.ndarray:
    """Refine class probabilities by the photo.

    Args:
        image: (height, width, 3) uint8.
        probability: (P, height, width), summing to 1 over P.
        settings: of the CRF.

    Returns:
        (P, height, width) float32, summing to 1 over P.

    Raises:
        CrfUnavailableError: where ``pydensecrf2`` is missing.
    """
    require_crf()
    from pydensecrf.densecrf import DenseCRF2D
    from pydensecrf.utils import unary_from_softmax

    classes, height, width = probability.shape
    field = DenseCRF2D(width, height, classes)
    energy = unary_from_softmax(np.ascontiguousarray(probability, dtype=np.float32))
    field.setUnaryEnergy(np.array(energy, order="C"))
    field.addPairwiseGaussian(sxy=settings.gauss_xy, compat=settings.gauss_weight)
    field.addPairwiseBilateral(
        sxy=settings.bilateral_xy,
        srgb=settings.bilateral_rgb,
        rgbim=np.array(image, order="C"),  # a copy: the library refuses read-only photos
        compat=settings.bilateral_weight,
    )
    refined = np.asarray(field.inference(settings.iterations), dtype=np.float32)
    return refined.reshape(classes, height, width)
