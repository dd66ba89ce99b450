"""Reading files so that a broken one is named in a single line."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from weaktr_core.data.sample import DataError

# What Pillow raises, format by format, for files that are cut off or damaged.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)


def file_error(path: str | Path, expected: str, came: object) -> DataError:
    """The error every reader of this package raises: one line, ready to raise.

    Args:
        path: the file or folder that is at fault.
        expected: what should have been there.
        came: what was there; line breaks in it are flattened.
    """
    return DataError(f"{path}: expected {expected}, came {' '.join(str(came).split())}")


def shorten(names: Iterable[object], limit: int = 12) -> str:
    """``a, b, c and 5 more``: a list that fits in an error message."""
    words = [str(name) for name in names]
    more = len(words) - limit
    listed = ", ".join(words[:limit]) or "nothing"
    return f"{listed} and {more} more" if more > 0 else listed


def holds(folder: Path) -> str:
    """What a folder holds, in words, for the end of an error message."""
    if not folder.is_dir():
        return "no such folder"
    entries = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir())
    return f"a folder with {shorten(entries, 8)}"


def read_image(path: str | Path, upright: bool = False) -> np.ndarray:
    """Decode a photo.

    Args:
        path: any 8-bit format Pillow reads; grey and CMYK photos become RGB.
        upright: turn the photo as its EXIF orientation asks. Wrong for VOC and
            COCO, whose masks and boxes follow the pixels as they are stored.

    Returns:
        (height, width, 3) uint8.

    Raises:
        DataError: the file is missing, cut off, or no 8-bit photo.
    """
    with _decoding(path, "a photo") as picture:
        if picture.mode[0] in "IF":  # converting these would clip, not scale
            raise file_error(path, "8 bits a channel", f"mode {picture.mode}")
        turned = ImageOps.exif_transpose(picture) if upright else picture
        return np.array(turned.convert("RGB"))


def read_mask(path: str | Path) -> np.ndarray:
    """Decode a mask whose pixel values, or palette indices, are class ids.

    Returns:
        (height, width) uint8, the indices and not the palette's colours.

    Raises:
        DataError: the file is missing, cut off, or stores colours.
    """
    expected = "a mask of class ids (8-bit palette or grey)"
    with _decoding(path, expected) as picture:
        if picture.mode not in ("P", "L"):
            raise file_error(path, expected, f"an image of mode {picture.mode}")
        return np.array(picture)


def check_size(mask: np.ndarray, image: np.ndarray, path: str | Path) -> np.ndarray:
    """Return ``mask`` (height, width) if ``image`` (height, width, 3) is as large.

    Raises:
        DataError: the sizes differ; ``path`` is where the mask came from.
    """
    if mask.shape != image.shape[:2]:
        (height, width), (rows, columns) = image.shape[:2], mask.shape
        raise file_error(
            path,
            f"a mask as large as its photo, {height} x {width} (height x width)",
            f"{rows} x {columns}",
        )
    return mask


def read_lines(path: Path) -> list[str]:
    """The first word of each line that is not blank.

    Raises:
        DataError: the file is missing, no text, or has no such line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise file_error(path, "a list of image names", _reason(error)) from None
    names = [line.split()[0] for line in lines if line.strip()]
    if not names:
        raise file_error(path, "a list of image names", "an empty file")
    return names


def read_json(path: Path) -> dict:
    """Parse a JSON file whose outermost value is an object.

    Raises:
        DataError: the file is missing, no valid JSON, or holds something else.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise file_error(path, "a JSON file", _reason(error)) from None
    if not isinstance(content, dict):
        raise file_error(path, "a JSON object", f"a {type(content).__name__}")
    return content


@contextmanager
def _decoding(path: str | Path, expected: str) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as picture:
            yield picture
    except UnidentifiedImageError:
        size = Path(path).stat().st_size
        came = f"{size} bytes in no image format"
        raise file_error(path, expected, came) from None
    except _BROKEN as error:
        raise file_error(path, expected, _reason(error)) from error


def _reason(error: BaseException) -> str:
    """Say what went wrong without repeating the path, as OSError does."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error}"
