"""How heavy and how quick the explorers of the built book are; nothing is asserted.

    make book && python benchmarks/explorers.py [--changes N]

For each page with an explorer: megabytes of its HTML, everything in it counted;
milliseconds from opening it in a new browser context to the explorer's first canvas;
median and largest milliseconds of a change, from the event to the next frame (explorers
draw before their handler returns).
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

from machine import measured
from playwright.sync_api import sync_playwright
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from book_site import SITE
from chromium import ARGUMENTS, CHROMIUM

HEAD = ("page", "MB", "first canvas, ms", "change, ms", "worst, ms")

CHANGE = """async ([root, control, n]) => {
  const found = [...document.querySelector(root).querySelectorAll(control)];
  const target = found[n % found.length], box = target.getBoundingClientRect();
  const start = performance.now();
  if (target.type === "range") {
    const least = Number(target.min || 0), most = Number(target.max || 100);
    target.value = least + ((most - least) * (n % 10)) / 10;
    target.dispatchEvent(new Event("input", { bubbles: true }));
  } else {
    const clientX = box.left + (((7 * n) % 10) / 10 + 0.05) * box.width;
    const clientY = box.top + (((3 * n) % 10) / 10 + 0.05) * box.height;
    target.dispatchEvent(new MouseEvent("click", { bubbles: true, clientX, clientY }));
  }
  await new Promise(requestAnimationFrame);
  return performance.now() - start;
}"""

# page -> (explorer, what is changed: a click on it, or the next value of a slider)
EXPLORERS = {
    "02_how_a_vit_sees": (".wt-patches", ".wt-big canvas"),
    "03_heads_disagree": (".wt-heads", ".wt-big canvas"),
    "04_class_tokens": (".wt-class_tokens", ".wt-table button"),
    "05_class_activation_maps": (".wt-votes", "input[type=range]"),
    "06_weighting_heads": (".wt-fusion", "button"),
    "07_from_blobs_to_objects": (".wt-stages", "input[type=range]"),
    "08_training_with_tags": (".wt-training", "input[type=range]"),
    "09_pseudo_labels": (".wt-thresholds", "input[type=range]"),
    "10_learning_from_noisy_masks": (".wt-clipping", "input[type=range]"),
}


def measure(browser, name, changes):
    """(MB of the page, ms to the first canvas, ms of every change)."""
    path, (root, control) = SITE / f"{name}.html", EXPLORERS[name]
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    start = time.perf_counter()
    page.goto(path.as_uri(), wait_until="commit")
    page.wait_for_selector(f"{root} canvas", state="attached")
    first = 1000 * (time.perf_counter() - start)
    page.wait_for_load_state()
    times = [page.evaluate(CHANGE, [root, control, n]) for n in range(changes)]
    context.close()
    return path.stat().st_size / 1e6, first, times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--changes", type=int, default=30)
    changes = parser.parse_args().changes
    if CHROMIUM is None:
        sys.exit("no chromium on this machine")
    if not SITE.exists():
        sys.exit(f"no built site in {SITE}: run make book first")
    rows = []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for name in EXPLORERS:
            size, first, times = measure(browser, name, changes)
            rows.append((name, size, first, statistics.median(times), max(times)))
        browser.close()
    formats = ("", ".2f", ".0f", ".0f", ".0f")
    print(measured() + "\n")
    print(tabulate(rows, HEAD, tablefmt="github", floatfmt=formats))


if __name__ == "__main__":
    main()
