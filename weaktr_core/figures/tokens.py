"""Class tokens: who answers for whom, and how their attention is divided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from weaktr_core.figures.style import HEAT, new_axes, new_grid

PARTS = {"own object": "#0072b2", "other objects": "#e69f00", "ground": "#b8b8b8"}
"""Where attention can lie, and its colour; the explorer of class tokens uses the same."""


def show_by_class(
    values: np.ndarray, classes: Sequence[str], xlabel: str = "", ylabel: str = ""
) -> Axes:
    """One number for every pair of classes, as colour and text.

    Args:
        values: (K, K) in [0, 1].
        classes: K names.
        xlabel: what the columns are.
        ylabel: what the rows are.
    """
    side = 2.0 + 0.36 * len(classes)
    axes = new_axes(side, side)
    axes.imshow(values, cmap=HEAT, vmin=0, vmax=1)
    places = range(len(classes))
    axes.set_xticks(places, classes, rotation=60, ha="right", fontsize=8)
    axes.set_yticks(places, classes, fontsize=8)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    for (row, column), value in np.ndenumerate(values):
        colour = "black" if value > 0.6 else "white"
        text = f"{100 * value:.0f}"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    return axes


def show_shares(shares: Mapping[str, np.ndarray], even: Sequence[float]) -> np.ndarray:
    """How attention is divided, layer by layer; one panel per stage.

    Args:
        shares: {stage: (L, 3)}, on the own object, on others, on the ground; rows sum
            to 1.
        even: the first two shares of a token that looks at every patch alike, drawn as
            dotted lines.
    """
    panels = new_grid(1, len(shares), 3.6)[0]
    for axes, (stage, values) in zip(panels, shares.items(), strict=True):
        layers, bottom = np.arange(1, len(values) + 1), np.zeros(len(values))
        for part, (name, colour) in zip(values.T, PARTS.items(), strict=True):
            axes.bar(layers, part, bottom=bottom, color=colour, label=name, width=0.9)
            bottom = bottom + part
        for level in np.cumsum(even):
            axes.axhline(level, color="black", linestyle=":", linewidth=1)
        axes.axis("on")
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(stage, fontsize=9)
        axes.set_xticks(layers)
        axes.set_xlabel("layer")
        axes.set_ylabel("share of the attention on patches")
    handles, names = panels[0].get_legend_handles_labels()
    panels[0].figure.legend(handles, names, fontsize=8, ncols=3, frameon=False,
                            loc="lower center", bbox_to_anchor=(0.5, -0.06))  # fmt: skip
    return panels
