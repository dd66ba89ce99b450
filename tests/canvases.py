"""Read canvases and boxes of a page, to compare them with what should be there."""

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


def sticking_out(page):
    """HTML of what reaches beyond the right border of a page's first explorer."""
    return page.evaluate("""() => {
      const box = document.querySelector(".wt").getBoundingClientRect();
      return [...document.querySelectorAll(".wt *")].filter(
        (e) => e.getBoundingClientRect().right > box.right).map((e) => e.outerHTML);
    }""")
