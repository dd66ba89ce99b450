"""Curves, bars and head weights: how a training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from weaktr_core.figures.style import (
    HEAT,
    LINES,
    NAMES,
    SIGNED,
    colour_of,
    new_axes,
    new_grid,
)


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
    for number, (name, values) in enumerate(curves.items()):
        colour = colour_of(name, number)
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
    texts = [f"{v:,.0f}" if abs(v) >= 100 else f"{v:.3g}" for v in values.values()]
    axes.bar_label(bars, texts, padding=3, fontsize=8)
    if min(values.values()) < 0:
        axes.margins(x=0.2)  # room for numbers beside the names
    axes.invert_yaxis()
    axes.set_xlabel(xlabel)
    return axes


def show_ablation(
    values: Mapping[str, Sequence[float]],
    *,
    reference: str | None = None,
    xlabel: str = "mIoU, %",
    least: float = 2.0,
    axes: Axes | None = None,
) -> Axes:
    """One line per variant: a dot for every seed, a tick at their mean, a bar of ± sd.

    Args:
        values: scores of each variant, one per seed, the first variant on top. The
            standard deviation is that of a sample; a single seed has no bar.
        reference: the variant whose mean is drawn through all lines.
        xlabel: below the axis.
        least: width of the axis at least, so that tenths of a point look like tenths.
        axes: to draw into.
    """
    axes = axes or new_axes(6.4, 0.9 + 0.32 * len(values))
    for place, scores in enumerate(values.values()):
        mean = float(np.mean(scores))
        if len(scores) > 1:
            spread = float(np.std(scores, ddof=1))
            ends = [mean - spread, mean + spread]
            axes.plot(ends, [place] * 2, color=LINES[5], lw=7, solid_capstyle="butt")
        axes.plot(mean, place, "|", color="black", markersize=11, markeredgewidth=1.5)
        axes.plot(scores, [place] * len(scores), "o", color=LINES[1], markersize=4)
    if reference is not None:
        axes.axvline(
            float(np.mean(values[reference])), color="0.6", linestyle=":", zorder=0
        )
    axes.set_yticks(range(len(values)), list(values), fontsize=8)
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.set_xlabel(xlabel)
    low, high = axes.get_xlim()
    if high - low < least:
        axes.set_xlim((low + high - least) / 2, (low + high + least) / 2)
    return axes


def show_head_weights(
    weights: np.ndarray, title: str = "", axes: Axes | None = None, top: float | None = None
) -> Axes:
    """Head weights (L, H) as a table of colours: layers down, heads across.

    Args:
        weights: (L, H); where one is below zero, white is zero.
        title: above it.
        axes: to draw into.
        top: value of the brightest colour; give it to compare several tables.
    """
    axes = axes or new_axes(2.8, 4.2)
    top = top if top is not None else float(np.abs(weights).max())
    cmap, least = (SIGNED, -top) if weights.min() < 0 else (HEAT, 0.0)
    shown = axes.imshow(weights, cmap=cmap, vmin=least, vmax=top, aspect="auto")
    layers, heads = weights.shape
    axes.set_xticks(range(heads), [str(n + 1) for n in range(heads)], fontsize=7)
    axes.set_yticks(range(layers), [str(n + 1) for n in range(layers)], fontsize=7)
    axes.set_xlabel("head", fontsize=8)
    axes.set_ylabel("layer", fontsize=8)
    axes.set_title(title, fontsize=9)
    axes.axis("on")
    axes.figure.colorbar(shown, ax=axes, fraction=0.08).ax.tick_params(labelsize=7)
    return axes


def show_head_weight_evolution(weights: np.ndarray) -> np.ndarray:
    """Head weights (epochs + 1, L, H) through the training, one scale for all."""
    axes = new_grid(1, len(weights), 2.0)[0]
    for epoch, one in enumerate(axes):
        title = "before" if epoch == 0 else f"epoch {epoch}"
        show_head_weights(weights[epoch], title, one, float(weights.max()))
    return axes


def show_losses(history: Sequence[Mapping[str, Any]], axes: Axes | None = None) -> Axes:
    """The three tag losses by epoch, beside what "perhaps" to every question costs.

    Args:
        history: lines of `weaktr_core.train.runs.Run.history`; epoch 0 has no losses.
        axes: to draw into.

    Raises:
        ValueError: if no epoch was trained yet.
    """
    lines = [line for line in history if line["losses"]]
    if not lines:
        raise ValueError("no losses to show: the history has no trained epoch")
    names = {"class_token": "class tokens", "coarse": "coarse CAM", "fine": "fine CAM"}
    curves = {text: [line["losses"][n] for line in lines] for n, text in names.items()}
    axes = axes or new_axes()
    axes.axhline(np.log(2), color="0.6", linestyle=":", label="ln 2")
    epochs = [line["epoch"] for line in lines]
    show_curves(curves, x=epochs, ylabel="mean loss of the epoch", axes=axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    return axes


def show_cam_curve(history: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Two panels by epoch: the mIoU of each stage's maps, the tag score of each answer.

    Epochs that were not evaluated are left out.

    Args:
        history: lines of `weaktr_core.train.runs.Run.history`.

    Returns:
        (2,) axes: mIoU, average precision; both in per cent.

    Raises:
        ValueError: if no line has map scores, which need a dataset with masks.
    """
    lines = [line for line in history if line.get("miou")]
    if not lines:
        raise ValueError("no map scores to show: the history was made without masks")
    panels = new_grid(1, 2, 3.9)[0]
    groups = (("miou", "mIoU of the maps, %"), ("mean_ap", "mean average precision, %"))
    for axes, (group, label) in zip(panels, groups, strict=True):
        curves = {
            NAMES.get(name, name): [100 * line[group][name] for line in lines]
            for name in lines[-1][group]
        }
        axes.axis("on")
        axes.spines[["top", "right"]].set_visible(False)
        show_curves(curves, x=[line["epoch"] for line in lines], ylabel=label, axes=axes)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return panels


