"""COCO's outlines to masks: polygons and run lengths, none of them trusted."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from pycocotools import mask as rle

from weaktr_core.data.sample import IGNORE


class Instance(NamedTuple):
    """One annotated object.

    Attributes:
        label: class index k.
        crowd: True where a group was outlined as a whole.
        segmentation: polygons or run lengths; ``None`` if there are none.
    """

    label: int
    crowd: bool
    segmentation: Any


def outlined(outline: Any) -> bool:
    """Whether there is an outline at all: boxes, empty lists and lone points are none."""
    if isinstance(outline, list):
        return any(isinstance(it, list) and len(it) >= 6 for it in outline)
    return outline is not None


def paint(instances: list[Instance], height: int, width: int) -> np.ndarray:
    """Paint instances into one mask: crowds, then from large to small.

    Returns:
        (height, width) uint8: ``label + 1``, 255 where only a crowd is, else 0.

    Raises:
        ValueError: an outline is broken or made for an image of another size.
    """
    if not 0 < height * width <= 2 * (Image.MAX_IMAGE_PIXELS or 10**8) or height < 0:
        raise ValueError(f"a size of {height} x {width}")
    runs = [run_lengths(it.segmentation, height, width) for it in instances]
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


def run_lengths(outline: Any, height: int, width: int) -> dict:
    """Compressed run lengths from polygons or either kind of run lengths.

    pycocotools is written in C and believes what it is given: a corner far outside
    ends the process, and runs that stop early leave the rest of the mask as the memory
    happened to be. So both are looked through first.
    """
    if isinstance(outline, list):
        polygons = [check_polygon(it, height, width) for it in outline if len(it) >= 6]
        return rle.merge(rle.frPyObjects(polygons, height, width))
    if not isinstance(outline, dict) or list(outline["size"]) != [height, width]:
        came = outline["size"] if isinstance(outline, dict) else type(outline).__name__
        raise ValueError(f"size {came} in an image {height} x {width}")
    counts = outline["counts"]
    listed = counts if isinstance(counts, list) else counts_of(counts)
    whole = all(isinstance(run, int) and run >= 0 for run in listed)
    if not whole or sum(listed) != height * width:
        raise ValueError(f"run lengths that do not fill {height} x {width}")
    return rle.frPyObjects({"size": [height, width], "counts": listed}, height, width)


def check_polygon(corners: Any, height: int, width: int) -> list[float]:
    """``[x, y, x, y, …]`` whose corners lie in or near the image."""
    points = np.asarray(corners, np.float64)
    if points.ndim != 1 or points.size % 2:
        raise ValueError(f"a polygon of {points.size} numbers")
    size = np.array([width, height])
    pairs = points.reshape(-1, 2)
    # not >: NaN must fail, too; tools draw a little outside the image, never far
    if not ((pairs >= -size) & (pairs <= 2 * size)).all():
        raise ValueError(f"a polygon far outside an image {height} x {width}")
    return points.tolist()


def counts_of(text: str | bytes) -> list[int]:
    """The runs in COCO's compressed form, five bits a sign.

    Each run after the first three is stored as its difference from the one before last.
    """
    counts: list[int] = []
    value = shift = 0
    for sign in text if isinstance(text, bytes) else text.encode("ascii", "replace"):
        bits = sign - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError("run lengths with a sign that is none")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("run lengths that end in the middle of one")
    return counts
