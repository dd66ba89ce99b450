"""Numbers that the prose needs: kept by a cell, shown by a sentence."""

from __future__ import annotations

import os

from IPython.display import display

PREFIX = "application/papermill.record/"


def note(**numbers: str) -> None:
    """Keep numbers, written as they shall be read, under their names.

    In the book, ``{glue:text}`name``` puts one into a sentence (underscores become
    hyphens), so no number of a run is typed by hand. A live notebook has no such
    sentences: there the numbers stand below the cell.
    """
    book = os.environ.get("WEAKTR_WIDGETS") == "html"
    if not book:
        lines = (f"{name.replace('_', ' ')}: {text}" for name, text in numbers.items())
        display({"text/plain": "\n".join(lines)}, raw=True)
        return
    for name, text in numbers.items():
        told = {"name": name.replace("_", "-"), "mime_prefix": PREFIX}
        display({f"{PREFIX}text/plain": text}, raw=True, metadata={"scrapbook": told})
