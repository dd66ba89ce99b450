"""Which photo has which tags, in any way that people write it down.

A table ``tags.csv``; ``metadata.jsonl`` or ``metadata.csv`` of Hugging Face's
imagefolder; a folder for each class. All become rows of the same kind.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from weaktr_core.data.files import file_error, holds, read_lines, read_text, shorten
from weaktr_core.data.names import SPLIT_WORDS, clean_name, inside, split_of, usual_split

TABLE = "tags.csv"
METADATA = ("metadata.jsonl", "metadata.csv")
PHOTO_COLUMNS = ("photo", "file_name")
TAG_COLUMNS = ("tags", "labels", "label")
NEGATIVE = ("none", "background", "negative", "negatives")
"""Folders of photos that show none of the classes."""

MASKS = "masks"
"""Folder of masks to measure with, called as their photos are."""

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


class Row(NamedTuple):
    """A photo's path below the root, its tags, and the split it belongs to."""

    photo: str
    tags: frozenset[str]
    split: str


def read_rows(root: Path) -> tuple[list[Row], Path]:
    """Every photo of a folder, of all splits, and the file or folder that says so.

    Raises:
        DataError: nothing says what is in the photos, or it is broken.
    """
    if (root / TABLE).exists():
        return read_table(root / TABLE, root), root / TABLE
    if found := metadata_of(root):
        rows = [row for path in found for row in read_table(path, root)]
        return rows, root if len(found) > 1 else found[0]
    rows = class_folders(root)
    if not rows:
        wanted = f"a table {TABLE}, or a folder of photos for each class"
        raise file_error(root, wanted, holds(root))
    return rows, root


def has_metadata(root: Path) -> bool:
    """Whether Hugging Face's table lies in a folder, or in those of its splits."""
    return bool(metadata_of(root))


def metadata_of(root: Path) -> list[Path]:
    """Hugging Face's tables: one beside the photos, or one a split."""
    places = ("", "*/")
    found = (root.glob(place + name) for place in places for name in METADATA)
    return [path for paths in found for path in sorted(paths)]


def read_table(path: Path, root: Path) -> list[Row]:
    """Rows of a ``tags.csv`` or of ``metadata.jsonl``.

    A table below the root belongs to the split that its folder is called by. Without
    one, and without a column ``split``, every fifth photo measures.

    Raises:
        DataError: no such file, no text, a column or a path missing, a photo twice.
    """
    entries = list(json_lines(path) if path.suffix == ".jsonl" else csv_rows(path))
    columns = set(entries[0]) if entries else set()
    photo_at = next((name for name in PHOTO_COLUMNS if name in columns), None)
    tags_at = next((name for name in TAG_COLUMNS if name in columns), None)
    if photo_at is None or tags_at is None:
        wanted = "columns photo,tags or photo,tags,split"
        raise file_error(path, wanted, shorten(map(str, columns)))
    below = path.parent.relative_to(root)
    known = split_of(below.parts[0]) if below.parts else None
    rows: dict[str, Row] = {}
    for index, entry in enumerate(entries):
        photo = str(entry.get(photo_at) or "").strip()
        if not photo or photo in rows:
            came = f"{photo!r} again" if photo else f"none in row {index + 2}"
            raise file_error(path, "another photo in each row", came)
        inside(root, photo, path)
        tags = tags_in(entry.get(tags_at), path)
        default = known or usual_split(index)
        split = str(entry.get("split") or default).strip()
        rows[photo] = Row((below / photo).as_posix(), tags, split_of(split))
    return list(rows.values())


def csv_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a table by column; spreadsheets of many countries save semicolons."""
    lines = read_text(path, "a table").splitlines()
    header = lines[0] if lines else ""
    delimiter = next((sign for sign in (",", ";", "\t") if sign in header), ",")
    try:
        rows = list(csv.DictReader(lines, delimiter=delimiter, skipinitialspace=True))
    except csv.Error as error:
        raise file_error(path, "a table", error) from None
    return [{str(k).strip().lower(): v for k, v in row.items()} for row in rows]


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """One JSON object a line."""
    for number, line in enumerate(read_lines(path, "a JSON object a line"), 1):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise file_error(f"{path} line {number}", "a JSON object", error) from None
        if not isinstance(entry, dict):
            raise file_error(f"{path} line {number}", "a JSON object", line[:40])
        yield entry


def tags_in(value: Any, path: Path) -> frozenset[str]:
    """``dog|ball``, or a list of names → a set of names.

    Raises:
        DataError: numbers, of which nobody says what they mean, or something else.
    """
    value = "" if value is None else value
    names = re.split(r"[|;,]", value) if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(it, str) for it in names):
        raise file_error(path, "tags that are names", repr(value)[:60])
    return frozenset(name for it in names if (name := clean_name(it)))


def class_folders(root: Path) -> list[Row]:
    """``CLASS/photo.jpg`` or ``SPLIT/CLASS/photo.jpg``, in order; ``masks`` is no class.

    Nothing where fewer than two folders hold photos: one folder of photos says nothing
    about what they show.

    Raises:
        DataError: a folder beside others is empty.
    """
    splits = {it: split_of(it.name) for it in folders_in(root)}
    splits = {it: split for it, split in splits.items() if split in SPLIT_WORDS}
    parents: dict[Path, str | None] = {**splits} or {root: None}
    found = {
        folder: split
        for parent, split in parents.items()
        for folder in folders_in(parent)
        if photos_in(folder) and not holds_masks(folder)
    }
    names = {folder.name for folder in found}
    if len(names) < 2:
        return []
    for folder in (it for parent in parents for it in folders_in(parent)):
        if folder.name not in names and not any(folder.iterdir()):
            raise file_error(folder, "photos of a class", "an empty folder")
    rows = []
    for folder, split in found.items():
        name = clean_name(folder.name)
        tags = frozenset() if name.lower() in NEGATIVE else frozenset({name})
        for index, photo in enumerate(photos_in(folder)):
            path = photo.relative_to(root).as_posix()
            rows.append(Row(path, tags, split or usual_split(index)))
    return rows


def holds_masks(folder: Path) -> bool:
    """Whether a folder is the one for masks, and no class of that name."""
    return folder.name == MASKS and all(it.suffix == ".png" for it in photos_in(folder))


def folders_in(folder: Path) -> list[Path]:
    """Folders of a folder, hidden ones not among them."""
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    return [it for it in inside if it.is_dir() and not it.name.startswith(".")]


def photos_in(folder: Path) -> list[Path]:
    """Photos of a folder, by what they are called."""
    return sorted(it for it in folder.iterdir() if it.suffix.lower() in ENDINGS)
