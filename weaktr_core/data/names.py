"""Names from outside: of classes, of photos, of files that must stay in their folder."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from weaktr_core.data.files import file_error, shorten
from weaktr_core.data.sample import IGNORE

MOST_CLASSES = IGNORE - 1
"""Masks store class k as k + 1 in 8 bits, and 255 means "do not count"."""


SPLIT_WORDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""What tools call a split."""


def clean_name(name: str) -> str:
    """A class name as it is compared: accents composed, blanks around it gone."""
    return unicodedata.normalize("NFC", name).strip()


def check_classes(names: Iterable[str], where: str | Path) -> tuple[str, ...]:
    """Class names that can be told apart, printed, and stored in 8-bit masks.

    Raises:
        DataError: none, more than 254, one that is empty or holds line breaks, or two
            that differ in nothing but capitals.
    """
    classes = tuple(names)
    if not 1 <= len(classes) <= MOST_CLASSES:
        came = f"{len(classes)}" if classes else "none"
        raise file_error(where, f"1 to {MOST_CLASSES} classes (masks have 8 bits)", came)
    for name in classes:
        if not name or any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name):
            raise file_error(where, "class names that can be printed", repr(name))
    folded = Counter(name.casefold() for name in classes)
    if twins := [name for name in classes if folded[name.casefold()] > 1]:
        raise file_error(where, "one spelling of each class", shorten(twins))
    return classes


def inside(root: Path, name: str, where: str | Path) -> Path:
    """``root / name``, of a name that some list or table gives.

    Args:
        root: the folder that may be read.
        name: relative, with slashes of either kind.
        where: the list, for the complaint.

    Raises:
        DataError: the name is absolute, empty, or leads out of the folder.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    drive = len(name) > 1 and name[1] == ":" and name[0].isalpha()
    if path.is_absolute() or drive or ".." in path.parts or "\0" in name or not path.name:
        raise file_error(where, "names of files inside its folder", repr(name))
    return root / path


def unique_names(paths: Sequence[str]) -> list[str]:
    """A name for each photo that its mask and maps can be stored under.

    The stem where no other photo has it; else folders joined to it, then its ending.

    >>> unique_names(["a/1.jpg", "b/1.jpg", "b/2.jpg", "b/2.png"])
    ['a__1', 'b__1', 'b__2_jpg', 'b__2_png']
    """
    parts = [PurePosixPath(path.replace("\\", "/")) for path in paths]
    long = ["__".join(path.with_suffix("").parts) for path in parts]
    full = [f"{name}_{path.suffix[1:]}" for name, path in zip(long, parts, strict=True)]
    names = [path.stem for path in parts]
    for finer in (long, full):
        count = Counter(name.casefold() for name in names)
        names = [
            better if count[name.casefold()] > 1 else name
            for name, better in zip(names, finer, strict=True)
        ]
    return names


def usual_split(index: int) -> str:
    """Where nobody said which photos measure: every fifth, "val"; the others "train"."""
    return "val" if index % 5 == 4 else "train"


def split_of(word: str) -> str:
    """``valid`` → ``val``; words that are no split's stay."""
    for split, words in SPLIT_WORDS.items():
        if word.lower() in words:
            return split
    return word
