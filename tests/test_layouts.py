"""The same photos and tags as folder, COCO and VOC layout: the same samples from each."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as rle

from weaktr_core.data import VOC2012, open_dataset
from weaktr_core.data.doctor import examine
from weaktr_core.data.folder import write_annotation
from weaktr_core.labels.files import write_mask

SUBSETS = [("dog",), ("cat", "dog"), ("bird", "person", "sofa")]


def kept(voc, classes, count=24):
    """Photos of some classes and a third as many of none, tags and masks reduced."""
    ids = np.zeros(256, np.uint8)
    ids[255] = 255
    ids[[voc.classes.index(name) + 1 for name in classes]] = range(1, len(classes) + 1)
    where = [voc.classes.index(name) for name in classes]
    found, negatives = [], 0
    for index, sample in enumerate(voc):
        tags = sample.tags[where]
        negatives += not tags.any()
        if tags.any() or negatives <= count // 3:
            found.append((voc, index, tags, ids[sample.mask]))
        if len(found) == count:
            return found
    return found


def lay_out(root: Path, kept, classes, split="train"):
    """The same in each layout; photos are copied as they are, not one pixel changed."""
    folder, coco, own = (root / name for name in ("folder", "coco", "voc"))
    for path in (folder / "masks", coco / "annotations", coco / "train2017"):
        path.mkdir(parents=True)
    (own / "ImageSets" / "Segmentation").mkdir(parents=True)
    (own / "JPEGImages").mkdir()
    rows, images, annotations = [], [], []
    for number, (voc, index, tags, mask) in enumerate(kept, 1):
        name = voc.photos[index]
        photo = voc.folder / "JPEGImages" / f"{name}.jpg"
        for place in (folder, coco / "train2017", own / "JPEGImages"):
            shutil.copy(photo, place / f"{name}.jpg")
        tagged = [classes[k] for k in np.flatnonzero(tags)]
        rows.append(f"{name}.jpg,{'|'.join(tagged)},{split}\n")
        write_annotation(own / "Annotations" / f"{name}.xml", tagged)
        for place in (folder / "masks", own / "SegmentationClass"):
            write_mask(place / f"{name}.png", mask)
        height, width = mask.shape
        images.append(dict(id=number, file_name=f"{name}.jpg", height=height, width=width))
        for k in np.flatnonzero(tags):
            run = rle.encode(np.asfortranarray(mask == k + 1))
            run["counts"] = run["counts"].decode()
            entry = dict(image_id=number, category_id=10 * int(k) + 3, segmentation=run)
            annotations.append(entry)
    (folder / "tags.csv").write_text("photo,tags,split\n" + "".join(rows))
    (own / "ImageSets" / "Segmentation" / f"{split}.txt").write_text(
        "\n".join(row.split(".")[0] for row in rows)
    )
    (own / "labelmap.txt").write_text("\n".join(classes))
    categories = [dict(id=10 * k + 3, name=name) for k, name in enumerate(classes)]
    index = dict(images=images, annotations=annotations, categories=categories)
    (coco / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(index))
    return folder, coco, own


@pytest.mark.parametrize("classes", SUBSETS, ids="-".join)
def test_each_layout_gives_the_same_samples(classes, shared, tmp_path):
    part = shared / "voc-part"
    voc = VOC2012(part if part.exists() else shared / "voc-mini", "val")
    places = lay_out(tmp_path, kept(voc, classes), classes)
    first, *others = [list(open_dataset(place)) for place in places]
    assert len(first) >= 8 and {open_dataset(it).classes for it in places} == {classes}
    for other in others:
        for one, same in zip(first, other, strict=True):
            assert one.name == same.name
            np.testing.assert_array_equal(one.image, same.image)
            np.testing.assert_array_equal(one.tags, same.tags)
            counted = one.mask != 255  # COCO has no pixels that do not count
            np.testing.assert_array_equal(one.mask[counted], same.mask[counted])
    assert all(examine(open_dataset(it), progress=False).ready for it in places)
