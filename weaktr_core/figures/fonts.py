"""Class names in any writing: a font of this machine that has the signs, or a number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import matplotlib.pyplot as plt
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

WIDE = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Source Han Sans",
    "WenQuanYi Zen Hei",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Arial Unicode MS",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
)
"""Fonts with writings that matplotlib's own lacks, where a machine has them."""


@lru_cache(maxsize=1)
def families() -> tuple[str, ...]:
    """Font families to draw names with: matplotlib's own, then those with more signs."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *(name for name in WIDE if name in installed))


@lru_cache(maxsize=1)
def signs() -> frozenset[int]:
    """Every sign that some of these fonts has."""
    files = (font_manager.findfont(name) for name in families())
    return frozenset(sign for file in files for sign in FT2Font(file).get_charmap())


def font_file() -> str:
    """The file of matplotlib's own font."""
    return font_manager.findfont("DejaVu Sans")


def in_font(text: str) -> str:
    """A text with a question mark for each sign that matplotlib's own font lacks."""
    known = FT2Font(font_file()).get_charmap()
    return "".join(sign if ord(sign) in known else "?" for sign in text)


def drawable_names(classes: Sequence[str]) -> list[str]:
    """Class names for pictures; ``class 3`` where no font has the signs of the third."""
    return [
        name if all(ord(sign) in signs() for sign in name) else f"class {k}"
        for k, name in enumerate(classes, 1)
    ]


@contextmanager
def plain_text() -> Iterator[None]:
    """Draw texts as they are: in any of the fonts, and without reading $ as a formula."""
    with plt.rc_context({"font.family": families(), "text.parse_math": False}):
        yield
