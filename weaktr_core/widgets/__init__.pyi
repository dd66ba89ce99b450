from .class_tokens import explore_class_tokens as explore_class_tokens
from .clipping import explore_clipping as explore_clipping
from .fusion import explore_fusion as explore_fusion
from .heads import Finding as Finding
from .heads import explore_heads as explore_heads
from .patches import explore_patches as explore_patches
from .thresholds import explore_thresholds as explore_thresholds
from .training import explore_training as explore_training
