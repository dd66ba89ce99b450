"""One look for the whole book: a palette for classes, a colormap for heat, a ground."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

HEAT = "magma"
"""Every heat map: perceptually even, readable in grey and without red-green vision."""

SIGNED = "RdBu_r"
"""Every map of signed numbers: red above zero, blue below, white at zero."""

PALETTE = np.array(
    [
        (0, 0, 0),
        (230, 159, 0),
        (86, 180, 233),
        (0, 158, 115),
        (240, 228, 66),
        (0, 114, 178),
        (213, 94, 0),
        (102, 238, 221),
        (136, 34, 85),
        (170, 170, 80),
        (102, 102, 204),
    ],
    dtype=np.uint8,
)
"""(11, 3): background and ten classes; the first seven are Okabe and Ito's."""

LINES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
"""Colours of curves, from the same family."""

NAMES = {
    "coarse_cam": "coarse CAM",
    "cross_attention": "cross-attention map",
    "cam": "product",
    "fine_cam": "fine CAM",
    "class_logits": "class tokens",
    "coarse_logits": "coarse CAM",
    "fine_logits": "fine CAM",
}
"""What maps and answers are called where people read; keys as in `CamOutput`."""

COLOURS = {
    "coarse CAM": LINES[0],
    "cross-attention map": LINES[1],
    "class tokens": LINES[1],
    "product": LINES[2],
    "fine CAM": LINES[3],
}
"""The colour that a map, or the answer read off it, has in every figure."""

PAGE = 6.8
"""Inches of a figure that fills the column of a page; a wider one is shown smaller."""


def colour_of(name: str, number: int) -> str:
    """The colour of a curve or dot: that of what it shows, else that of its place."""
    return COLOURS.get(name, LINES[number % len(LINES)])


def set_title(axes: Axes, title: str) -> None:
    """A title that stays legible where the page shows a wide figure smaller."""
    spec, width = axes.get_subplotspec(), axes.figure.bbox.width / axes.figure.dpi
    panel = width / (spec.get_gridspec().ncols if spec else 1)
    fits = 120 * panel / max(len(title), 1)  # points; a sign is about 0.6 of them wide
    axes.set_title(title, fontsize=max(9.0, min(9 * width / PAGE, fits)))


def new_axes(width: float = 6.0, height: float = 3.6) -> Axes:
    """One pair of axes on a white ground, so that it reads in dark mode too."""
    _, axes = plt.subplots(figsize=(width, height), facecolor="white", layout="tight")
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def new_grid(
    rows: int, columns: int, side: float = 1.9, gap: float = 0.25, aspect: float = 1.0
) -> np.ndarray:
    """(rows, columns) axes for pictures, without frames.

    ``side`` is the width of a picture in inches, ``aspect`` its height over its width.
    """
    size = (columns * side, rows * (side * aspect + gap))
    _, axes = plt.subplots(
        rows, columns, figsize=size, facecolor="white", squeeze=False, layout="tight"
    )
    for one in axes.flat:
        one.axis("off")
    return axes


def class_colours(labels: np.ndarray) -> np.ndarray:
    """Label map (height, width) → colours (height, width, 3); 255 becomes white."""
    colours = PALETTE[np.where(labels == 255, 0, 1 + (labels.astype(int) - 1) % 10)]
    colours = np.where((labels == 0)[..., None], 0, colours)
    return np.where((labels == 255)[..., None], 255, colours).astype(np.uint8)
