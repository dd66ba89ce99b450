"""Figures of the book: ``show_*`` functions that take plain arrays and return Axes."""

from weaktr_core.figures.maps import (
    show_agreement,
    show_attention_row,
    show_heads,
    show_image,
    show_mask,
    show_overlay,
    show_patches,
    show_strip,
)
from weaktr_core.figures.training import (
    show_ablation,
    show_bars,
    show_curves,
    show_head_weight_evolution,
    show_head_weights,
)

__all__ = [
    "show_ablation",
    "show_agreement",
    "show_attention_row",
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
