"""COCO with image tags, official or of one's own, and masks painted from instances."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from weaktr_core.data.coco_files import find_index, find_photo, photo_folders
from weaktr_core.data.drawn import upright_pair
from weaktr_core.data.files import (
    check_size,
    file_error,
    read_image,
    read_json,
    shorten,
)
from weaktr_core.data.names import (
    check_classes,
    clean_name,
    inside,
    unique_names,
    usual_split,
)
from weaktr_core.data.outlines import Instance, outlined, paint
from weaktr_core.data.sample import Sample

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


class COCO:
    """COCO images, tagged with the categories that have an annotation in them.

    Classes are the official 80 where half of their names are there; a name that is
    unknown or missing is then an error, and ids are mapped **by name**: they have gaps
    (the first is at 12), so an id taken for a position shifts all classes behind the
    gap. Scores of about 7 % mIoU from a good network are the sign of it. Otherwise the
    classes are the file's own, by id.

    A crowd region tags its image like any object: "there are people in it" holds.
    In the mask its pixels are 255, because the outline takes in what stands
    between the members, and a crowd never overwrites an instance. Of the
    others larger ones are painted first, so a small object in front of a large
    one stays visible. An image with an object that has a box only has tags and no mask.

    Only the index is read before an image is asked for. It takes some GB of
    memory for the full training set, well below one with ``masks=False``. Photos of
    the official data are taken as stored; those of one's own are turned as EXIF asks.

    Args:
        root: the folder with ``annotations`` and ``train2014`` or the like, or an
            export of CVAT, Roboflow, Label Studio, labelme2coco or VIA.
        split: "train", "val", or what else an index is called by. Where one index is
            for all, every fifth photo measures and the others train.
        year: 2014 or 2017; ``None`` takes the earliest whose index is there.
        masks: also paint masks; ``False`` forgets the outlines.
        drop_untagged: leave out images without any annotation. ``None``: leave
            them out of the official "train" (2014: 82 081 of 82 783 stay) and keep them
            in "val" (40 504; ``True`` gives the 40 137 of published results). Of one's
            own they stay: a photo of none of the classes is worth having.

    Raises:
        DataError: a file or folder is missing or broken, or a name unknown.
    """

    classes: tuple[str, ...] = CLASSES

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        year: int | None = None,
        masks: bool = True,
        drop_untagged: bool | None = None,
    ) -> None:
        root = Path(root).expanduser()
        found = find_index(root, split, year)
        self.index, self.masks = found.path, masks
        self.folders = photo_folders(root, self.index)
        try:
            self._read_index(root, split if found.shared else None, drop_untagged)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            came = f"an entry without it ({type(error).__name__}: {error})"
            expected = "images, annotations and categories in COCO's format"
            raise file_error(self.index, expected, came) from error

    def __len__(self) -> int:
        return len(self._photos)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        photo, name = self._photos[index]
        instances = self._instances.get(str(photo["id"]), [])
        tags = np.zeros(len(self.classes), np.float32)
        tags[[instance.label for instance in instances]] = 1
        path = find_photo(self.folders, photo["file_name"])
        image, mask = read_image(path, upright=not self.official), None
        if self.masks and all(outlined(it.segmentation) for it in instances):
            mask = self._mask(photo, instances, image)
            where = f"{self.index} ({path.name})"
            if self.official:
                check_size(mask, image, where)
            else:
                image, mask = upright_pair(path, mask, where)
        return Sample(image, tags, mask, name)

    def _read_index(self, root: Path, split: str | None, drop: bool | None) -> None:
        content = read_json(self.index)
        photos = sorted(content["images"], key=lambda photo: _number(photo["id"]))
        for photo in photos:
            inside(root, photo["file_name"], self.index)
        used = {str(entry["category_id"]) for entry in content["annotations"]}
        self.classes, label_of = label_categories(content["categories"], used, self.index)
        self.official = self.classes == CLASSES
        instances: dict[str, list[Instance]] = defaultdict(list)
        for entry in content["annotations"]:
            label, crowd = label_of[str(entry["category_id"])], bool(entry.get("iscrowd"))
            outline = entry.get("segmentation") if self.masks else None
            instances[str(entry["image_id"])].append(Instance(label, crowd, outline))
        if strays := instances.keys() - {str(photo["id"]) for photo in photos}:
            came = f"annotations of unknown images {shorten(sorted(strays))}"
            raise file_error(self.index, "each annotated image in 'images'", came)
        self._instances = dict(instances)
        if drop is None:
            drop = self.official and "train" in self.index.stem
        names = unique_names([photo["file_name"] for photo in photos])
        self._photos = [
            (photo, name)
            for place, (photo, name) in enumerate(zip(photos, names, strict=True))
            if (str(photo["id"]) in instances or not drop)
            and split in (None, usual_split(place))
        ]

    def _mask(self, photo: dict, instances: list[Instance], image: np.ndarray):
        try:
            height, width = (
                int(photo.get(side) or own)
                for side, own in zip(("height", "width"), image.shape, strict=False)
            )
            return paint(instances, height, width)
        except Exception as error:  # pycocotools raises almost anything
            where = f"{self.index} ({photo['file_name']})"
            raise file_error(where, "polygons or run lengths", error) from error


def _number(name: Any) -> tuple[int, str]:
    """Sorts ids that are numbers, whether or not they are written as text."""
    text = str(name)
    return (int(text), "") if text.isdecimal() else (0, text)


def label_categories(
    categories: list[dict], used: set[str], path: Path
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Class names, and category ids → class indices.

    Roboflow lists its project as a category that others call their supercategory and
    no object has; such a one is no class.

    Args:
        categories: the entries of the file.
        used: ids that some object has.
        path: the file, for complaints.

    Raises:
        DataError: names or ids that are missing, unknown or there twice.
    """
    names = {clean_name(entry["name"]) for entry in categories}
    if 2 * len(names & set(CLASSES)) >= len(CLASSES):
        official = class_of_category(categories, path)
        return CLASSES, {str(key): label for key, label in official.items()}
    above = {entry.get("supercategory") for entry in categories}
    own = sorted(
        (it for it in categories if str(it["id"]) in used or it["name"] not in above),
        key=lambda entry: _number(entry["id"]),
    )
    classes = check_classes([clean_name(entry["name"]) for entry in own], path)
    label_of = {str(entry["id"]): k for k, entry in enumerate(own)}
    if len(label_of) != len(own):
        raise file_error(path, "an id of its own for each category", "one twice")
    return classes, label_of


def class_of_category(categories: list[dict], path: Path) -> dict[int, int]:
    """Map official category ids to indices in ``CLASSES`` by name, in whatever order.

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
