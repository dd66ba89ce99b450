"""Figures of the book: ``show_*`` functions that take plain arrays and return Axes."""

from weaktr_core.figures.charts import show_parts, show_points, show_signed, show_spread
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
from weaktr_core.figures.noted import note
from weaktr_core.figures.training import (
    show_ablation,
    show_bars,
    show_curves,
    show_head_weight_evolution,
    show_head_weights,
)

__all__ = [
    "note",
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
    "show_parts",
    "show_patches",
    "show_points",
    "show_signed",
    "show_spread",
    "show_strip",
]
