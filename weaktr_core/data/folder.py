"""Photos of your own on disk: a table of tags, or VOC's layout written for you."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from weaktr_core.data.files import check_size, file_error, read_image, read_mask, shorten
from weaktr_core.data.sample import IGNORE, Sample
from weaktr_core.data.voc import CLASSES as VOC_CLASSES

TABLE = "tags.csv"


class TaggedFolder:
    """Photos and a table of their tags, with class names of your own.

    ::

        photo,tags,split
        photos/rex.jpg,dog|ball,train
        photos/garden.jpg,,train
        photos/tom.jpg,cat,val

    Paths are relative to the folder of the table. Tags have ``|`` between them; a photo
    without any is a photo of none of the classes, which is worth having. Without a
    column ``split``, every fifth photo measures ("val") and the others train. The K
    classes are all tags of the table, alphabetically. ``masks/STEM.png``, if it is
    there, is read for measuring. Photos are turned as their EXIF data ask.

    Args:
        root: the folder that holds ``tags.csv``.
        split: "train", "val" or another word of the table's column.

    Raises:
        DataError: the table is missing or broken, or has no photo of the split.
    """

    masks = True
    """Whether masks are read."""

    def __init__(self, root: str | Path, split: str = "train"):
        self.root = Path(root).expanduser()
        rows = read_table(self.root / TABLE)
        self.classes = tuple(sorted({tag for _, tags, _ in rows for tag in tags}))
        if not self.classes:
            raise file_error(self.root / TABLE, "at least one tag", "none")
        self.rows = [(photo, tags) for photo, tags, of in rows if of == split]
        if not self.rows:
            known = shorten(sorted({of for _, _, of in rows}))
            expected = f"photos of split {split!r}"
            raise file_error(self.root / TABLE, expected, f"photos of {known}")

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        photo, given = self.rows[index]
        image = read_image(self.root / photo, upright=True)
        tags = np.array([name in given for name in self.classes], np.float32)
        drawn = self.root / "masks" / f"{Path(photo).stem}.png"
        wanted = self.masks and drawn.exists()
        mask = check_size(read_mask(drawn), image, drawn) if wanted else None
        return Sample(image, tags, mask, Path(photo).stem)


def read_table(path: Path) -> list[tuple[str, frozenset[str], str]]:
    """Photo, tags and split of each row of a ``tags.csv``.

    Raises:
        DataError: no such file, no text, a column or a path missing, a name used twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        came = getattr(error, "strerror", None) or "other bytes"
        raise file_error(path, "a table in UTF-8", came) from None
    header = lines[0] if lines else ""
    # spreadsheets of many countries save with semicolons
    delimiter = next((sign for sign in (",", ";", "\t") if sign in header), ",")
    rows = list(csv.DictReader(lines, delimiter=delimiter))
    if not {"photo", "tags"} <= set(rows[0] if rows else {}):
        raise file_error(path, "a first line photo,tags or photo,tags,split", repr(header))
    found: dict[str, tuple[str, frozenset[str], str]] = {}
    for index, row in enumerate(rows):
        photo = (row["photo"] or "").strip()
        stem = Path(photo).stem
        if not photo or stem in found:
            came = f"{stem!r} again" if photo else f"none in row {index + 2}"
            raise file_error(path, "a photo of another name in each row", came)
        tags = frozenset(re.split(r"\s*[|;,]\s*", (row["tags"] or "").strip())) - {""}
        default = "val" if index % 5 == 4 else "train"
        found[stem] = (photo, tags, (row.get("split") or default).strip())
    return list(found.values())


def write_voc(
    folder: Path, split: str, samples: Iterable[Sample], classes: Sequence[str]
) -> None:
    """Store samples as VOC 2012 does: photos, tags as XML, masks, the list of a split.

    Only what this package reads is written: an object has a name and no box.

    Args:
        folder: receives ``JPEGImages``, ``Annotations`` and the rest.
        split: name of the list, "train" or "val".
        samples: with the tags and masks of ``classes``.
        classes: K names; those that occur must be VOC's.

    Raises:
        ValueError: for a tag that VOC does not have.
    """
    ids = np.full(256, IGNORE, dtype=np.uint8)
    ids[0] = 0
    for k, name in enumerate(classes, 1):
        ids[k] = VOC_CLASSES.index(name) + 1 if name in VOC_CLASSES else IGNORE
    names = []
    for sample in samples:
        names.append(sample.name)
        save(Image.fromarray(sample.image), folder / "JPEGImages" / f"{sample.name}.jpg")
        tagged = [classes[int(k)] for k in np.flatnonzero(sample.tags)]
        if unknown := [name for name in tagged if name not in VOC_CLASSES]:
            raise ValueError(f"VOC has no class {', '.join(unknown)}")
        write_annotation(folder / "Annotations" / f"{sample.name}.xml", tagged)
        if sample.mask is not None:
            save(
                Image.fromarray(ids[sample.mask]),
                folder / "SegmentationClass" / f"{sample.name}.png",
            )
    listed = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.write_text("\n".join(names) + "\n", encoding="utf8")


def write_annotation(path: Path, names: Sequence[str]) -> None:
    """The least that makes an annotation: one object per tag, a name in each."""
    root = ElementTree.Element("annotation")
    for name in names:
        ElementTree.SubElement(ElementTree.SubElement(root, "object"), "name").text = name
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path)


def save(image: Image.Image, path: Path) -> None:
    """Write a picture, its folder made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=95)
