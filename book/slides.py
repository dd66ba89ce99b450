"""A deck of slides per chapter, cut from the figures of its executed notebook."""

from __future__ import annotations

import base64
import io
import re
from html import escape
from pathlib import Path

import nbformat
from PIL import Image

from lighter import as_webp

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body{{margin:0;font:400 26px/1.4 Georgia,serif;color:#20242e;background:#fdfcf8}}
section{{box-sizing:border-box;min-height:100vh;padding:5vh 6vw;display:flex;flex-direction:column;
justify-content:center;gap:3vh;break-after:page;scroll-snap-align:start}}
html{{scroll-snap-type:y proximity}}
h1{{font-size:2.1em;line-height:1.15;color:#8f4710;margin:0}} p,ul{{margin:0;max-width:46em}}
img{{max-width:100%;max-height:68vh;object-fit:contain;align-self:flex-start}}
@media print{{@page{{size:landscape}}body{{font-size:18pt}}}}
</style>
{slides}
</html>
"""


def save_decks(pages: Path) -> list[str]:
    """Write ``vendor/slides/NN.html`` for every chapter; the chapters' numbers."""
    folder = pages / "vendor" / "slides"
    folder.mkdir()
    made = []
    for path in sorted(pages.glob("[01]?_*.ipynb")):
        (folder / f"{path.name[:2]}.html").write_text(deck(path), "utf8")
        made.append(path.name[:2])
    return made


def link_decks(page: Path, made: list[str]) -> None:
    """Put a link to every deck where a page says ``@slides@``."""
    links = (f'<a href="_static/slides/{n}.html">{int(n)}</a>' for n in made)
    page.write_text(
        page.read_text("utf8").replace("@slides@", " · ".join(links)), "utf8"
    )


def deck(path: Path) -> str:
    """Title, a slide per figure with its caption, the questions of *check yourself*."""
    notebook = nbformat.read(path, 4)
    title = notebook.cells[0].source.splitlines()[1].removeprefix("# ")
    slides = [
        f"<section><h1>{escape(title)}</h1><p>WeakTr, step by step</p></section>"
    ]
    for cell in notebook.cells:
        told = cell.metadata.get("mystnb", {})
        for output in cell.get("outputs", []) if "figure" in told else ():
            if png := output.get("data", {}).get("image/png"):
                slides.append(
                    slide(png, told["figure"]["caption"], told["image"]["alt"])
                )
    prose = "\n".join(
        c.source for c in notebook.cells if c.cell_type == "markdown"
    )
    slides.append(
        f"<section><h1>Check yourself</h1><ul>{questions(prose)}</ul></section>"
    )
    return PAGE.format(title=escape(title), slides="\n".join(slides))


def slide(png: str, caption: str, alt: str) -> str:
    """A figure and what it shows."""
    with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
        coded = base64.b64encode(as_webp(picture)).decode()
    source = f"data:image/webp;base64,{coded}"
    return (
        f'<section><img alt="{escape(alt)}" src="{source}">'
        f"<p>{escape(plain(caption))}</p></section>"
    )


def questions(prose: str) -> str:
    """The list under *check yourself* as HTML."""
    part = prose.split("## Check yourself")[-1].split("\n## ")[0]
    found = re.findall(r"^- (.+(?:\n  .+)*)", part, re.M)
    return "".join(
        f"<li>{escape(plain(' '.join(q.split())))}</li>" for q in found
    )


def plain(text: str) -> str:
    """Prose without its marks: roles keep their words, stars go."""
    text = re.sub(r"\{\w+(?::\w+)?\}`([^`<]*?)\s*(?:<[^>]*>)?`", r"\1", text)
    return text.replace("*", "").replace("`", "")
