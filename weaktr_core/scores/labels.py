"""How good are CAM files and pseudo-masks? Measured after they are made, from the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from weaktr_core.data.files import check_size, read_mask
from weaktr_core.data.sample import IGNORE, TaggedDataset
from weaktr_core.labels.files import read_cam
from weaktr_core.scores.metrics import (
    THRESHOLDS,
    ConfusionMatrix,
    ScoredImage,
    Sweep,
    SweepCounter,
)


def sweep_cams(dataset: TaggedDataset, cams: Path) -> Sweep | None:
    """Every threshold against the true masks, which is peeking; None if they show none."""
    counter = SweepCounter(THRESHOLDS, len(dataset.classes))
    for sample in tqdm(dataset, desc="sweep", unit="image"):
        if sample.mask is not None:
            scores, classes = read_cam(cams / f"{sample.name}.npz")
            counter.update(ScoredImage(scores, classes, sample.mask))
    return counter.sweep if counter.informed else None


def measure_masks(dataset: TaggedDataset, folder: Path) -> ConfusionMatrix | None:
    """Counts of pseudo-masks against the true ones; None where these show no class.

    255 of a pseudo-mask counts as background.

    Args:
        dataset: images and, for those that count, true masks.
        folder: of ``NAME.png``.

    Returns:
        None where no true mask has a pixel of a class.
    """
    matrix = ConfusionMatrix(len(dataset.classes) + 1)
    for sample in tqdm(dataset, desc="measure", unit="image"):
        if sample.mask is not None:
            path = folder / f"{sample.name}.png"
            labels = check_size(read_mask(path), sample.image, path)
            matrix.update(sample.mask, np.where(labels == IGNORE, 0, labels))
    return matrix if matrix.informed else None
