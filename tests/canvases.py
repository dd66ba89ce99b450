"""Read canvases of a page, to compare them with what Python computes."""

import numpy as np

from weaktr_core.widgets.host import heat_colours
from weaktr_core.widgets.pack import quantise

PIXELS = """canvas => Array.from(canvas.getContext("2d")
    .getImageData(0, 0, canvas.width, canvas.height).data)"""


def pixels(locator):
    """(h, w, 3) colours of a canvas."""
    size = locator.evaluate("c => [c.height, c.width]")
    return np.array(locator.evaluate(PIXELS), dtype=np.uint8).reshape(*size, 4)[..., :3]


def expected_map(row, grid, levels=32):
    """(h, w, 3) colours of a heat map as the explorers draw it."""
    return heat_colours()[quantise(row, levels)].reshape(*grid, 3)
