"""Explorers: one call with plain arrays, live in Jupyter and on the printed page."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
