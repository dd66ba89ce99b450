"""Pictures of step 2: what is taken for what, and which pixels stop teaching."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from weaktr_core.figures.style import HEAT, new_axes, new_grid


def show_confusion(counts: np.ndarray, classes: Sequence[str]) -> Axes:
    """Confusion matrix as shares of the true pixels of each class.

    Args:
        counts: (C, C) pixels, rows the truth, columns the prediction.
        classes: C names, background first.
    """
    kept = np.flatnonzero(counts.sum(axis=1) + counts.sum(axis=0))
    counts = counts[np.ix_(kept, kept)]
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.5 + 0.35 * len(kept)
    axes = new_axes(side, side)
    axes.imshow(share, cmap=HEAT, vmin=0, vmax=1)
    names = [classes[int(k)] for k in kept]
    axes.set_xticks(range(len(kept)), names, rotation=60, ha="right")
    axes.set_yticks(range(len(kept)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for (row, column), value in np.ndenumerate(share):
        if value >= 0.005:
            colour = "black" if value > 0.6 else "white"
            text = f"{100 * value:.0f}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    return axes


def save_confusion(counts: np.ndarray, classes: Sequence[str], path: Path) -> None:
    """Write `show_confusion` as a picture."""
    show_confusion(counts, classes)
    plt.savefig(path, dpi=120)
    plt.close()


def show_clipping(
    image: np.ndarray, labels: np.ndarray, raw: np.ndarray, clipped: np.ndarray
) -> np.ndarray:
    """Photo, its noisy label, its loss, and the pixels that stopped teaching.

    Args:
        image: (height, width, 3) uint8.
        labels: (height, width, 3), the noisy mask in colours.
        raw, clipped: (height, width), losses of each pixel.

    Returns:
        The four axes.
    """
    axes = new_grid(1, 4)[0]
    top = float(raw.max()) or 1.0
    axes[0].imshow(image)
    axes[1].imshow(labels)
    axes[2].imshow(raw, cmap=HEAT, vmin=0, vmax=top)
    axes[3].imshow(clipped < raw, cmap="gray", vmin=0, vmax=1)
    titles = ("photo", "label", "loss ℓ", "ℓ > λ: no gradient")
    for one, title in zip(axes, titles, strict=True):
        one.set_title(title, fontsize=10)
    return axes
