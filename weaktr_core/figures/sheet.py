"""An overview of masks: photos beside their masks, many on one page."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from weaktr_core.labels.files import voc_palette
from weaktr_core.runtime import write_atomically

TILE = 160  # pixels, side of a picture on the sheet
COLUMNS = 3


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
