"""Explorers: one call with plain arrays, live in Jupyter and on the printed page."""

from weaktr_core.widgets.class_tokens import explore_class_tokens
from weaktr_core.widgets.clipping import explore_clipping
from weaktr_core.widgets.fusion import explore_fusion
from weaktr_core.widgets.heads import Finding, explore_heads
from weaktr_core.widgets.patches import explore_patches
from weaktr_core.widgets.thresholds import explore_thresholds
from weaktr_core.widgets.training import explore_training

__all__ = [
    "Finding",
    "explore_class_tokens",
    "explore_clipping",
    "explore_fusion",
    "explore_heads",
    "explore_patches",
    "explore_thresholds",
    "explore_training",
]
