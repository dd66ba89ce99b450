"""Pictures of masks: what is taken for what, which pixels stop teaching, what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from PIL import Image
from skimage.segmentation import find_boundaries

from weaktr_core.figures.fonts import drawable_names, plain_text
from weaktr_core.figures.maps import show_image
from weaktr_core.figures.style import HEAT, class_colours, new_axes, new_grid


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
    with plain_text():
        show_confusion(counts, drawable_names(classes))
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
    titles = ("picture", "label", "loss ℓ", "ℓ > λ: no gradient")
    for one, title in zip(axes, titles, strict=True):
        one.set_title(title, fontsize=10)
    return axes


def show_labelled(
    image: np.ndarray,
    labels: np.ndarray,
    legend: Mapping[int, str],
    axes: Axes | None = None,
) -> Axes:
    """A label map over its photo, the borders drawn, and below it what the colours mean.

    Args:
        image: (height, width, 3) uint8.
        labels: (height, width), 0 background; colours as in `style.class_colours`.
        legend: label → text.
        axes: to draw into.
    """
    axes = axes if axes is not None else new_grid(1, 1, 4.0)[0, 0]
    painted = 0.45 * image + 0.55 * class_colours(labels)
    shown = np.where((labels > 0)[..., None], painted, 0.7 * image + 0.3 * 255)
    border = find_boundaries(labels, mode="inner")
    shown = np.where(border[..., None], class_colours(labels), shown)
    show_image(shown.astype(np.uint8), axes=axes)
    colours = class_colours(np.array([list(legend)]))[0] / 255
    patches = [
        Patch(color=colour, label=text)
        for colour, text in zip(colours, legend.values(), strict=True)
    ]
    axes.legend(
        handles=patches, loc="upper left", bbox_to_anchor=(0, 0), frameon=False, fontsize=9
    )
    return axes


def save_overlay(
    image: np.ndarray, labels: np.ndarray, legend: Mapping[int, str], path: Path
) -> None:
    """Write `show_labelled` as a picture 900 pixels long, the folder made if need be."""
    factor = 900 / max(image.shape[:2])
    size = tuple(max(1, round(n * factor)) for n in image.shape[1::-1])
    image = np.asarray(Image.fromarray(image).resize(size))
    labels = np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))
    with plt.rc_context({"figure.figsize": (size[0] / 100, size[1] / 100)}):
        figure, axes = plt.subplots(facecolor="white")
        figure.subplots_adjust(0, 0, 1, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with plain_text():
        show_labelled(image, labels, legend, axes)
        figure.savefig(path, dpi=100, bbox_inches="tight", pad_inches=0.08)
    plt.close(figure)
