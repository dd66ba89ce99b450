"""Masks for other tools, read back by what reads them."""

import csv
import json
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from pycocotools import coco as official_code
from pycocotools import mask as rle

from weaktr_core.data import open_dataset
from weaktr_core.labels.exports import (
    areas_csv,
    coco_json,
    cvat_xml,
    label_studio_tasks,
    outlines,
    pieces,
)

CLASSES = ("cat", "Käfer")


@pytest.fixture
def labels():
    """Two cats, one with a hole, a beetle at the border, a crumb, pixels of 255."""
    mask = np.zeros((40, 60), np.uint8)
    mask[5:20, 4:24] = 1
    mask[9:14, 9:14] = 0
    mask[25:36, 3:19] = 1
    rows, columns = np.mgrid[:40, :60]
    mask[(rows - 20) ** 2 + (columns - 55) ** 2 < 140] = 2
    mask[0, 0], mask[38:] = 1, 255
    return mask


def test_pieces_are_connected_and_crumbs_left_out(labels):
    assert [(it.label, int(it.pixels.sum())) for it in pieces(labels)][:2] == [
        (1, 275),
        (1, 176),
    ]
    assert len(list(pieces(labels))) == 3 and not list(pieces(labels * 0))


def test_coco_is_read_back_by_pycocotools_and_by_us(labels, tmp_path, capsys):
    (tmp_path / "annotations").mkdir()
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "a.png")
    path = tmp_path / "annotations" / "instances_train.json"
    path.write_text(json.dumps(coco_json([("a.png", labels)], CLASSES)))
    official = official_code.COCO(str(path))
    again = np.zeros_like(labels)
    for entry in official.loadAnns(official.getAnnIds()):
        drawn, exact = official.annToMask(entry), rle.decode(entry["rle"])
        filled = exact | (np.mgrid[:40, :60][0] * 0)
        filled[9:14, 9:14] |= drawn[9:14, 9:14]  # a polygon fills the hole
        overlap = (drawn & filled).sum() / (drawn | filled).sum()
        assert overlap > 0.93, overlap
        assert entry["area"] == exact.sum()
        again[exact > 0] = entry["category_id"]
    expected = np.where(labels == 255, 0, labels)
    expected[0, 0] = 0
    assert (again == expected).all()
    data = open_dataset(tmp_path)
    assert data.classes == CLASSES and data[0].tags.tolist() == [1, 1]
    assert (data[0].mask > 0).sum() == pytest.approx((expected > 0).sum() + 25, rel=0.05)


def test_label_studio_gets_percentages_and_names(labels):
    (task,) = label_studio_tasks([("a.png", labels)], CLASSES)
    results = task["predictions"][0]["result"]
    assert task["data"] == {"image": "a.png"} and len(results) == 3
    assert {it["value"]["polygonlabels"][0] for it in results} == set(CLASSES)
    for it in results:
        points = np.array(it["value"]["points"])
        assert points.min() >= 0 and points.max() <= 100
        assert (it["original_width"], it["original_height"]) == (60, 40)
    left, top = np.array(results[0]["value"]["points"]).min(axis=0)
    assert abs(left - 100 * 4 / 60) < 1 and abs(top - 100 * 5 / 40) < 1.5


def test_areas_are_a_table(labels):
    rows = list(csv.DictReader(areas_csv([("a.png", labels)], CLASSES).splitlines()))
    assert (rows[0]["class"], int(rows[0]["pixels"])) == ("cat", 452)
    assert float(rows[1]["share"]) == pytest.approx((labels == 2).mean(), abs=1e-4)


def test_an_outline_is_where_the_pixels_are():
    mask = np.zeros((9, 9), bool)
    mask[2:7, 3:8] = True
    (corners,) = outlines(mask)
    assert np.abs(corners.min(axis=0) - (3, 2)).max() <= 0.5
    assert np.abs(corners.max(axis=0) - (8, 7)).max() <= 0.5


def decoded(shape, size):
    """A mask of CVAT's file, as its documentation says it is written: gaps first."""
    runs = [int(it) for it in shape["rle"].split(",")]
    values = np.arange(len(runs)) % 2
    box = np.repeat(values, runs).reshape(int(shape["height"]), int(shape["width"]))
    pixels = np.zeros(size, bool)
    top, left = int(shape["top"]), int(shape["left"])
    pixels[top : top + box.shape[0], left : left + box.shape[1]] = box
    return pixels


def test_cvat_gets_every_pixel_back(labels):
    root = ElementTree.fromstring(cvat_xml([("a b.jpg", labels)], CLASSES))
    assert root.findtext("version") == "1.1"
    assert [it.text for it in root.iterfind("meta/task/labels/label/name")] == [*CLASSES]
    (image,) = root.iterfind("image")
    assert image.attrib == dict(id="0", name="a b.jpg", width="60", height="40")
    whole = np.zeros_like(labels)
    for shape in image.iterfind("mask"):
        whole[decoded(shape.attrib, labels.shape)] = CLASSES.index(shape.get("label")) + 1
    expected = np.where(labels == 255, 0, labels)
    expected[0, 0] = 0  # the crumb
    np.testing.assert_array_equal(whole, expected)
