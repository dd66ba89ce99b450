"""Large photos are worked on small, and their masks given back large."""

from __future__ import annotations

import numpy as np
from PIL import Image

WORKING_SIDE = 640
"""Pixels of the longer side; the CRF's reach is meant for such photos."""


def at_most(photo: np.ndarray, side: int) -> np.ndarray:
    """Shrink a photo whose longer side has more pixels."""
    height, width = photo.shape[:2]
    if max(height, width) <= side:
        return photo
    factor = side / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    # a copy, since the CRF refuses the read-only view that np.asarray would give
    return np.array(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC))


def shrink(scores: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scores (P, height, width) at a smaller (height, width), averaged."""
    if scores.shape[1:] == size or not len(scores):
        return scores if len(scores) else np.zeros((0, *size), np.float32)
    layers = (Image.fromarray(layer) for layer in scores.astype(np.float32))
    bilinear = Image.Resampling.BILINEAR
    return np.stack([np.asarray(it.resize(size[::-1], bilinear)) for it in layers])


def enlarge(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A label map at another (height, width): each label is stretched softly, best wins."""
    if labels.shape == size:
        return labels
    result, best = np.zeros(size, np.uint8), np.full(size, -1, np.int16)
    for label in np.unique(labels):
        area = Image.fromarray((labels == label).astype(np.uint8) * 255)
        value = np.asarray(area.resize(size[::-1], Image.Resampling.BILINEAR), np.int16)
        result, best = np.where(value > best, label, result), np.maximum(value, best)
    return result.astype(np.uint8)
