"""CAMs and masks on disk.

CAMs are one ``.npz`` per image: ``classes`` (P,) and ``maps`` (P, height, width) float16,
normalised. Masks are palette PNGs as VOC stores them: 0 background, k + 1, 255.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from weaktr_core.data.files import require_file
from weaktr_core.data.sample import DataError, TaggedDataset, without_masks
from weaktr_core.runtime import write_atomically

BROKEN = (
    OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What reading a damaged CAM file raises."""


def write_cam(path: Path, scores: np.ndarray, classes: np.ndarray, made: str = "") -> None:
    """Store normalised maps (P, height, width) of the classes (P,), and what made them."""
    ids, maps = classes.astype(np.uint16), scores.astype(np.float16)
    write_atomically(
        path, lambda part: np.savez_compressed(part, classes=ids, maps=maps, made=made)
    )


def made_of(path: Path) -> str | None:
    """What a CAM file says it was made of; None where there is no such file, or no word."""
    try:
        require_file(path, "a CAM file")
        with np.load(path) as stored:
            return str(stored["made"])
    except (*BROKEN, DataError):
        return None


def read_cam(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Scores (P, height, width) float32 and classes (P,) of a CAM file."""
    require_file(path, "a CAM file of make-labels")
    try:
        with np.load(path) as stored:
            return stored["maps"].astype(np.float32), stored["classes"]
    except BROKEN as error:
        raise DataError(f"{path}: expected a CAM file, got {error}") from None


def read_cams(
    dataset: TaggedDataset, folder: Path
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`read_cam` of every image of a dataset, in its order."""
    for sample in without_masks(dataset):
        yield read_cam(folder / f"{sample.name}.npz")


def write_mask(path: Path, labels: np.ndarray) -> None:
    """Store a label map (height, width), ids 0 to 255, as a palette PNG."""
    image = Image.fromarray(labels.astype(np.uint8), mode="P")
    image.putpalette(voc_palette().flatten().tolist())
    write_atomically(path, lambda part: image.save(part, format="PNG"))


def voc_palette() -> np.ndarray:
    """(256, 3) uint8, VOC's: bits 3j, 3j+1, 3j+2 of an id are bit 7-j of R, G, B."""
    ids = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            on = (ids >> (3 * bit + channel)) & 1
            colours[:, channel] |= (on << (7 - bit)).astype(np.uint8)
    return colours
