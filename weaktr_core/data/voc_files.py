"""The files of VOC's layout, one reader each: lists, photos, annotations, SBD's masks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import ParseError

import numpy as np
from defusedxml.ElementTree import fromstring

from weaktr_core.data.files import file_error, holds, read_bytes, read_lines
from weaktr_core.data.names import clean_name, inside


def read_list(path: Path) -> list[str]:
    """Photos of a list in any of the forms that go round, without their ending.

    A name a line; or a path to the photo, ``/JPEGImages/2007_000032.jpg``, with that of
    the mask behind it; or a name and 1 or -1. Names may hold blanks.

    Raises:
        DataError: no list, or a name that leads out of the folder.
    """
    names = []
    for line in read_lines(path):
        path_first = PATH.match(line)
        name = path_first[1] if path_first else MARK.sub("", line)
        if "JPEGImages/" in name:
            name = name.partition("JPEGImages/")[2]
        inside(path.parent, name, path)
        names.append(name)
    return names


PATH = re.compile(r"(.+?)\.(?:jpe?g|png|bmp|webp|tiff?)(?=\s|$)", re.IGNORECASE)
MARK = re.compile(r"\s+-?[01]$")
ENDINGS = (".jpg", ".JPG", ".jpeg", ".JPEG", ".png", ".PNG", ".webp", ".bmp", ".tif")


def find_photo(folders: Sequence[Path], name: str) -> Path:
    """The photo of a listed name: in the first folder that has it, whatever its ending.

    Where none has it, the path that VOC would give it, for the complaint.
    """
    for folder in folders:
        for ending in ENDINGS:
            if (path := folder / f"{name}{ending}").exists():
                return path
    return folders[0] / f"{name}.jpg"


def all_photos(folder: Path) -> list[str]:
    """Every photo of ``JPEGImages``, as a list would name it.

    Raises:
        DataError: there is none.
    """
    photos = folder / "JPEGImages"
    paths = [it for it in photos.rglob("*") if it.suffix in ENDINGS]
    if not paths:
        raise file_error(photos, "photos", holds(photos))
    return sorted(it.relative_to(photos).with_suffix("").as_posix() for it in paths)


def object_names(path: Path) -> list[str]:
    """Names of the objects in an annotation, not of their parts (head, hand, foot).

    Raises:
        DataError: the file is missing or no harmless XML.
    """
    content = read_bytes(path, "the image's annotation")
    try:
        objects = fromstring(content).iterfind("object")
        return [clean_name(entry.findtext("name") or "") for entry in objects]
    except (ParseError, ValueError, RecursionError) as error:  # entities: ValueError
        came = f"{type(error).__name__}: {error}"
        raise file_error(path, "an XML annotation", came) from None


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
