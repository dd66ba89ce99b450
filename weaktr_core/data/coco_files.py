"""Where COCO's index and photos lie: the official way, and as other tools export them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from weaktr_core.data.files import file_error, holds, shorten
from weaktr_core.data.names import SPLIT_WORDS


class Index(NamedTuple):
    """An annotation file, and whether it holds all splits at once."""

    path: Path
    shared: bool


def find_index(root: Path, split: str, year: int | None = None) -> Index:
    """The annotation file of a split; of several years, the earliest.

    Looked for are, in this order:
    ``annotations/instances_SPLITYEAR.json`` (official; CVAT without a year),
    ``SPLIT/_annotations.coco.json`` (Roboflow), ``annotations/instances_default.json``
    (CVAT), and the only JSON file of the folder (Label Studio, labelme2coco, VIA).

    Raises:
        DataError: there is none, or one cannot tell which.
    """
    folder = root / "annotations"
    words = SPLIT_WORDS.get(split, (split,))
    if year is not None:
        named = [folder / f"instances_{split}{year}.json"]
    else:
        named = [
            path
            for path in sorted(folder.glob("instances_*.json"))
            if path.stem[10:].lower().rstrip("0123456789") in words
        ]
        named += [root / word / "_annotations.coco.json" for word in words]
    if found := [path for path in named if path.is_file()]:
        return Index(found[0], shared=False)
    if year is None and split in ("train", "val") and (shared := shared_index(root)):
        return Index(shared, shared=True)
    years = "YEAR" if year is None else str(year)
    raise file_error(
        folder if folder.is_dir() else root,
        f"instances_{split}{years}.json (or an export of CVAT, Roboflow, Label Studio)",
        holds(folder if folder.is_dir() else root),
    )


def shared_index(root: Path) -> Path | None:
    """The one annotation file of a folder that has one for all photos, if it has."""
    default = root / "annotations" / "instances_default.json"
    if default.is_file():
        return default
    if (root / "annotations").is_dir():
        return None
    found = sorted(root.glob("*.json"))
    if len(found) > 1:
        raise file_error(root, "one COCO file, or one a split", shorten(found, 3))
    return found[0] if found else None


def has_index(root: Path) -> bool:
    """Whether a folder looks like COCO in any of these ways."""
    patterns = ("annotations/instances_*.json", "*/_annotations.coco.json", "*.json")
    return any(next(root.glob(pattern), None) for pattern in patterns)


def photo_folders(root: Path, index: Path) -> list[Path]:
    """Where photos of an index may lie, the likeliest first."""
    year = index.stem.removeprefix("instances_")  # train2014, beside annotations
    beside = index.parent if year == index.stem else root / year
    words = ["default", *(word for words in SPLIT_WORDS.values() for word in words)]
    images = root / "images"
    return [
        beside,
        images / year,
        images,
        *(images / word for word in words),
        root,
        index.parent,
    ]


def find_photo(folders: Sequence[Path], name: str) -> Path:
    """The photo in the first folder that has it; where none has, in the first."""
    name = name.replace("\\", "/")
    for folder in folders:
        if (path := folder / name).exists():
            return path
    return folders[0] / name
