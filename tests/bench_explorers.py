"""Sizes and speeds of the explorers; nothing is asserted, for numbers depend on the machine.

    python tests/bench_explorers.py [--clicks N]

For each explorer at the size of a chapter: bytes of HTML; milliseconds from opening its
page in a new browser context to the first canvas; median and largest milliseconds from a
click to the redrawn canvas (the handler draws before it returns, so this is its duration
plus the wait for the next frame).
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from weaktr_core.widgets import explore_heads, explore_patches

RANDOM = np.random.default_rng(0)
CLICK = """async ([selector, x, y]) => {
  const target = document.querySelector(selector);
  const box = target.getBoundingClientRect();
  const at = { clientX: box.left + x * box.width, clientY: box.top + y * box.height };
  const start = performance.now();
  target.dispatchEvent(new MouseEvent("click", { bubbles: true, ...at }));
  const handled = performance.now() - start;
  await new Promise(requestAnimationFrame);
  return [handled, performance.now() - start];
}"""


def attention(side, tokens=1):
    """12 layers of 6 heads on side x side patches, about as uneven as real ones."""
    scores = RANDOM.gamma(0.4, size=(12, 6, side**2 + tokens, side**2 + tokens))
    return (scores / scores.sum(axis=-1, keepdims=True)).astype(np.float32)


def photo(side):
    return RANDOM.integers(0, 255, (side, side, 3), dtype=np.uint8)


# name -> (explorer, selector of what is clicked); one line for another explorer
EXPLORERS = {
    "heads, 2 photos of 12 x 12": (
        lambda: explore_heads([photo(168)] * 2, [attention(12)] * 2, host="html"),
        ".wt-big canvas",
    ),
    "heads, 1 photo of 16 x 16": (
        lambda: explore_heads(photo(224), attention(16), every=3, host="html"),
        ".wt-big canvas",
    ),
    "patches, 12 x 12, 2 heads": (
        lambda: explore_patches(photo(168), attention(12), heads=(0, 3), host="html"),
        ".wt-big canvas",
    ),
}


def measure(browser, page_file, selector, clicks):
    """(ms to the first canvas, ms of every handler, ms to every frame)."""
    context = browser.new_context(viewport={"width": 1000, "height": 900})
    page = context.new_page()
    start = time.perf_counter()
    page.goto(page_file.as_uri(), wait_until="commit")
    page.wait_for_selector(".wt canvas")
    first = 1000 * (time.perf_counter() - start)
    places = RANDOM.random((clicks, 2)).tolist()
    times = [page.evaluate(CLICK, [selector, x, y]) for x, y in places]
    context.close()
    return first, *zip(*times, strict=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clicks", type=int, default=30)
    clicks = parser.parse_args().clicks
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("no chromium on this machine")
    print(
        "| explorer | MB of HTML | first canvas, ms | handler, ms | frame, ms | worst, ms |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    with sync_playwright() as started, tempfile.TemporaryDirectory() as folder:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = started.chromium.launch(executable_path=chromium, args=flags)
        for name, (make, selector) in EXPLORERS.items():
            path = Path(folder) / "page.html"
            path.write_text(make().document(name), "utf8")
            first, handled, shown = measure(browser, path, selector, clicks)
            medians = (statistics.median(handled), statistics.median(shown))
            numbers = [path.stat().st_size / 1e6, first, *medians, max(shown)]
            print(f"| {name} | " + " | ".join(f"{n:.2f}" for n in numbers) + " |")
        browser.close()


if __name__ == "__main__":
    main()
