"""PASCAL VOC 2012 with image tags: the official splits and train_aug (10 582)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from weaktr_core.data.drawn import (
    LABELMAP,
    LabelMap,
    read_drawn,
    read_labelmap,
    upright_pair,
)
from weaktr_core.data.files import (
    check_size,
    file_error,
    holds,
    read_image,
    shorten,
)
from weaktr_core.data.names import (
    check_classes,
    unique_names,
    usual_split,
)
from weaktr_core.data.sample import DataError, Sample
from weaktr_core.data.voc_files import (
    all_photos,
    find_photo,
    object_names,
    read_list,
    read_sbd_mask,
)

CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
"""The 20 classes in VOC's alphabetical order; mask value k + 1 is class k."""

TRAIN_AUG_IMAGES = 10_582
"""Size of (SBD train + SBD val + VOC train) without VOC val, each image once."""


class VOC2012:
    """VOC 2012 segmentation images, or photos of one's own in that layout.

    Classes are VOC's 20 where the folder is called ``VOC2012`` or every object has one
    of their names; another name is then an error. Elsewhere they are those of
    ``labelmap.txt`` (as CVAT writes it: colours of masks, too) or, without one, all
    names of the annotations, alphabetically.

    An object tags its image whether or not it is marked *difficult* or
    *truncated*: the label files shared by weakly supervised methods since
    AffinityNet take every object name of the XML, and figures are comparable
    only with the same tags.

    A split is any list in ``ImageSets/Segmentation`` or ``ImageSets/Main``. Without a
    list of train or val every fifth photo measures and the others train. ``train_aug``
    is derived where nobody stored a list of it, and its size is checked. That needs SBD
    (Hariharan et al., ICCV 2011) unpacked beside ``VOCdevkit``, as
    ``benchmark_RELEASE/dataset``. Photos come from VOC where it has them; masks from
    VOC's own annotators where they drew one, otherwise from SBD, which has no 255
    pixels. SBD's photos are all VOC photos, so each has an XML file; a missing one is
    an error rather than a reason to take tags from the mask.

    Of the official data nothing but lists of names is read before an image is asked
    for. Its photos are taken as their pixels are stored, as its masks are; those of
    one's own are turned as EXIF asks.

    Args:
        root: the folder that holds ``VOCdevkit``, ``VOCdevkit`` itself,
            ``VOCdevkit/VOC2012``, or one with ``JPEGImages`` and ``Annotations``.
        split: "train" (1 464), "train_aug" (10 582), "val" (1 449), "trainval" or the
            name of another list.
        download: fetch what is missing (2 GB, train_aug 1.4 GB more).
        masks: also read masks. An image for which there is none gets ``None``.
        expected: size a derived ``train_aug`` must have; ``None`` accepts any.

    Raises:
        DataError: a file or folder is missing or broken, or the size differs.
    """

    classes: tuple[str, ...] = CLASSES

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        download: bool = False,
        masks: bool = True,
        expected: int | None = TRAIN_AUG_IMAGES,
    ) -> None:
        root = Path(root).expanduser().resolve()
        if download:
            _download(root, with_sbd=split == "train_aug")
        folder = find_voc(root)
        if folder is None:
            wanted = "VOCdevkit/VOC2012 with JPEGImages and Annotations"
            raise file_error(root, wanted, holds(root))
        self.folder, self.masks = folder, masks
        self.sbd = _base(folder) / "benchmark_RELEASE" / "dataset"
        labelmap = folder / LABELMAP
        known = read_labelmap(labelmap) if labelmap.exists() else LabelMap()
        self.classes = known.classes or voc_classes(folder)
        self.colours, self.official = known.colours, self.classes == CLASSES
        self.photos = self._listed(split, expected)
        self.names = unique_names(self.photos)

    def __len__(self) -> int:
        return len(self.photos)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        listed, name = self.photos[index], self.names[index]
        photo = find_photo([self.folder / "JPEGImages", self.sbd / "img"], listed)
        image, mask = read_image(photo, upright=not self.official), None
        if self.masks:
            image, mask = self._with_mask(listed, photo, image)
        tags = read_tags(self.folder / "Annotations" / f"{listed}.xml", self.classes)
        return Sample(image, tags, mask, name)

    def _listed(self, split: str, expected: int | None) -> list[str]:
        """Photos of a split, below ``JPEGImages`` and without their ending."""
        folders = [self.folder / "ImageSets" / kind for kind in ("Segmentation", "Main")]
        lists = {path.stem: path for it in folders[::-1] for path in it.glob("*.txt")}
        if split in lists:
            return read_list(lists[split])
        if split == "train_aug" and (self.sbd.is_dir() or self.official):
            return train_aug(folders[0], self.sbd, expected)
        if split in ("train", "val") and not lists.keys() & {"train", "val"}:
            everything = (
                read_list(lists["default"])
                if "default" in lists
                else all_photos(self.folder)
            )
            return [it for i, it in enumerate(everything) if usual_split(i) == split]
        came = f"lists of {shorten(sorted(lists))}" if lists else holds(folders[0])
        raise file_error(folders[0], f"a list {split}.txt", came)

    def _with_mask(self, listed: str, photo: Path, image: np.ndarray):
        """Photo and mask the same way up; no mask where nobody drew one."""
        drawn = self.folder / "SegmentationClass" / f"{listed}.png"
        if drawn.exists():
            mask = read_drawn(drawn, len(self.classes), self.colours)
            if self.official:
                return image, check_size(mask, image, drawn)
            return upright_pair(photo, mask, drawn)
        traced = self.sbd / "cls" / f"{listed}.mat"
        if traced.exists():
            return image, check_size(read_sbd_mask(traced), image, traced)
        return image, None


