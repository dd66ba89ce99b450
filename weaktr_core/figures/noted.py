"""Numbers that are read: kept by a cell for a sentence, or set in a table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

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
        show({"text/plain": "\n".join(lines)}, raw=True)
        return
    for name, text in numbers.items():
        told = {"name": name.replace("_", "-"), "mime_prefix": PREFIX}
        show({f"{PREFIX}text/plain": repr(text)}, raw=True, metadata={"scrapbook": told})


def table(rows: Sequence[Sequence], heads: Sequence[str]) -> None:
    """Show a table, as the page or the notebook sets its tables."""
    told = {"text/markdown": "pipe", "text/plain": "simple"}
    texts = {m: tabulate(rows, heads, tablefmt=f) for m, f in told.items()}
    show(texts, raw=True)


def show(data: dict[str, str], **more: Any) -> None:
    """Put data below the cell; nothing outside a notebook needs IPython."""
    from IPython.display import display

    display(data, **more)
