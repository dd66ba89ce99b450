"""How heavy and how quick the page "Your photo" is; nothing is asserted.

    make book && python benchmarks/page.py [--photos N]

The built site is served on this machine and opened in headless Chromium: sizes, first
canvas, from the button to a network that is ready, a photo from the file to its mask, one
change of a head's weight, and requests to anywhere else. Medians.
"""

import argparse
import functools
import http.server
import statistics
import sys
import threading
import time
from pathlib import Path

from playwright.sync_api import sync_playwright
from skimage import data, io
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "book"))

from book_site import SITE
from chromium import ARGUMENTS, CHROMIUM

from pages import processor

HEADING = ("what", "measured")
CHANGES = """async () => {
  const root = document.querySelector(".wt-your_photo"), times = [];
  const slider = root.querySelector("#wt-panel-trial .wt-acts input");
  for (let i = 0; i < 20; i++) {
    slider.value = 10 * i;
    slider.dispatchEvent(new Event("input"));
    times.push(Number(root.dataset.milliseconds));
    await new Promise((done) => setTimeout(done, 150));
  }
  return times;
}"""
LOOKS = """async (n) => {
  const [name] = Object.keys(globalThis.weaktrWorkers), side = 224, times = [];
  const ask = await globalThis.weaktrWorkers[name];
  for (let i = 0; i < n; i++) {
    const rgba = new Uint8ClampedArray(4 * side * side).map((_, k) => (k * 37 + i) % 256);
    let last = 0;
    const given = { photo: "speed", rgba, size: [side, side], grid: [16, 16] };
    const start = performance.now();
    await ask("look", given, [rgba.buffer], () => { last = performance.now(); });
    times.push(last - start);
  }
  return times;
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves, and says nothing."""

    def log_message(self, *_):
        """Nothing."""


def served():
    """The built site at an address of this machine."""
    handler = functools.partial(Quiet, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def since(start):
    return f"{1000 * (time.perf_counter() - start):.0f} ms"


def measure(browser, address, photo, count):
    """What the table says, row by row."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    foreign = []
    page.on(
        "request",
        lambda r: r.url.startswith((address, "data:", "blob:")) or foreign.append(r.url),
    )
    start = time.perf_counter()
    page.goto(f"{address}/your_photo.html", wait_until="commit")
    page.wait_for_selector(".wt-your_photo canvas")
    yield "from opening to the first canvas", since(start)
    start = time.perf_counter()
    page.click(".wt-main-button")
    page.wait_for_selector(".wt-own:not([hidden])")
    yield "from the button to a ready network", since(start)
    start = time.perf_counter()
    page.set_input_files(".wt-file >> nth=0", photo)
    page.wait_for_selector(".wt-photo-bar[data-rounds='1']", state="attached")
    yield "from a file to its mask", since(start)
    looks = page.evaluate(LOOKS, count)
    yield "one forward pass, 224 x 224, one thread", f"{statistics.median(looks):.0f} ms"
    page.click("#wt-tab-trial")
    changes = page.evaluate(CHANGES)
    yield "a head's weight changed, all redrawn", f"{statistics.median(changes):.1f} ms"
    yield "the longest of these", f"{max(changes):.1f} ms"
    yield "requests to elsewhere", str(len(foreign))


def sizes():
    """The page and the network beside it."""
    parts = list((SITE / "_static" / "network").glob("*.bin"))
    yield (
        "the page without the network",
        f"{(SITE / 'your_photo.html').stat().st_size / 1e6:.2f} MB",
    )
    yield "the network", f"{sum(p.stat().st_size for p in parts) / 1e6:.1f} MB"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=7, help="forward passes (default: 7)")
    count = parser.parse_args().photos
    if CHROMIUM is None:
        sys.exit("no chromium on this machine")
    if not (SITE / "your_photo.html").exists():
        sys.exit(f"no built site in {SITE}: run make book first")
    photo = SITE.parent / "benchmark.png"
    io.imsave(photo, data.astronaut())
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        rows = [*sizes(), *measure(browser, served(), photo, count)]
        browser_name = f"Chromium {browser.version}"
        browser.close()
    photo.unlink()
    print(f"{processor()}, {browser_name}\n")
    print(tabulate(rows, HEADING, tablefmt="github"))


if __name__ == "__main__":
    main()
