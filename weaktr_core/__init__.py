"""WeakTr, step by step: pixel masks from image tags with plain Vision Transformers.

What is named here and in the rooms' own lists stays; everything else may change. Names
are imported when they are first used, so that ``import weaktr_core`` costs nothing.
"""

import lazy_loader

__version__ = "0.2.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
