"""Less to load for the same sight: figures as WebP, of the icon font only what is used."""

from __future__ import annotations

import io
import re
from pathlib import Path

from fontTools import subset
from PIL import Image

HEAVY = 60_000  # bytes from which on a figure may lose what no eye misses
QUALITY = 80  # of 100, at two pixels for each that is shown
# rules that give a class its letter of the icon font; icons in pages are drawn already
CLASSES = re.compile(
    r'(?:\.fa-[\w-]+(?::{1,2}before)?,?)+\{(?:--fa:|content:)"[^"]*"[^}]*\}'
)
LETTER = re.compile(r"\\(f[0-9a-f]{3})|([\ue000-\uf8ff])")
IMPORT = (
    '@import "../basic.css";'  # of the theme's own sheet: one request more
)
FONT = "fa-solid-900"
WOFF = re.compile(rf'url\([^)]*{FONT}\.woff2\) ?format\("woff2"\),')


def lighten_figures(html: Path) -> dict[str, str]:
    """PNGs of the site become WebP; old name → new name, for the pages."""
    renamed = {}
    for path in sorted((html / "_images").glob("*.png")):
        new = path.with_suffix(".webp")
        with Image.open(path) as picture:
            new.write_bytes(as_webp(picture))
        path.unlink()
        renamed[f"_images/{path.name}"] = f"_images/{new.name}"
    return renamed


def as_webp(picture: Image.Image) -> bytes:
    """A file that is small: a chart loses nothing, a heavy picture little."""
    file = io.BytesIO()
    picture.save(file, "WEBP", lossless=True)
    if file.tell() > HEAVY:
        file = io.BytesIO()
        picture.save(file, "WEBP", quality=QUALITY, method=4)
    return file.getvalue()


def lighten_styles(static: Path) -> None:
    """One sheet in place of one that imports another, and a font of the letters in use."""
    theme, basic = static / "styles" / "theme.css", static / "basic.css"
    if basic.exists():
        rules = basic.read_text("utf8").replace("url(", "url(../")
        theme.write_text(
            theme.read_text("utf8").replace(IMPORT, rules), "utf8"
        )
    sheets = sorted(static.rglob("*.css"))
    letters: set[int] = set()
    for sheet in sheets:
        text = WOFF.sub("", CLASSES.sub("", sheet.read_text("utf8")))
        sheet.write_text(text, "utf8")
        letters |= {
            int(m[1], 16) if m[1] else ord(m[2]) for m in LETTER.finditer(text)
        }
    for path in static.rglob(f"{FONT}.ttf"):
        font = subset.load_font(str(path), subset.Options())
        cut = subset.Subsetter()
        cut.populate(unicodes=letters)
        cut.subset(font)
        font.save(path)
