"""Figures of the book: ``show_*`` functions that take plain arrays and return Axes."""

from weaktr_core.figures.maps import (
    show_heads,
    show_image,
    show_mask,
    show_overlay,
    show_patches,
    show_strip,
)
from weaktr_core.figures.training import (
    show_bars,
    show_curves,
    show_head_weight_evolution,
    show_head_weights,
)

__all__ = [
    "show_bars",
    "show_curves",
    "show_head_weight_evolution",
    "show_head_weights",
    "show_heads",
    "show_image",
    "show_mask",
    "show_overlay",
    "show_patches",
    "show_strip",
]
