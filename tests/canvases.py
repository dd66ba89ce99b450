"""Read canvases and boxes of a page, to compare them with what should be there."""

import base64
import json

import matplotlib
import numpy as np

from weaktr_core.figures.style import HEAT, class_colours
from weaktr_core.widgets.host import module_source
from weaktr_core.widgets.pack import LEVELS

PIXELS = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let text = ""; // numbers one by one would take seconds
  for (let i = 0; i < data.length; i += 8192)
    text += String.fromCharCode(...data.subarray(i, i + 8192));
  return [canvas.height, canvas.width, btoa(text)];
}"""


def pixels(locator):
    """(h, w, 3) colours of a canvas."""
    height, width, text = locator.evaluate(PIXELS)
    flat = np.frombuffer(base64.b64decode(text), dtype=np.uint8)
    return flat.reshape(height, width, 4)[..., :3]


def heat_colours():
    """(256, 3) uint8, the book's heat colormap."""
    return np.round(255 * matplotlib.colormaps[HEAT](np.arange(256))[:, :3]).astype(
        np.uint8
    )


def expected_map(row, grid, levels=LEVELS):
    """(h, w, 3) colours of a heat map as the explorers draw it."""
    steps = np.round(np.clip(row / max(row.max(), 1e-12), 0, 1) * (levels - 1))
    return heat_colours()[np.round(steps * (255 / (levels - 1))).astype(int)].reshape(
        *grid, 3
    )


def without_photo(root):
    """Let the small maps of a head explorer be maps and nothing else."""
    root.get_by_role("checkbox", name="photo behind").uncheck()


PHOTO = """async ([source, h, w]) => {
  const image = new Image(); image.src = source; await image.decode();
  const canvas = document.createElement("canvas"); canvas.width = w; canvas.height = h;
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(image, 0, 0, w, h);
  return canvas;
}"""


def painted(page, source, labels):
    """(h, w, 3) colours of labels over a photo, as `show_mask` mixes them."""
    base = pixels(page.evaluate_handle(PHOTO, [source, *labels.shape])).astype(float)
    mixed = 0.35 * base + 0.65 * class_colours(labels)
    return np.where((labels > 0)[..., None], mixed, 0.45 * base).astype(np.uint8)


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
