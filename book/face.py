"""What makes the site look like this book: cards of the chapters, diagrams, letters."""

from __future__ import annotations

import re
import shutil
import sys
from html import escape
from pathlib import Path

from npm import npm_file

DIAGRAMS = Path(__file__).parent / "vendor" / "diagrams"
FONT = "@fontsource-variable/source-serif-4@5.3.1"
FONT_FILES = tuple(f"source-serif-4-latin-wght-{s}.woff2" for s in ("normal", "italic"))
ROW = re.compile(r"^\| \{ref\}`(\d+) <ch:\d\d>` \| (.+?) \|$")
IMAGE = re.compile(
    r'(?:<a [^>]*?>)?<img alt="([^"]*)"[^>]*?src="_images/(\w+)\.svg"[^>]*/?>(?:</a>)?'
)


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
        f'<img src="_static/cards/{name[:2]}.png" alt="" loading="lazy">'
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
        return re.sub(r'aria-label="[^"]*"', f'aria-label="{found[1]}"', svg, count=1)

    return IMAGE.sub(whole, html)


def fetch_fonts(vendor: Path) -> None:
    """The book's letters beside its style sheet; others take their place without npm."""
    folder = vendor / "fonts"
    for name in FONT_FILES:
        path = npm_file(FONT, f"files/{name}")
        if path is None:
            sys.stdout.write("no letters from npm: the reader's own will serve\n")
            return
        folder.mkdir(exist_ok=True)
        shutil.copy(path, folder)
