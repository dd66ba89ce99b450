"""PASCAL VOC 2012 with image tags: the official splits and train_aug (10 582)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from weaktr_core.data.files import (
    check_size,
    file_error,
    holds,
    read_image,
    read_lines,
    read_mask,
)
from weaktr_core.data.sample import Sample

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

SPLITS = ("train", "train_aug", "val", "trainval")

TRAIN_AUG_IMAGES = 10_582
"""Size of (SBD train + SBD val + VOC train) without VOC val, each image once."""


class VOC2012:
    """VOC 2012 segmentation images, tagged with the objects of their XML files.

    An object tags its image whether or not it is marked *difficult* or
    *truncated*: the label files shared by weakly supervised methods since
    AffinityNet take every object name of the XML, and figures are comparable
    only with the same tags.

    ``train_aug`` is derived from the three lists, never read from a stored one,
    and its size is checked. It needs SBD (Hariharan et al., ICCV 2011) unpacked
    beside ``VOCdevkit``, as ``benchmark_RELEASE/dataset``. Photos come from VOC
    where it has them; masks from VOC's own annotators where they drew one,
    otherwise from SBD, which has no 255 pixels. SBD's photos are all VOC photos,
    so each has an XML file; a missing one is an error rather than a reason to
    take tags from the mask.

    Nothing but the lists of names is read before an image is asked for.

    Args:
        root: the folder that holds ``VOCdevkit``, ``VOCdevkit`` itself, or
            ``VOCdevkit/VOC2012``.
        split: "train" (1 464), "train_aug" (10 582), "val" (1 449) or "trainval".
        download: fetch what is missing (2 GB, train_aug 1.4 GB more).
        masks: also read masks. An image for which there is none gets ``None``.
        expected: size ``train_aug`` must have; ``None`` accepts any, for subsets.

    Raises:
        DataError: a file or folder is missing or broken, or the size differs.
    """

    classes = CLASSES

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        download: bool = False,
        masks: bool = True,
        expected: int | None = TRAIN_AUG_IMAGES,
    ) -> None:
        if split not in SPLITS:
            raise file_error(root, f"a split of {', '.join(SPLITS)}", repr(split))
        root = Path(root).expanduser().resolve()
        if download:
            _download(root, with_sbd=split == "train_aug")
        folder = find_voc(root)
        if folder is None:
            wanted = "VOCdevkit/VOC2012 with JPEGImages and Annotations"
            raise file_error(root, wanted, holds(root))
        self.folder = folder
        self.sbd = _base(folder) / "benchmark_RELEASE" / "dataset"
        self.masks = masks
        self.names = self._names(split, expected)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        name = self.names[index]
        path = self.folder / "JPEGImages" / f"{name}.jpg"
        in_sbd = self.sbd / "img" / path.name
        if not path.exists() and in_sbd.exists():
            path = in_sbd
        image = read_image(path)
        mask = self._mask(name, image) if self.masks else None
        tags = read_tags(self.folder / "Annotations" / f"{name}.xml")
        return Sample(image, tags, mask, name)

    def _names(self, split: str, expected: int | None) -> list[str]:
        lists = self.folder / "ImageSets" / "Segmentation"
        if split != "train_aug":
            return read_lines(lists / f"{split}.txt")
        if not self.sbd.is_dir():
            wanted = "SBD for train_aug (download=True fetches it)"
            raise file_error(self.sbd, wanted, "no such folder")
        sbd = [self.sbd / "train.txt", self.sbd / "val.txt"]
        files = [*sbd, lists / "train.txt"]
        union = {name for path in files for name in read_lines(path)}
        names = sorted(union - set(read_lines(lists / "val.txt")))
        if expected is not None and len(names) != expected:
            raise file_error(
                self.sbd,
                f"{expected} images in (SBD train + SBD val + VOC train) - VOC val",
                len(names),
            )
        return names

    def _mask(self, name: str, image: np.ndarray) -> np.ndarray | None:
        drawn = self.folder / "SegmentationClass" / f"{name}.png"
        if drawn.exists():
            return check_size(read_mask(drawn), image, drawn)
        traced = self.sbd / "cls" / f"{name}.mat"
        if traced.exists():
            return check_size(read_sbd_mask(traced), image, traced)
        return None


def find_voc(root: Path) -> Path | None:
    """The ``VOC2012`` folder at or below ``root``, or ``None``."""
    for folder in (root / "VOCdevkit" / "VOC2012", root / "VOC2012", root):
        if all((folder / part).is_dir() for part in ("JPEGImages", "Annotations")):
            return folder
    return None


def read_tags(path: Path) -> np.ndarray:
    """Tags from a VOC annotation file.

    Only an object's own name counts: its parts (head, hand, foot) have names too.

    Returns:
        (20,) float32, 1 for each class that has an object.

    Raises:
        DataError: the file is missing, no XML, or names a class VOC lacks.
    """
    try:
        objects = ElementTree.parse(path).getroot().iterfind("object")
    except FileNotFoundError:
        raise file_error(path, "the image's annotation", "no such file") from None
    except (ElementTree.ParseError, OSError, ValueError) as error:
        raise file_error(path, "an XML annotation", error) from None
    tags = np.zeros(len(CLASSES), np.float32)
    for entry in objects:
        name = (entry.findtext("name") or "").strip()
        if name not in CLASSES:
            raise file_error(path, "names of the 20 VOC classes", repr(name))
        tags[CLASSES.index(name)] = 1
    return tags


def read_sbd_mask(path: Path) -> np.ndarray:
    """The class ids (height, width) uint8 in one of SBD's ``cls/*.mat`` files.

    Raises:
        DataError: the file is no MATLAB file or has no ``GTcls.Segmentation``.
    """
    from scipy.io import loadmat  # slow to import, needed for train_aug only

    expected = "a MATLAB file with GTcls.Segmentation"
    try:
        mask = loadmat(str(path))["GTcls"][0]["Segmentation"][0]
    except Exception as error:  # a damaged file raises almost anything in scipy
        raise file_error(path, expected, f"{type(error).__name__}: {error}") from error
    if mask.ndim != 2:
        raise file_error(path, expected, f"an array of shape {mask.shape}")
    return mask.astype(np.uint8)


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
