"""Explorers: one call with plain arrays, live in Jupyter and on the printed page."""

from weaktr_core.widgets.class_tokens import explore_class_tokens
from weaktr_core.widgets.clipping import explore_clipping
from weaktr_core.widgets.findings import (
    Finding,
    find_loner,
    find_near_sighted,
    find_pair,
)
from weaktr_core.widgets.fusion import explore_fusion
from weaktr_core.widgets.heads import explore_heads
from weaktr_core.widgets.patches import explore_patches
from weaktr_core.widgets.stages import explore_stages
from weaktr_core.widgets.thresholds import explore_thresholds
from weaktr_core.widgets.training import explore_training
from weaktr_core.widgets.votes import explore_votes

__all__ = [
    "Finding",
    "explore_class_tokens",
    "explore_clipping",
    "explore_fusion",
    "explore_heads",
    "explore_patches",
    "explore_stages",
    "explore_thresholds",
    "explore_training",
    "explore_votes",
    "find_loner",
    "find_near_sighted",
    "find_pair",
]
