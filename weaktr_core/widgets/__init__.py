"""Explorers: one call with plain arrays, live in Jupyter and on the printed page."""

from weaktr_core.widgets.epochs import explore_training
from weaktr_core.widgets.heads import explore_heads
from weaktr_core.widgets.mixer import explore_fusion, fusion_inputs
from weaktr_core.widgets.patches import explore_patches
from weaktr_core.widgets.photo import explore_photo, photo_attention

__all__ = [
    "explore_fusion",
    "explore_heads",
    "explore_patches",
    "explore_photo",
    "explore_training",
    "fusion_inputs",
    "photo_attention",
]
