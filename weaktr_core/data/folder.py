"""Photos of your own on disk: tags however they are told, or VOC written for you."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from weaktr_core.data.drawn import (
    LABELMAP,
    LabelMap,
    read_drawn,
    read_labelmap,
    upright_pair,
)
from weaktr_core.data.files import file_error, read_image, shorten
from weaktr_core.data.names import check_classes, unique_names
from weaktr_core.data.sample import IGNORE, Sample
from weaktr_core.data.tables import MASKS, read_rows
from weaktr_core.data.voc import CLASSES as VOC_CLASSES


class TaggedFolder:
    """Photos and their tags, with class names of your own.

    ::

        photo,tags,split
        photos/rex.jpg,dog|ball,train
        photos/garden.jpg,,train
        photos/tom.jpg,cat,val

    That is a table ``tags.csv``, with paths relative to its folder. A photo without any
    tag is a photo of none of the classes, which is worth having. Without a column
    ``split``, every fifth photo measures ("val") and the others train. Instead of the
    table there may be Hugging Face's ``metadata.jsonl``, or a folder of photos for each
    class, in folders train and val or not; ``none`` holds photos of none.

    The K classes are all tags, alphabetically, or those of ``labelmap.txt``.
    ``masks/NAME.png``, if it is there, is read for measuring; its values are ids, or
    colours that ``labelmap.txt`` lists. Photos are turned as their EXIF data ask.

    Args:
        root: the folder that holds all this.
        split: "train", "val" or another word of the table's column.
        masks: whether masks are read.

    Raises:
        DataError: the table is missing or broken, or has no photo of the split.
    """

    def __init__(self, root: str | Path, split: str = "train", masks: bool = True):
        self.root, self.masks = Path(root).expanduser(), masks
        rows, source = read_rows(self.root)
        labelmap = self.root / LABELMAP
        known = read_labelmap(labelmap) if labelmap.exists() else LabelMap()
        found = sorted({tag for row in rows for tag in row.tags})
        if known.classes and (strange := set(found) - set(known.classes)):
            raise file_error(
                source, f"tags that {LABELMAP} lists", shorten(sorted(strange))
            )
        if not found:
            raise file_error(source, "at least one tag", "none")
        self.classes = known.classes or check_classes(found, source)
        self.colours = known.colours
        names = unique_names([row.photo for row in rows])
        self.rows = [
            (row, name) for row, name in zip(rows, names, strict=True) if row.split == split
        ]
        if not self.rows:
            came = f"photos of {shorten(sorted({row.split for row in rows}))}"
            raise file_error(source, f"photos of split {split!r}", came)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        row, name = self.rows[index]
        photo = self.root / row.photo.replace("\\", "/")
        drawn = self.root / MASKS / f"{name}.png"
        tags = np.array([it in row.tags for it in self.classes], np.float32)
        if not (self.masks and drawn.exists()):
            return Sample(read_image(photo, upright=True), tags, None, name)
        mask = read_drawn(drawn, len(self.classes), self.colours)
        image, mask = upright_pair(photo, mask, drawn)
        return Sample(image, tags, mask, name)


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
