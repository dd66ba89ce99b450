"""Many photos on one page: beside their masks, or above their tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from weaktr_core.data.sample import Sample
from weaktr_core.figures.fonts import font_file, in_font
from weaktr_core.labels.files import voc_palette
from weaktr_core.runtime import write_atomically

TILE = 160  # pixels, side of a picture on the sheet
COLUMNS = 3
CONTACTS = 60


def save_sheet(pairs: Iterable[tuple[np.ndarray, np.ndarray]], path: Path) -> None:
    """Write photos and their masks as one JPEG; nothing where there are none.

    Args:
        pairs: photo (height, width, 3) uint8 and label map (height, width).
        path: the file.
    """
    tiles = [tile(image, labels) for image, labels in pairs]
    if not tiles:
        return
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    starts = range(0, len(tiles), COLUMNS)
    rows = [np.concatenate(tiles[start : start + COLUMNS], axis=1) for start in starts]
    sheet = Image.fromarray(np.concatenate(rows))
    write_atomically(path, lambda part: sheet.save(part, quality=88))


def tile(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Photo beside its mask overlay, (TILE, 2·TILE, 3)."""
    painted = voc_palette()[labels] * 0.6 + image * 0.4
    overlay = np.where((labels > 0)[..., None], painted, image * 0.6)
    pair = [Image.fromarray(p.astype(np.uint8)).resize((TILE, TILE))
            for p in (image, overlay)]  # fmt: skip
    return np.concatenate([np.asarray(p) for p in pair], axis=1)


def save_contacts(samples: Sequence[Sample], classes: Sequence[str], path: Path) -> None:
    """Write photos with their names and tags as one JPEG; nothing where there are none."""
    columns, line = 2 * COLUMNS, 14
    rows = -(-len(samples) // columns)
    if not rows:
        return
    cell = (TILE + 8, TILE + 2 * line + 8)
    sheet = Image.new("RGB", (columns * cell[0], rows * cell[1]), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(font_file(), 11)
    for index, sample in enumerate(samples):
        left, top = (index % columns) * cell[0] + 4, (index // columns) * cell[1] + 4
        photo = ImageOps.pad(Image.fromarray(sample.image), (TILE, TILE), color="white")
        sheet.paste(photo, (left, top))
        tags = [classes[int(k)] for k in np.flatnonzero(sample.tags)]
        for row, text in enumerate((sample.name, ", ".join(tags) or "(no tag)")):
            place = (left, top + TILE + row * line)
            draw.text(place, in_font(text)[:26], font=font, fill="black")
    write_atomically(path, lambda part: sheet.save(part, "JPEG", quality=88))
