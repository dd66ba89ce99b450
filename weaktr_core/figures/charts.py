"""Comparisons that would otherwise be a list of numbers: points, parts, signed tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.transforms import Bbox

from weaktr_core.figures.style import LINES, SIGNED, colour_of, new_axes

HEIGHTS = (4, -12, 16, -24, 28)
"""Where a name may stand over its dot, in points."""

GREY = (0.299, 0.587, 0.114)
"""How bright red, green and blue look."""


def show_points(
    points: Mapping[str, tuple[float, float]],
    xlabel: str,
    ylabel: str,
    *,
    diagonal: bool = False,
) -> Axes:
    """Things with two scores each, named beside their dots.

    Args:
        points: name → (x, y).
        xlabel: what the first score is.
        ylabel: what the second is.
        diagonal: draw the line on which both are equal.
    """
    axes = new_axes(6.0, 4.2)
    places = np.array(list(points.values()), dtype=float)
    if diagonal:
        ends = [places.min(), places.max()]
        axes.plot(ends, ends, color="0.6", linestyle=":", zorder=0)
    for number, (name, (x, y)) in enumerate(points.items()):
        colour = colour_of(name, number)
        axes.plot(x, y, "o", color=colour, markersize=7)
        ink = 0.6 * np.array(to_rgb(colour))  # dark enough to read
        told = axes.annotate(
            name, (x, y), (8, 4), textcoords="offset points", fontsize=9, color=ink
        )
        # no line runs through a name
        told.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5})
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.margins(0.12)
    part_names(axes, places)
    return axes


def part_names(axes: Axes, places: np.ndarray) -> None:
    """Move each name beside its place (x, y) to where it covers no dot and no name."""
    axes.figure.canvas.draw()
    dots = axes.transData.transform(places)
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in dots]
    for text in axes.texts:
        for height, side in product(HEIGHTS, ("left", "right")):
            text.set(ha=side, position=(8 if side == "left" else -8, height))
            box = text.get_window_extent()
            inside = axes.bbox.x0 < box.x0 and box.x1 < axes.figure.bbox.x1
            if inside and not box.count_overlaps(taken):
                break
        taken.append(box)


def show_parts(
    parts: Mapping[str, Mapping[str, float]],
    xlabel: str = "share",
    colours: Mapping[str, str] | None = None,
) -> Axes:
    """What wholes are made of: a bar per whole, a piece per part, its share written in.

    Args:
        parts: whole → part → share in [0, 1]; all wholes have the same parts.
        xlabel: below the axis.
        colours: part → colour; default: the book's.
    """
    axes = new_axes(6.4, 1.0 + 0.42 * len(parts))
    names = list(next(iter(parts.values())))
    colours = colours or dict(zip(names, LINES, strict=False))
    left = np.zeros(len(parts))
    for name in names:
        width = np.array([whole[name] for whole in parts.values()])
        bars = axes.barh(list(parts), width, left=left, color=colours[name], label=name)
        texts = [f"{share:.0%}" if share >= 0.04 else "" for share in width]
        ink = "black" if np.dot(to_rgb(colours[name]), GREY) > 0.5 else "white"
        axes.bar_label(bars, texts, label_type="center", fontsize=8, color=ink)
        left += width
    axes.invert_yaxis()
    axes.set_xlabel(xlabel)
    axes.legend(
        frameon=False, fontsize=8, ncols=len(names), loc="lower left", bbox_to_anchor=(0, 1)
    )
    return axes


def show_signed(
    values: np.ndarray, rows: Sequence[str], columns: Sequence[str], label: str = ""
) -> Axes:
    """A table of signed numbers, as colour and text.

    Args:
        values: (rows, columns).
        rows: their names.
        columns: their names.
        label: of the colour bar; without one there is no bar.
    """
    axes = new_axes(2.2 + 0.42 * len(columns), 1.4 + 0.34 * len(rows))
    top = float(np.abs(values).max()) or 1.0
    shown = axes.imshow(values, cmap=SIGNED, vmin=-top, vmax=top, aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right", fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    form = "+.0f" if (values == np.round(values)).all() else "+.1f"
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if abs(value) > 0.65 * top else "black"
        text = f"{value:{form}}" if value else "0"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    if label:
        axes.figure.colorbar(shown, ax=axes, fraction=0.046, label=label)
    return axes


def show_spread(values: Sequence[float], xlabel: str, mark: float | None = None) -> Axes:
    """How often each value occurs: a histogram, a line at what it is compared with."""
    axes = new_axes(6.0, 2.8)
    axes.hist(values, bins=30, color=LINES[0])
    if mark is not None:
        axes.axvline(mark, color="0.3", linestyle=":")
    axes.set_xlabel(xlabel)
    axes.set_ylabel("how often")
    return axes
