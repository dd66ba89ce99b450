"""The paper: grid, attention, fusion, CAMs, losses, decoder; no weights, no files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
