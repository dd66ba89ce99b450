"""Masks as other tools take them: COCO JSON, Label Studio, CVAT, areas as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from pycocotools import mask as rle
from skimage.measure import approximate_polygon, find_contours, label

from weaktr_core.data.sample import IGNORE
from weaktr_core.runtime import write_atomically, write_json

SMALLEST = 8
"""Pixels of a connected piece below which it is no object of its own."""


@dataclass(frozen=True)
class Piece:
    """A connected piece of one class.

    Attributes:
        label: mask value, k + 1.
        pixels: (height, width) bool, which are its own.
    """

    label: int
    pixels: np.ndarray


def pieces(labels: np.ndarray) -> Iterator[Piece]:
    """Connected pieces of each class of a label map, crumbs left out."""
    for value in np.unique(labels[(labels > 0) & (labels != IGNORE)]).tolist():
        numbered = label(labels == value)
        sizes = np.bincount(numbered.ravel())
        for number in np.flatnonzero(sizes >= SMALLEST):
            if number:
                yield Piece(value, numbered == number)


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Corners (n, 2) of the outer borders of a piece, as x, y in pixels from the corner.

    Holes are lost, as in every polygon of COCO's; run lengths keep them.
    """
    height, width = mask.shape
    found = []
    for contour in find_contours(np.pad(mask, 1).astype(float), 0.5):
        corners = approximate_polygon(contour, tolerance=0.6)[:-1, ::-1] - 0.5
        x, y = corners.T
        inwards = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum()
        if len(corners) >= 3 and inwards > 0:  # holes turn the other way
            found.append(corners.clip(0, (width, height)))
    return found


def coco_json(found: Sequence[tuple[str, np.ndarray]], classes: Sequence[str]) -> dict:
    """COCO's annotation file: a polygon and exact run lengths (``rle``) per piece.

    Args:
        found: file name and label map (height, width) of each photo.
        classes: K names.
    """
    images: list[dict] = []
    annotations: list[dict] = []
    for number, (name, labels) in enumerate(found, 1):
        height, width = labels.shape
        images.append(dict(id=number, file_name=name, height=height, width=width))
        for piece in pieces(labels):
            entry = dict(id=len(annotations) + 1, image_id=number, **coco_piece(piece))
            annotations.append(entry)
    categories = [dict(id=k, name=name) for k, name in enumerate(classes, 1)]
    return dict(images=images, annotations=annotations, categories=categories)


def coco_piece(piece: Piece) -> dict[str, Any]:
    """What COCO says of one object."""
    runs = rle.encode(np.asfortranarray(piece.pixels.astype(np.uint8)))
    polygons = [corners.round(1).ravel().tolist() for corners in outlines(piece.pixels)]
    counts = runs["counts"].decode("ascii")
    return dict(
        category_id=piece.label,
        iscrowd=0,
        area=int(piece.pixels.sum()),
        bbox=rle.toBbox(runs).tolist(),
        segmentation=polygons,
        rle=dict(size=list(piece.pixels.shape), counts=counts),
    )


def label_studio_tasks(
    found: Sequence[tuple[str, np.ndarray]], classes: Sequence[str]
) -> list[dict]:
    """Label Studio's import file: a task per photo, its polygons as predictions.

    The labelling setup needs ``<Image name="image" value="$image"/>`` and
    ``<PolygonLabels name="label" toName="image">`` with the class names.
    """
    tasks = []
    for name, labels in found:
        height, width = labels.shape
        size = dict(original_width=width, original_height=height, image_rotation=0)
        results = [
            dict(
                type="polygonlabels",
                from_name="label",
                to_name="image",
                **size,
                value=dict(
                    points=(corners * 100 / (width, height)).round(2).tolist(),
                    polygonlabels=[classes[piece.label - 1]],
                    closed=True,
                ),
            )
            for piece in pieces(labels)
            for corners in outlines(piece.pixels)
        ]
        predictions = [dict(model_version="weaktr", result=results)]
        tasks.append(dict(data=dict(image=name), predictions=predictions))
    return tasks


def cvat_xml(found: Sequence[tuple[str, np.ndarray]], classes: Sequence[str]) -> bytes:
    """CVAT's own import file, "CVAT for images 1.1": a mask per piece, pixel by pixel.

    Run lengths start with a gap and go row by row through the piece's box, as in
    https://docs.cvat.ai/docs/other/xml_format. In a task with labels of the same names:
    Menu, Upload annotations.
    """
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    labels = ElementTree.SubElement(
        ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task"), "labels"
    )
    for name in classes:
        entry = ElementTree.SubElement(labels, "label")
        ElementTree.SubElement(entry, "name").text = name
        ElementTree.SubElement(entry, "type").text = "mask"
    for number, (name, mask) in enumerate(found):
        height, width = map(str, mask.shape)
        told = dict(id=str(number), name=name, width=width, height=height)
        image = ElementTree.SubElement(root, "image", told)
        for piece in pieces(mask):
            shape = cvat_mask(piece.pixels)
            shape |= dict(label=classes[piece.label - 1], source="auto", occluded="0")
            ElementTree.SubElement(image, "mask", shape | dict(z_order="0"))
    ElementTree.indent(root)
    return ElementTree.tostring(root, "utf-8", xml_declaration=True)


def cvat_mask(pixels: np.ndarray) -> dict[str, str]:
    """Box and run lengths of a piece (height, width) bool."""
    (rows, columns) = np.nonzero(pixels)
    top, left = int(rows.min()), int(columns.min())
    box = pixels[top : rows.max() + 1, left : columns.max() + 1]
    changes = np.flatnonzero(np.diff(box.ravel(), prepend=False))
    runs = np.diff(changes, prepend=0, append=box.size)
    height, width = map(str, box.shape)
    lengths = ", ".join(map(str, runs))
    return dict(rle=lengths, left=str(left), top=str(top), width=width, height=height)


def areas_csv(found: Sequence[tuple[str, np.ndarray]], classes: Sequence[str]) -> str:
    """A table photo, class, pixels, share: a row for each class that a photo has."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["photo", "class", "pixels", "share"])
    for name, labels in found:
        counts = np.bincount(labels.ravel(), minlength=256)[1 : len(classes) + 1]
        for k in np.flatnonzero(counts):
            share = counts[k] / labels.size
            table.writerow([name, classes[int(k)], int(counts[k]), f"{share:.4f}"])
    return text.getvalue()


def write_exports(
    folder: Path,
    kinds: Sequence[str],
    found: Sequence[tuple[str, np.ndarray]],
    classes: Sequence[str],
) -> None:
    """Write the files asked for, of coco, label-studio, cvat and csv."""
    if "coco" in kinds:
        write_json(folder / "coco.json", coco_json(found, classes))
    if "label-studio" in kinds:
        write_json(folder / "label-studio.json", label_studio_tasks(found, classes))
    if "cvat" in kinds:
        xml = cvat_xml(found, classes)
        write_atomically(folder / "cvat.xml", lambda part: part.write_bytes(xml))
    if "csv" in kinds:
        text = areas_csv(found, classes)
        path = folder / "areas.csv"
        write_atomically(path, lambda part: part.write_text(text, encoding="utf-8-sig"))
