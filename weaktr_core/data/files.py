"""Reading files so that a broken one is named in a single line."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from weaktr_core.data.sample import IGNORE, DataError


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
        path: any 8-bit format Pillow reads; grey and CMYK photos become RGB, of an
            animation the first picture is taken.
        upright: turn the photo as its EXIF orientation asks. Wrong for official VOC and
            COCO, whose masks and boxes follow the pixels as they are stored.

    Returns:
        (height, width, 3) uint8.

    Raises:
        DataError: the file is missing, cut off, or no 8-bit photo.
    """
    with decoding(path, "a photo") as picture:
        if picture.mode[0] in "IF":  # converting these would clip, not scale
            raise file_error(path, "8 bits a channel", f"mode {picture.mode}")
        turned = ImageOps.exif_transpose(picture) if upright else picture
        return np.array(turned.convert("RGB"))


def read_mask(path: str | Path) -> np.ndarray:
    """Decode a mask whose pixel values, or palette indices, are class ids.

    Returns:
        (height, width) uint8, the indices and not the palette's colours.

    Raises:
        DataError: the file is missing, cut off, stores colours or ids above 255.
    """
    expected = "a mask of class ids (palette or grey)"
    with decoding(path, expected) as picture:
        if picture.mode[0] not in "1PLI" or picture.mode in ("LA", "PA", "La"):
            came = f"colours (mode {picture.mode}); a labelmap.txt can say what they mean"
            raise file_error(path, expected, came)
        ids = np.array(picture)
    if ids.min(initial=0) < 0 or ids.max(initial=0) > IGNORE:
        raise file_error(path, f"ids from 0 to {IGNORE}", f"{ids.min()} to {ids.max()}")
    return ids.astype(np.uint8)


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


def read_bytes(path: Path, expected: str) -> bytes:
    """All of a file.

    Raises:
        DataError: it is missing, may not be read, or is a folder or a pipe.
    """
    try:
        require_file(path, expected)
        return path.read_bytes()
    except OSError as error:
        raise file_error(path, expected, reason(error)) from None


def require_file(path: str | Path, expected: str) -> None:
    """Complain about what would wait for ever, or is no file: pipes, devices, folders.

    Raises:
        DataError: something is there that is no ordinary file.
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise file_error(path, expected, reason(error)) from None
    if stat.S_ISDIR(mode):
        raise file_error(path, expected, "Is a directory")
    if not stat.S_ISREG(mode):
        raise file_error(path, expected, "a pipe or device")


def read_text(path: Path, expected: str) -> str:
    """A file in UTF-8, with or without a byte-order mark.

    Raises:
        DataError: as `read_bytes`, or it holds other bytes.
    """
    try:
        return read_bytes(path, expected).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        came = f"other bytes (at {error.start}); save it as UTF-8"
        raise file_error(path, f"{expected} in UTF-8", came) from None


def read_lines(path: Path, expected: str = "a list of image names") -> list[str]:
    """Lines that are not blank, without the blanks around them.

    Raises:
        DataError: the file is missing, no text, or has no such line.
    """
    lines = [line.strip() for line in read_text(path, expected).splitlines()]
    if not any(lines):
        raise file_error(path, expected, "an empty file")
    return [line for line in lines if line]


def read_json(path: Path) -> dict:
    """Parse a JSON file whose outermost value is an object.

    Raises:
        DataError: the file is missing, no valid JSON, or holds something else.
    """
    try:
        content = json.loads(read_bytes(path, "a JSON file"))
    except (ValueError, RecursionError) as error:
        raise file_error(path, "a JSON file", reason(error)) from None
    if not isinstance(content, dict):
        raise file_error(path, "a JSON object", f"a {type(content).__name__}")
    return content


@contextmanager
def decoding(path: str | Path, expected: str) -> Iterator[Image.Image]:
    """Open a picture; whatever a damaged one makes Pillow raise becomes one line."""
    require_file(path, expected)
    try:
        with Image.open(path) as picture:
            yield picture
    except UnidentifiedImageError:
        size = Path(path).stat().st_size
        came = f"{size} bytes in no image format"
        raise file_error(path, expected, came) from None
    except DataError:
        raise
    except Exception as error:  # a damaged file raises almost anything in Pillow
        raise file_error(path, expected, reason(error)) from error


def reason(error: BaseException) -> str:
    """Say what went wrong without repeating the path, as OSError does."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error}"
