"""Arrays and photos as JSON values that a page can hold."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from weaktr_core.figures.style import class_colours

LEVELS = 32
"""Steps of a heat map: as many as an eye tells apart; fewer compress better."""

LONGEST = 420
"""Pixels of the longer side of a photo on a page."""


def pack(values: UInt8[np.ndarray, ...]) -> dict[str, Any]:
    """Bytes, row-major, as ``{"data": "zlib:<base64>", "shape": [...]}``."""
    packed = zlib.compress(np.ascontiguousarray(values).tobytes(), 9)
    text = "zlib:" + base64.b64encode(packed).decode()
    return {"data": text, "shape": list(values.shape)}


def unpack(packed: dict[str, Any]) -> UInt8[np.ndarray, ...]:
    """Undo `pack`."""
    raw = zlib.decompress(base64.b64decode(packed["data"].removeprefix("zlib:")))
    return np.frombuffer(raw, dtype=np.uint8).reshape(packed["shape"])


def quantise(rows: Float[np.ndarray, "... N"]) -> UInt8[np.ndarray, "... N"]:
    """Each row in steps of its largest value: 0 to 255, `LEVELS` values used."""
    largest = np.maximum(rows.max(axis=-1, keepdims=True), 1e-12)
    steps = np.round(np.clip(rows / largest, 0, 1) * (LEVELS - 1))
    return np.round(steps * (255 / (LEVELS - 1))).astype(np.uint8)


def pack_rows(rows: Float[np.ndarray, "... N"], levels: int = 256) -> dict[str, Any]:
    """Rows that will be added up: unlike `quantise`, the bytes keep each row's scale.

    A value is top · (tops / 255)² · values[code]: the largest of all, a byte per row, a
    byte per value. Codes are steps of the square root, so most of them lie near zero,
    as most attention does. ``values`` are the means of what shares a code: errors of
    rows that are added cancel instead of piling up. Fewer levels compress better.

    Returns:
        ``{"codes": packed (..., N), "tops": packed (...), "top": float, "values": list}``.
    """
    top = max(float(rows.max(initial=0.0)), 1e-12)
    largest = np.clip(rows.max(axis=-1), 0, None) / top
    tops = np.ceil(255 * np.sqrt(largest) - 1e-6).astype(np.uint8)
    scale = np.broadcast_to((tops / 255)[..., None] ** 2, rows.shape)
    share = np.clip(rows / np.maximum(top * scale, 1e-30), 0, 1)
    codes = np.round(np.sqrt(share) * (levels - 1)).astype(np.uint8)
    mass = np.bincount(codes.ravel(), (scale * share).ravel(), levels)
    count = np.bincount(codes.ravel(), scale.ravel(), levels)
    steps = (np.arange(levels) / (levels - 1)) ** 2
    means = np.where(count > 0, mass / np.maximum(count, 1e-30), steps)
    values = [float(f"{v:.6g}") for v in means]
    return dict(codes=pack(codes), tops=pack(tops), top=top, values=values)


def unpack_rows(packed: dict[str, Any]) -> Float[np.ndarray, "... N"]:
    """Undo `pack_rows`, up to its steps."""
    scale = packed["top"] * (unpack(packed["tops"]) / 255) ** 2
    return scale[..., None] * np.array(packed["values"])[unpack(packed["codes"])]


def jpeg(photo: UInt8[np.ndarray, "height width 3"]) -> str:
    """A photo as a data URI, made no larger than `LONGEST` pixels a side."""
    picture = Image.fromarray(photo)
    picture.thumbnail((LONGEST, LONGEST))
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def check_photo(photo: np.ndarray) -> None:
    """Raise ValueError unless ``photo`` is (height, width, 3) uint8."""
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8:
        came = f"{photo.shape} {photo.dtype}"
        raise ValueError(f"a photo is (height, width, 3) uint8, came {came}")


def per_photo(count: int, **given: Any) -> list[dict[str, Any]]:
    """Lists with an entry for each photo → a dictionary for each photo. None: no entry."""
    lists = {n: [None] * count if v is None else list(v) for n, v in given.items()}
    if wrong := {n: len(v) for n, v in lists.items() if len(v) != count}:
        raise ValueError(f"{count} photos, but entries for {wrong}")
    return [{n: values[i] for n, values in lists.items()} for i in range(count)]


def photo_names(names: Sequence[str] | None, count: int) -> Sequence[str]:
    """Names as given, else numbered from "photo 1" on."""
    return names or [f"photo {n + 1}" for n in range(count)]


def label_key(class_names: Sequence[str]) -> dict[str, list]:
    """Name and colour of the background and of every class, by label."""
    names = ["background", *map(str, class_names)]
    return dict(names=names, colours=class_colours(np.arange(len(names))).tolist())


def find_grid(patches: int, grid: tuple[int, int] | None) -> tuple[int, int]:
    """(h, w) of the patches: as given, else square."""
    side = round(patches**0.5)
    h, w = grid or (side, side)
    if h * w != patches:
        asked = (
            f"grid={grid} has {h * w}" if grid else "that is no square; give grid=(h, w)"
        )
        raise ValueError(f"{patches} patches, but {asked}")
    return h, w
