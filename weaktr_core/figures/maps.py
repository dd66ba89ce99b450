"""Photos, and maps over them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from weaktr_core.figures.style import HEAT, SIGNED, class_colours, new_grid, set_title

MARK = "#56e0ff"  # a query patch: a colour that neither photos nor HEAT contain


def show_image(image: np.ndarray, title: str = "", axes: Axes | None = None) -> Axes:
    """A photo (height, width, 3) uint8."""
    axes = axes if axes is not None else new_grid(1, 1, 3.2)[0, 0]
    axes.imshow(image)
    set_title(axes, title)
    axes.axis("off")
    return axes


def show_mask(
    image: np.ndarray, labels: np.ndarray, title: str = "", axes: Axes | None = None
) -> Axes:
    """A label map (height, width) in class colours over its dimmed photo."""
    painted = 0.35 * image + 0.65 * class_colours(labels)
    shown = np.where((labels > 0)[..., None], painted, 0.45 * image)
    return show_image(shown.astype(np.uint8), title, axes)


def show_overlay(
    image: np.ndarray, heat: np.ndarray, title: str = "", axes: Axes | None = None
) -> Axes:
    """A map (h, w) of any scale, stretched over its photo; bright is much.

    Cells keep their edges: what one patch knows is shown as one square.
    """
    axes = show_image(image, title, axes)
    extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
    axes.imshow(heat, cmap=HEAT, alpha=0.72, extent=extent, interpolation="nearest")
    return axes


def show_attention_row(
    image: np.ndarray,
    row: np.ndarray,
    query: tuple[int, int],
    patch: int,
    title: str = "",
    axes: Axes | None = None,
) -> Axes:
    """Where one patch looks: its attention row over its photo, the patch framed.

    Args:
        image: (height, width, 3) uint8, whole patches.
        row: (N,) attention to the N = h·w patches, class token left out. Shown as its
            square root, so that small values can be seen.
        query: (row, column) of the patch that attends.
        patch: its size in pixels.
        title: above it.
        axes: to draw into.
    """
    grid = (image.shape[0] // patch, image.shape[1] // patch)
    axes = show_overlay(image, np.sqrt(row).reshape(grid), title, axes)
    mark_patch(axes, query, patch)
    return axes


def show_patches(image: np.ndarray, patch: int, title: str = "") -> Axes:
    """A photo cut into its patches, a gap between them, the first ones numbered."""
    h, w = image.shape[0] // patch, image.shape[1] // patch
    gap = max(1, patch // 6)
    sheet = np.full((h * (patch + gap), w * (patch + gap), 3), 255, dtype=np.uint8)
    axes = new_grid(1, 1, 4.2)[0, 0]
    for row in range(h):
        for column in range(w):
            top, left = row * (patch + gap), column * (patch + gap)
            cut = image[row * patch : (row + 1) * patch, column * patch :][:, :patch]
            sheet[top : top + patch, left : left + patch] = cut
            if row == 0 or column == 0:
                middle = (left + patch / 2, top + patch / 2)
                axes.text(
                    *middle, row * w + column, color="white", ha="center", va="center",
                    fontsize=6, bbox={"facecolor": "black", "alpha": 0.5, "pad": 0.5},
                )  # fmt: skip
    return show_image(sheet, title, axes)


def show_strip(
    images: Sequence[np.ndarray],
    titles: Sequence[str] = (),
    side: float = 1.9,
    photos: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """Pictures side by side: photos (height, width, 3) or heat maps (h, w).

    With ``photos``, the heat maps lie over them, one each.
    """
    axes = new_grid(1, len(images), side)[0]
    for index, (one, image) in enumerate(zip(axes, images, strict=True)):
        if photos is not None:
            show_overlay(photos[index], image, axes=one)
        else:
            one.imshow(image, **({} if image.ndim == 3 else {"cmap": HEAT}))
        if index < len(titles):
            set_title(one, titles[index])
    return axes


def show_heads(
    maps: np.ndarray,
    image: np.ndarray | None = None,
    query: tuple[int, int] | None = None,
    side: float = 0.95,
) -> np.ndarray:
    """One map per attention head: layers down, heads across.

    Args:
        maps: (L, H, h, w); each is scaled by itself, as only its shape matters.
        image: if given, shown faintly beneath.
        query: (row, column) of the patch that attends, marked in each map.
        side: inches per map.
    """
    layers, heads, h, w = maps.shape
    grid = new_grid(layers, heads, side, gap=0.0)
    for (layer, head), one in np.ndenumerate(grid):
        heat = maps[layer, head]
        if image is None:
            one.imshow(heat, cmap=HEAT)
        else:
            small = Image.fromarray(image).resize((w * 8, h * 8))
            one.imshow(np.asarray(small), extent=(-0.5, w - 0.5, h - 0.5, -0.5))
            one.imshow(heat, cmap=HEAT, alpha=0.85)
        if query is not None:
            one.plot(query[1], query[0], "+", color=MARK, markersize=5)
        if head == 0:
            one.text(-0.15, 0.5, f"layer {layer + 1}", transform=one.transAxes,
                     ha="right", va="center", fontsize=7)  # fmt: skip
        if layer == 0:
            one.set_title(f"head {head + 1}", fontsize=7)
    return grid


def show_agreement(agreement: np.ndarray, heads: int, title: str = "") -> Axes:
    """How alike two heads are, every head with every other.

    Args:
        agreement: (L·H, L·H) correlations, layer slow, head fast.
        heads: H; ticks mark the first head of each layer.
        title: above it.
    """
    axes = new_grid(1, 1, 4.2, gap=-0.5)[0, 0]
    shown = axes.imshow(agreement, cmap=SIGNED, vmin=-1, vmax=1)
    layers = len(agreement) // heads
    axes.axis("on")
    axes.set_xticks(range(0, layers * heads, heads), range(1, layers + 1), fontsize=7)
    axes.set_yticks(range(0, layers * heads, heads), range(1, layers + 1), fontsize=7)
    axes.set_xlabel("layer", fontsize=8)
    axes.set_ylabel("layer", fontsize=8)
    axes.set_title(title, fontsize=9)
    axes.figure.colorbar(shown, ax=axes, fraction=0.046).ax.tick_params(labelsize=7)
    return axes


def mark_patch(axes: Axes, patch: tuple[int, int], size: int) -> None:
    """Frame the patch (row, column) of a photo whose patches have ``size`` pixels."""
    left, top = patch[1] * size - 0.5, patch[0] * size - 0.5
    xs = [left, left + size, left + size, left, left]
    ys = [top, top, top + size, top + size, top]
    axes.plot(xs, ys, color=MARK, linewidth=2)
