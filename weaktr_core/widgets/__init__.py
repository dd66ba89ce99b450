"""Explorers: one call with plain arrays, live in Jupyter and on the printed page."""

from weaktr_core.widgets.clipping import explore_clipping
from weaktr_core.widgets.controls import explore_live
from weaktr_core.widgets.epochs import explore_training
from weaktr_core.widgets.heads import explore_heads
from weaktr_core.widgets.mixer import explore_fusion, fusion_inputs
from weaktr_core.widgets.patches import explore_patches
from weaktr_core.widgets.photo import explore_photo, photo_attention
from weaktr_core.widgets.thresholds import explore_thresholds
from weaktr_core.widgets.tokens import explore_class_tokens

__all__ = [
    "explore_class_tokens",
    "explore_clipping",
    "explore_fusion",
    "explore_heads",
    "explore_live",
    "explore_patches",
    "explore_photo",
    "explore_thresholds",
    "explore_training",
    "fusion_inputs",
    "photo_attention",
]
