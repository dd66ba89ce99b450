"""Read canvases and boxes of a page, to compare them with what should be there."""

import json

import numpy as np

from weaktr_core.widgets.host import heat_colours, module_source
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


LIVE = """
<div id="live"></div><script type="module">{
%s
const root = document.getElementById("live"), state = %s, heard = {};
const model = { get: (n) => state[n], save_changes() {},
  set: (n, v) => { state[n] = v; (heard[n] || []).forEach((f) => f()); },
  on: (n, f) => { n = n.slice(7); heard[n] = [...(heard[n] || []), f]; },
  off: (n, f) => { n = n.slice(7); heard[n] = heard[n].filter((g) => g !== f); } };
Object.assign(window, { model, heard, done: explorer.render({ model, el: root }) });
}</script>"""


def live_html(page):
    """An explorer whose `model` calls its listeners at once, as anywidget's does."""
    source = module_source(page.name).replace("export default", "const explorer =")
    return LIVE % (source, json.dumps(page.state).replace("<", "\\u003c"))


def sticking_out(page):
    """HTML of what reaches beyond the right border of a page's explorers."""
    return page.evaluate("""() => [...document.querySelectorAll(".wt")].flatMap((wt) => {
      const box = wt.getBoundingClientRect();
      return [...wt.querySelectorAll("*")].filter(
        (e) => e.getBoundingClientRect().right > box.right).map((e) => e.outerHTML);
    })""")
