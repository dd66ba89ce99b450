"""Generated scenes with exact masks: the built-in data set."""

from weaktr_core.data.scenes.scenes import Scenes

__all__ = ["Scenes"]
