"""The theme's icons as pictures in the page, in place of a script that holds thousands."""

from __future__ import annotations

import re
from pathlib import Path

SCRIPT = "scripts/fontawesome.js"
TAG = re.compile(r'<script[^>]*src="[^"]*fontawesome\.js[^"]*"></script>')
ICON = re.compile(r'<i class="([^"]*\bfa-[^"]*)"([^>]*)></i>')
STYLES = {"fab": "fab", "fa-brands": "fab", "far": "far", "fa-regular": "far"}
# in the script each style's icons stand before the call that adds them
END = re.compile(r'd\("(fab|far|fas)",p\)')
SHAPE = re.compile(
    r'[{,]"?([\w-]+)"?:\[(\d+),(\d+),\[[^\]]*\],"\w+",(?:"([^"]+)"|\[)'
)
SVG = (
    '<svg class="svg-inline--fa {classes}"{rest} aria-hidden="true" focusable="false" '
    'role="img" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
    '<path fill="currentColor" d="{path}"></path></svg>'
)

Shapes = dict[tuple[str, str], tuple[str, str, str]]


def read_icons(static: Path) -> Shapes:
    """Style and name of each icon → its width, height and path, out of the script."""
    text, shapes, start = (static / SCRIPT).read_text("utf8"), {}, 0
    for end in END.finditer(text):
        for found in SHAPE.finditer(text, start, end.start()):
            shapes[end[1], found[1]] = found.groups()[1:]
        start = end.end()
    return shapes


def inline_icons(html: str, shapes: Shapes) -> str:
    """A page with drawn icons and without the script; untouched if one is unknown."""
    try:
        drawn = ICON.sub(lambda found: draw(found, shapes), html)
    except KeyError:
        return html
    return TAG.sub("", drawn)


def draw(found: re.Match, shapes: Shapes) -> str:
    """The picture that stands for one ``<i>``."""
    words, rest = found[1].split(), found[2]
    style = next((STYLES[word] for word in words if word in STYLES), "fas")
    names = [word[3:] for word in words if (style, word[3:]) in shapes]
    width, height, path = shapes[style, names[0] if names else found[1]]
    kept = " ".join(word for word in words if word not in {"fas", *STYLES})
    return SVG.format(
        classes=kept, rest=rest, width=width, height=height, path=path
    )
