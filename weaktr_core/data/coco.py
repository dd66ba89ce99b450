"""COCO 2014 / 2017 with image tags, and masks painted from its instances."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as rle

from weaktr_core.data.files import (
    check_size,
    file_error,
    holds,
    read_image,
    read_json,
    shorten,
)
from weaktr_core.data.sample import IGNORE, Sample

# fmt: off
CLASSES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck",
    "boat", "traffic light", "fire hydrant", "stop sign", "parking meter", "bench",
    "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra",
    "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove",
    "skateboard", "surfboard", "tennis racket", "bottle", "wine glass", "cup",
    "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse",
    "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "book", "clock", "vase", "scissors", "teddy bear",
    "hair drier", "toothbrush",
)
# fmt: on
"""The 80 classes in the order of their official ids, which run from 1 to 90."""


class Instance(NamedTuple):
    """One annotated object.

    Attributes:
        label: index in ``CLASSES``.
        crowd: True where a group was outlined as a whole.
        segmentation: polygons or run lengths; ``None`` if masks are not read.
    """

    label: int
    crowd: bool
    segmentation: Any


class COCO:
    """COCO images, tagged with the categories that have an annotation in them.

    Category ids are mapped **by name**. The 80 ids have gaps (the first is at
    12), so an id taken for a position shifts all classes behind the gap: scores
    of about 7 % mIoU from a good network are the sign of it. Names that differ
    from the official 80 are an error.

    A crowd region tags its image like any object: "there are people in it" holds.
    In the mask its pixels are 255, because the outline takes in what stands
    between the members, and a crowd never overwrites an instance. Of the
    others larger ones are painted first, so a small object in front of a large
    one stays visible.

    Only the index is read before an image is asked for. It takes some GB of
    memory for the full training set, well below one with ``masks=False``.

    Args:
        root: the folder with ``annotations`` and ``train2014`` or the like.
        split: "train" or "val".
        year: 2014 or 2017; ``None`` takes the earliest whose index is there.
        masks: also paint masks; ``False`` forgets the outlines.
        drop_untagged: leave out images without any annotation. ``None``: leave
            them out of "train" (2014: 82 081 of 82 783 stay) and keep them in
            "val" (40 504; ``True`` gives the 40 137 of published results).

    Raises:
        DataError: a file or folder is missing or broken, or a name unknown.
    """

    classes = CLASSES

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        year: int | None = None,
        masks: bool = True,
        drop_untagged: bool | None = None,
    ) -> None:
        if split not in ("train", "val"):
            raise file_error(root, "a split of train, val", repr(split))
        root = Path(root).expanduser()
        self.index = _find_index(root, split, year)
        self.folder = root / self.index.stem.removeprefix("instances_")
        self.masks = masks
        if drop_untagged is None:
            drop_untagged = split == "train"
        try:
            self._read_index(drop_untagged)
        except (KeyError, TypeError) as error:
            came = f"an entry without it ({type(error).__name__}: {error})"
            expected = "images, annotations and categories in COCO's format"
            raise file_error(self.index, expected, came) from error

    def __len__(self) -> int:
        return len(self._photos)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        photo = self._photos[index]
        path = self.folder / photo["file_name"]
        instances = self._instances.get(photo["id"], [])
        tags = np.zeros(len(CLASSES), np.float32)
        tags[[instance.label for instance in instances]] = 1
        image, mask = read_image(path), None
        if self.masks:
            mask = self._mask(photo, instances)
            check_size(mask, image, f"{self.index} ({path.name})")
        return Sample(image, tags, mask, path.stem)

    def _read_index(self, drop_untagged: bool) -> None:
        content = read_json(self.index)
        label_of = class_of_category(content["categories"], self.index)
        photos = sorted(content["images"], key=lambda photo: photo["id"])
        instances: dict[int, list[Instance]] = defaultdict(list)
        for entry in content["annotations"]:
            label, crowd = label_of[entry["category_id"]], bool(entry.get("iscrowd"))
            outline = entry.get("segmentation") if self.masks else None
            instances[entry["image_id"]].append(Instance(label, crowd, outline))
        strays = instances.keys() - {photo["id"] for photo in photos}
        if strays:
            came = f"annotations of unknown images {shorten(sorted(strays))}"
            raise file_error(self.index, "each annotated image in 'images'", came)
        self._instances = dict(instances)
        self._photos = [p for p in photos if p["id"] in instances or not drop_untagged]

    def _mask(self, photo: dict, instances: list[Instance]) -> np.ndarray:
        try:
            return paint(instances, photo["height"], photo["width"])
        except Exception as error:  # pycocotools raises almost anything
            expected = "polygons or run lengths (masks=False reads tags only)"
            where = f"{self.index} ({photo['file_name']})"
            raise file_error(where, expected, error) from error


def class_of_category(categories: list[dict], path: Path) -> dict[int, int]:
    """Map category ids to indices in ``CLASSES`` by name, in whatever order.

    Raises:
        DataError: names or ids are missing, unknown or there twice; lists them.
    """
    names = [category["name"] for category in categories]
    unknown = [name for name in names if name not in CLASSES]
    missing = [name for name in CLASSES if name not in names]
    if unknown or missing:
        came = f"unknown names: {shorten(unknown)}; missing names: {shorten(missing)}"
        raise file_error(path, "the 80 official COCO categories", came)
    label_of = {entry["id"]: CLASSES.index(entry["name"]) for entry in categories}
    if len(label_of) != len(CLASSES) or len(names) != len(CLASSES):
        came = f"{len(names)} with {len(label_of)} different ids"
        raise file_error(path, "80 categories, each once", came)
    return label_of


def paint(instances: list[Instance], height: int, width: int) -> np.ndarray:
    """Paint instances into one mask: crowds, then from large to small.

    Returns:
        (height, width) uint8: ``label + 1``, 255 where only a crowd is, else 0.

    Raises:
        ValueError: an outline is empty or made for an image of another size.
    """
    runs = [_run_lengths(it.segmentation, height, width) for it in instances]
    layers = sorted(
        zip(instances, runs, strict=True),
        key=lambda layer: (not layer[0].crowd, -int(rle.area(layer[1]))),
    )
    mask = np.zeros((height, width), np.uint8)
    with warnings.catch_warnings():
        # pycocotools 2.0 hands numpy 2 an object with the old __array__ signature.
        warnings.simplefilter("ignore", DeprecationWarning)
        for instance, run in layers:
            value = IGNORE if instance.crowd else instance.label + 1
            mask[rle.decode(run) > 0] = value
    return mask


def _run_lengths(outline: Any, height: int, width: int) -> dict:
    """Compressed run lengths from polygons or either kind of run lengths."""
    if not outline:
        raise ValueError(f"an outline that is {outline!r}")
    if isinstance(outline, list):
        return rle.merge(rle.frPyObjects(outline, height, width))
    if list(outline["size"]) != [height, width]:
        raise ValueError(f"size {outline['size']} in an image {height} x {width}")
    if isinstance(outline["counts"], list):
        if sum(outline["counts"]) != height * width:
            # Decoding would leave the rest of the mask as the memory happened to be.
            raise ValueError(f"run lengths that do not fill {height} x {width}")
        return rle.frPyObjects(outline, height, width)
    return outline


def _find_index(root: Path, split: str, year: int | None) -> Path:
    """The annotation file of a split; of several years, the earliest."""
    folder = root / "annotations"
    pattern = f"instances_{split}{'[0-9]' * 4 if year is None else year}.json"
    found = sorted(folder.glob(pattern))
    if not found:
        years = (2014, 2017) if year is None else (year,)
        wanted = " or ".join(f"instances_{split}{year}.json" for year in years)
        raise file_error(folder, wanted, holds(folder))
    return found[0]
