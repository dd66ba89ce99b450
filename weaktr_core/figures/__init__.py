"""Figures of the book: ``show_*`` functions that take plain arrays and return Axes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
