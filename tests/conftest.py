"""Shapes in signatures are checked whenever tests run."""

import os
from pathlib import Path

import pytest
import torch
from jaxtyping import install_import_hook

install_import_hook("weaktr_core", "shape_checker.check")
torch.set_num_threads(2)


@pytest.fixture
def shared() -> Path:
    """Folder with real photos in VOC and COCO layout, where there is one."""
    folder = os.environ.get("WEAKTR_SHARED")
    if not folder:
        pytest.skip("no real photos: WEAKTR_SHARED is not set")
    return Path(folder)
