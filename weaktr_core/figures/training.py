"""Curves, bars and head weights: how a training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from weaktr_core.figures.style import HEAT, LINES, new_axes, new_grid


def show_curves(
    curves: Mapping[str, Sequence[float]],
    *,
    x: Sequence[float] | None = None,
    xlabel: str = "epoch",
    ylabel: str = "",
    axes: Axes | None = None,
) -> Axes:
    """Named curves over a common axis, each labelled at its end."""
    axes = axes or new_axes()
    for colour, (name, values) in zip(LINES * 3, curves.items(), strict=False):
        places = np.arange(len(values)) if x is None else np.asarray(x)
        marker = "o" if len(places) < 20 else ""
        axes.plot(places, values, color=colour, marker=marker, markersize=4, label=name)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.legend(frameon=False, fontsize=8)
    return axes


def show_bars(
    values: Mapping[str, float], *, xlabel: str = "", axes: Axes | None = None
) -> Axes:
    """Horizontal bars, the first on top, each with its number."""
    axes = axes or new_axes(6.0, 0.6 + 0.3 * len(values))
    names = list(values)
    bars = axes.barh(names, [values[n] for n in names], color=LINES[0])
    axes.bar_label(bars, fmt="%.4g", padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(xlabel)
    return axes


def show_head_weights(
    weights: np.ndarray, title: str = "", axes: Axes | None = None, top: float | None = None
) -> Axes:
    """Head weights (L, H) as a table of colours: layers down, heads across.

    Args:
        weights: (L, H).
        title: above it.
        axes: to draw into.
        top: value of the brightest colour; give it to compare several tables.
    """
    axes = axes or new_axes(2.8, 4.2)
    top = top if top is not None else float(weights.max())
    shown = axes.imshow(weights, cmap=HEAT, vmin=0, vmax=top, aspect="auto")
    layers, heads = weights.shape
    axes.set_xticks(range(heads), [str(n + 1) for n in range(heads)], fontsize=7)
    axes.set_yticks(range(layers), [str(n + 1) for n in range(layers)], fontsize=7)
    axes.set_xlabel("head", fontsize=8)
    axes.set_ylabel("layer", fontsize=8)
    axes.set_title(title, fontsize=9)
    axes.axis("on")
    axes.figure.colorbar(shown, ax=axes, fraction=0.08)
    return axes


def show_head_weight_evolution(weights: np.ndarray) -> np.ndarray:
    """Head weights (epochs + 1, L, H) through the training, one scale for all."""
    axes = new_grid(1, len(weights), 2.0)[0]
    for epoch, one in enumerate(axes):
        title = "before" if epoch == 0 else f"epoch {epoch}"
        show_head_weights(weights[epoch], title, one, float(weights.max()))
    return axes