def show_head_weight_lines(weights: np.ndarray, axes: Axes | None = None) -> Axes:
    """Mean head weight of each layer through the training, dark first, light last.

    Args:
        weights: (epochs + 1, L, H), before training first.
        axes: to draw into.
    """
    axes = axes or new_axes()
    by_layer = weights.mean(axis=2).T  # (L, epochs + 1)
    # the light end of the colormap would vanish on a white ground
    colours = colormaps[HEAT](np.linspace(0.0, 0.82, len(by_layer)))
    for layer, (values, colour) in enumerate(zip(by_layer, colours, strict=True), 1):
        axes.plot(values, color=colour, marker="o", markersize=3, label=f"layer {layer}")
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean head weight")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return axes


def show_head_weight_spread(weights: np.ndarray, axes: Axes | None = None) -> Axes:
    """Each head's weight over images: a dot at the mean, a bar from least to most.

    Args:
        weights: (images, L, H).
        axes: to draw into.
    """
    axes = axes or new_axes(7.2, 3.2)
    _, layers, heads = weights.shape
    flat = weights.reshape(len(weights), -1)  # (images, L·H), layer slow, head fast
    places, mean = np.arange(layers * heads), flat.mean(axis=0)
    axes.vlines(places, flat.min(axis=0), flat.max(axis=0), color=LINES[5], linewidth=3)
    axes.plot(places, mean, "o", color=LINES[0], markersize=3)
    for border in range(1, layers):
        axes.axvline(border * heads - 0.5, color="0.85", linewidth=0.6, zorder=0)
    middles = np.arange(layers) * heads + (heads - 1) / 2
    axes.set_xticks(middles, [str(n + 1) for n in range(layers)], fontsize=8)
    axes.set_xlabel("layer; within it, one dot per head")
    axes.set_ylabel("head weight")
    return axes
