"""What makes the site look like this book: cards of the chapters, diagrams, letters."""

from __future__ import annotations

import base64
import io
import re
import shutil
import sys
from html import escape
from pathlib import Path

import nbformat
from PIL import Image, ImageOps

from npm import npm_file

DIAGRAMS = Path(__file__).parent / "vendor" / "diagrams"
FONT = "@fontsource-variable/source-serif-4@5.3.1"
FONT_FILES = tuple(
    f"source-serif-4-latin-wght-{s}.woff2" for s in ("normal", "italic")
)
ROW = re.compile(r"^\| \{ref\}`(\d+) <ch:\d\d>` \| (.+?) \|$")
IMAGE = re.compile(
    r'(?:<a [^>]*?>)?<img alt="([^"]*)"[^>]*?src="_images/(\w+)\.svg"[^>]*/?>(?:</a>)?'
)

CARDS = {
    "01": ("fig-plan", (0.757, 0.11, 0.988, 0.96)),
    "02": ("fig-patches", (0.2, 0.2, 0.72, 0.8)),
    "03": ("fig-heads-class", (0.16, 0.62, 1.0, 0.94)),
    "04": ("fig-04-photo", (0.34, 0.11, 0.655, 0.97)),
    "05": ("fig-05-photos", (0.757, 0.11, 0.99, 0.97)),
    "06": ("fig-06-votes", (0.2, 0.09, 0.64, 0.5)),
    "07": ("fig-07-photos", (0.805, 0.08, 0.99, 0.39)),
    "08": ("fig-08-photos", (0.205, 0.075, 0.59, 0.39)),
    "09": ("fig-09-photos", (0.76, 0.58, 0.985, 0.98)),
    "10": ("fig-10-photos", (0.685, 0.54, 0.985, 0.97)),
    "11": ("fig-11-photos", (0.257, 0.19, 0.49, 0.95)),
    "12": ("fig-12-segment", (0.35, 0.11, 0.65, 0.79)),
    "13": ("fig-13-schedules", (0.0, 0.0, 0.5, 1.0)),
}
"""Chapter → the figure on its card and the part of it that shows: left, top, right, bottom."""
CARD_SIZE = (480, 320)


def save_cards(pages: Path) -> None:
    """The cards' pictures, cut out of what the executed chapters show."""
    folder = pages / "vendor" / "cards"
    folder.mkdir()
    for path in pages.glob("[01]?_*.ipynb"):
        name, part = CARDS[path.name[:2]]
        picture = figure_of(path, name)
        if picture is not None:
            sides = zip(part, 2 * picture.size, strict=True)
            cut = picture.crop(
                tuple(round(share * side) for share, side in sides)
            )
            small = ImageOps.fit(cut, CARD_SIZE, Image.Resampling.LANCZOS)
            small.save(folder / f"{path.name[:2]}.jpg", quality=86)


def figure_of(path: Path, name: str) -> Image.Image | None:
    """The picture that a chapter shows under a figure's name."""
    for cell in nbformat.read(path, 4).cells:
        if (
            cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
            == name
        ):
            for output in cell.outputs:
                data = output.get("data", {}).get("image/png")
                if data:
                    return Image.open(
                        io.BytesIO(base64.b64decode(data))
                    ).convert("RGB")
    return None


def put_cards(page: Path, minutes: dict[str, int]) -> None:
    """Replace the first page's table of chapters by cards with a picture each.

    Args:
        page: has one table, a row ``| {ref}`N <ch:NN>` | question |`` per chapter.
        minutes: chapter's file → minutes to read, of those that ran.
    """
    lines, cards, files = page.read_text("utf8").splitlines(), [], {}
    for name in minutes:
        files[int(name[:2])] = name
    kept: list[str] = []
    for line in lines:
        if found := ROW.match(line):
            number, question = int(found[1]), found[2]
            if number in files:
                name = files[number]
                cards.append(card(number, name, question, minutes[name]))
            if number == 1:
                del kept[-2:]  # the head of the table
                kept.append("@cards@")
        else:
            kept.append(line)
    html = f'```{{raw}} html\n<ul class="wt-cards">{"".join(cards)}</ul>\n```'
    page.write_text("\n".join(kept).replace("@cards@", html) + "\n", "utf8")


def card(number: int, name: str, question: str, minutes: int) -> str:
    """A link with a picture, which repeats nothing that must be read aloud."""
    return (
        f'<li><a href="{name}.html">'
        f'<img src="_static/cards/{name[:2]}.jpg" alt="">'
        f'<span class="number">Chapter {number}</span>'
        f'<span class="question">{escape(question)}</span>'
        f'<span class="minutes">{minutes} minutes</span></a></li>'
    )


def inline_diagrams(html: str) -> str:
    """Put the SVG itself in place of its image, so that it takes the page's colours."""

    def whole(found: re.Match) -> str:
        path = DIAGRAMS / f"{found[2]}.svg"
        if not path.exists():
            return found[0]
        svg = path.read_text("utf8")
        return re.sub(
            r'aria-label="[^"]*"', f'aria-label="{found[1]}"', svg, count=1
        )

    return IMAGE.sub(whole, html)


def fetch_fonts(vendor: Path) -> None:
    """The book's letters beside its style sheet; others take their place without npm."""
    folder = vendor / "fonts"
    for name in FONT_FILES:
        path = npm_file(FONT, f"files/{name}")
        if path is None:
            sys.stdout.write(
                "no letters from npm: the reader's own will serve\n"
            )
            return
        folder.mkdir(exist_ok=True)
        shutil.copy(path, folder)
