"""Do two built sites look the same? Every page of both, photographed and compared.

    python benchmarks/screenshots.py BEFORE AFTER [--out FOLDER] [--dark] [--width N]

BEFORE and AFTER are folders of HTML, as build/site/_build/html is. For each page that both
have, one line: how much its height changed, which share of the pixels differs, and where
the first difference is. Pages that differ are kept in FOLDER, before beside after.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from chromium import ARGUMENTS, CHROMIUM

HEAD = ("page", "pixels higher", "differs, %", "from line")
VISIBLE = 24  # grey levels that a colour may differ by and still look the same


def main() -> int:
    """Print the table; 0 if no page differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"))
    parser.add_argument("--dark", action="store_true", help="in dark mode")
    parser.add_argument("--width", type=int, default=1280, help="of the window")
    given = parser.parse_args()
    rows = compare_sites(given)
    print(tabulate(rows, HEAD, tablefmt="github", floatfmt=".2f"))
    return int(any(row[1] or row[2] for row in rows))


def compare_sites(given: argparse.Namespace) -> list[tuple]:
    """A row of the table for each page."""
    rows = []
    given.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        scheme = "dark" if given.dark else "light"
        view = {"width": given.width, "height": 900}
        tab = browser.new_page(viewport=view, color_scheme=scheme)
        for name in shared_pages(given.before, given.after):
            pair = [photograph(tab, site / name) for site in (given.before, given.after)]
            row = compare(*pair)
            rows.append((name, *row))
            print(name, *row, file=sys.stderr)
            if any(row[:2]):
                beside(*pair).save(given.out / f"{Path(name).stem}.png")
        browser.close()
    return rows


def shared_pages(before: Path, after: Path) -> list[str]:
    """Names of the pages that both sites have; says which only one has."""
    first, second = ({p.name for p in site.glob("*.html")} for site in (before, after))
    for name in sorted(first ^ second):
        print(f"only in {before if name in first else after}: {name}")
    return sorted((first & second) - {"index.html"})  # which only leads to another


def photograph(tab: Page, path: Path) -> np.ndarray:
    """The whole page, (height, width, 3), once it is quiet."""
    tab.goto(path.resolve().as_uri())
    tab.wait_for_timeout(800)
    picture = tab.screenshot(full_page=True, animations="disabled", timeout=120_000)
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def compare(before: np.ndarray, after: np.ndarray) -> tuple[int, float, int | None]:
    """Pixels that the page has grown by, % of pixels that differ, first line that does."""
    height = min(len(before), len(after))
    gap = before[:height].astype(int) - after[:height]
    differs = np.abs(gap).max(axis=2) > VISIBLE  # (height, width)
    lines = np.flatnonzero(differs.any(axis=1))
    first = int(lines[0]) if len(lines) else None
    return len(after) - len(before), 100 * float(differs.mean()), first


def beside(before: np.ndarray, after: np.ndarray) -> Image.Image:
    """One picture of both."""
    height = max(len(before), len(after))
    both = np.full((height, before.shape[1] + after.shape[1], 3), 128, np.uint8)
    both[: len(before), : before.shape[1]] = before
    both[: len(after), before.shape[1] :] = after
    return Image.fromarray(both)


if __name__ == "__main__":
    sys.exit(main())