def find_voc(root: Path) -> Path | None:
    """The ``VOC2012`` folder at or below ``root``, or ``None``."""
    for folder in (root / "VOCdevkit" / "VOC2012", root / "VOC2012", root):
        if all((folder / part).is_dir() for part in ("JPEGImages", "Annotations")):
            return folder
    return None


def voc_classes(folder: Path) -> tuple[str, ...]:
    """VOC's 20, or the names that annotations of one's own give to objects."""
    if folder.name == "VOC2012":
        return CLASSES
    found: set[str] = set()
    for path in sorted((folder / "Annotations").rglob("*.xml")):
        with suppress(DataError):  # named when its photo is asked for
            found.update(object_names(path))
    return CLASSES if found <= set(CLASSES) else check_classes(sorted(found), folder)


def train_aug(lists: Path, sbd: Path, expected: int | None) -> list[str]:
    """(SBD train + SBD val + VOC train) without VOC val, each image once.

    Raises:
        DataError: a list is missing, or the number of images is not ``expected``.
    """
    if not sbd.is_dir():
        wanted = "SBD for train_aug (download=True fetches it)"
        raise file_error(sbd, wanted, "no such folder")
    files = [sbd / "train.txt", sbd / "val.txt", lists / "train.txt"]
    union = {name for path in files for name in read_list(path)}
    names = sorted(union - set(read_list(lists / "val.txt")))
    if expected is not None and len(names) != expected:
        wanted = f"{expected} images in (SBD train + SBD val + VOC train) - VOC val"
        raise file_error(sbd, wanted, len(names))
    return names


def read_tags(path: Path, classes: Sequence[str] = CLASSES) -> np.ndarray:
    """Tags from a VOC annotation file.

    Returns:
        (K,) float32, 1 for each class that has an object.

    Raises:
        DataError: the file is missing, no XML, or names an unknown class.
    """
    tags = np.zeros(len(classes), np.float32)
    for name in object_names(path):
        if name not in classes:
            known = "the 20 VOC classes" if classes == CLASSES else shorten(classes)
            raise file_error(path, f"names of {known}", repr(name))
        tags[classes.index(name)] = 1
    return tags


def _base(root: Path) -> Path:
    """The folder that holds, or is to hold, ``VOCdevkit`` and SBD."""
    if root.name == "VOC2012":
        root = root.parent
    return root.parent if root.name == "VOCdevkit" else root


def _download(root: Path, with_sbd: bool) -> None:
    """Fetch VOC 2012, and SBD if asked for, unless they are there already."""
    from torchvision.datasets import SBDataset
    from torchvision.datasets.utils import download_and_extract_archive
    from torchvision.datasets.voc import DATASET_YEAR_DICT

    voc, base = DATASET_YEAR_DICT["2012"], _base(root)
    wanted = []
    if find_voc(root) is None:
        wanted.append((voc["url"], voc["filename"], voc["md5"]))
    if with_sbd and not (base / "benchmark_RELEASE" / "dataset").is_dir():
        wanted.append((SBDataset.url, SBDataset.filename, SBDataset.md5))
    for url, filename, md5 in wanted:
        try:
            download_and_extract_archive(url, str(base), filename=filename, md5=md5)
        except (OSError, RuntimeError) as error:
            raise file_error(url, f"a download into {base}", error) from error
