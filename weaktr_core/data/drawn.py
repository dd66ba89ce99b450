"""Masks as other tools draw them: colours with a table, and photos that EXIF turns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from weaktr_core.data.files import (
    check_size,
    decoding,
    file_error,
    read_image,
    read_lines,
    read_mask,
    shorten,
)
from weaktr_core.data.names import check_classes, clean_name
from weaktr_core.data.sample import IGNORE

LABELMAP = "labelmap.txt"
"""CVAT's table: ``name:red,green,blue:parts:actions`` a line, colours may be left out."""

NOTHING = ("background", "_background_", "unlabeled")
UNKNOWN = ("ignore", "ignored", "void", "__ignore__")

Colours = dict[tuple[int, int, int], int]
"""Colour → mask value."""


@dataclass(frozen=True)
class LabelMap:
    """Classes in order, and the mask values of colours; both may be empty."""

    classes: tuple[str, ...] = ()
    colours: Colours | None = None


def read_labelmap(path: Path) -> LabelMap:
    """The classes, and their colours in masks, that a ``labelmap.txt`` lists.

    Lines that begin with ``#`` are left out. ``background`` is 0 and ``ignore`` 255,
    neither is a class.

    Raises:
        DataError: no text, two lines of one name or colour, or a colour that is none.
    """
    classes: list[str] = []
    colours: Colours = {}
    for line in read_lines(path, "lines NAME:R,G,B::"):
        name, _, rest = line.partition(":")
        if line.startswith("#"):
            continue
        name, value = clean_name(name), 0
        if name.casefold() in UNKNOWN:
            value = IGNORE
        elif name.casefold() not in NOTHING:
            classes.append(name)
            value = len(classes)
        if colour := rest.partition(":")[0].strip():
            key = read_colour(colour, path)
            if key in colours:
                raise file_error(path, "a colour of its own for each class", line)
            colours[key] = value
    return LabelMap(check_classes(classes, path), colours or None)


def read_colour(text: str, path: Path) -> tuple[int, int, int]:
    """``64,0,128`` as three numbers."""
    try:
        red, green, blue = (int(part) for part in text.split(","))
    except ValueError:
        raise file_error(path, "colours R,G,B", repr(text)) from None
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        raise file_error(path, "colours from 0 to 255", repr(text))
    return red, green, blue


def read_drawn(path: Path, classes: int, colours: Colours | None = None) -> np.ndarray:
    """A mask of ids, or of colours where a table says what they mean.

    Args:
        path: 8-bit, 16-bit or palette PNG, or colours if there is a table.
        classes: K.
        colours: of `read_labelmap`.

    Returns:
        (height, width) uint8: 0, k + 1, 255.

    Raises:
        DataError: it cannot be read, or holds a colour or an id that is no class.
    """
    ids = read_coloured(path, colours) if colours else None
    ids = read_mask(path) if ids is None else ids
    counts = np.bincount(ids.ravel(), minlength=256)
    wrong = classes + 1 + np.flatnonzero(counts[classes + 1 : IGNORE])
    if wrong.size:
        share = counts[wrong].sum() / ids.size
        came = f"{shorten(wrong)} in {share:.1%} of the pixels; a {LABELMAP} maps colours"
        raise file_error(path, f"ids 0 to {classes} and {IGNORE}", came)
    return ids


def read_coloured(path: Path, colours: Colours) -> np.ndarray | None:
    """A mask in the table's colours; None where it has another, and no colour at all.

    Raises:
        DataError: an RGB mask has a colour that the table lacks.
    """
    with decoding(path, "a mask") as picture:
        is_colour = picture.mode not in ("1", "P", "L")
        if picture.mode[0] in "IF":
            return None
        pixels = np.asarray(picture.convert("RGB"), np.int32)
    keys = pixels @ (1 << 16, 1 << 8, 1)
    found, inverse = np.unique(keys, return_inverse=True)
    table = {(r << 16) + (g << 8) + b: value for (r, g, b), value in colours.items()}
    table.setdefault(0, 0)  # black: background
    table.setdefault((224 << 16) + (224 << 8) + 192, IGNORE)  # VOC's cream
    if unknown := [key for key in found.tolist() if key not in table]:
        if not is_colour:
            return None
        shown = (f"{key >> 16},{key >> 8 & 255},{key & 255}" for key in unknown)
        raise file_error(path, f"colours that {LABELMAP} lists", shorten(shown, 4))
    values = np.array([table[key] for key in found.tolist()], np.uint8)
    return values[inverse].reshape(keys.shape)


TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation → what turns the stored pixels upright."""


def orientation(path: Path) -> int:
    """The EXIF orientation of a photo, 1 where it says none."""
    with decoding(path, "a photo") as picture:
        return int(picture.getexif().get(0x0112, 1) or 1)


def upright_pair(
    photo: Path, mask: np.ndarray, drawn: str | Path
) -> tuple[np.ndarray, np.ndarray]:
    """The photo as EXIF asks, and its mask the same way up, whichever way it was drawn.

    Tools disagree about EXIF. A mask of a photo that is turned by a quarter shows by its
    size which pixels it was drawn on; of one that is turned by 180° or mirrored, nothing
    does, and guessing would score a mask upside down.

    Args:
        photo: the file.
        mask: (height, width), of the photo's pixels as they are stored, or upright.
        drawn: where the mask came from.

    Raises:
        DataError: the mask fits neither way, or both.
    """
    turn = TURNS.get(orientation(photo))
    stored = read_image(photo)
    if turn is None:
        return stored, check_size(mask, stored, drawn)
    upright = np.array(Image.fromarray(stored).transpose(turn))
    if mask.shape != stored.shape[:2]:
        return upright, check_size(mask, upright, drawn)
    if mask.shape != upright.shape[:2]:
        return upright, np.array(Image.fromarray(mask).transpose(turn))
    raise file_error(
        photo,
        "no EXIF turn where the mask could be drawn either way up (ImageMagick's "
        "mogrify -auto-orient turns the pixels; then look at the mask)",
        f"orientation {orientation(photo)}",
    )
