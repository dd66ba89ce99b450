"""Datasets that all yield the same sample: a photo, its tags, perhaps its mask."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
