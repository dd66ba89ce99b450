"""COCO: ids by name, tags, painted masks and broken files, on tiny photos."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle

from weaktr_core.data import COCO, VOC2012, DataError, open_dataset
from weaktr_core.data.coco import CLASSES, class_of_category
from weaktr_core.data.outlines import Instance, paint

SHARED = os.environ.get("WEAKTR_SHARED")
HEIGHT, WIDTH = 8, 12
# Ids as COCO has them: with gaps, so that an id is no position.
GAPS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
IDS = [number for number in range(1, 91) if number not in GAPS]
CATEGORIES = [{"id": i, "name": n} for i, n in zip(IDS, CLASSES, strict=True)]
ID_OF = {entry["name"]: entry["id"] for entry in CATEGORIES}


def box(top: int, left: int, bottom: int, right: int) -> list:
    return [[left, top, right, top, right, bottom, left, bottom]]


def run_lengths(mask: np.ndarray) -> dict:
    """Uncompressed run lengths: column by column, zeros first."""
    counts, value = [0], 0
    for pixel in mask.ravel(order="F"):
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return {"size": list(mask.shape), "counts": counts}


def entry(image: int, name: str, outline, crowd: int = 0) -> dict:
    return {
        "image_id": image,
        "category_id": ID_OF[name],
        "iscrowd": crowd,
        "segmentation": outline,
    }


def content() -> dict:
    crowd = np.zeros((HEIGHT, WIDTH), np.uint8)
    crowd[4:] = 1
    photos = [
        {"id": number, "file_name": f"{number:012d}.jpg", "height": 8, "width": 12}
        for number in (7, 3, 5)
    ]
    annotations = [
        entry(3, "toothbrush", box(2, 2, 4, 4)),  # small, listed before the large
        entry(3, "cat", box(1, 1, 6, 8)),
        entry(7, "person", run_lengths(crowd), crowd=1),
        entry(7, "person", box(5, 3, 7, 6)),
    ]
    return {"images": photos, "annotations": annotations, "categories": CATEGORIES}


def write(root: Path, index: dict, stem: str = "train2014") -> Path:
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    (root / stem).mkdir(exist_ok=True)
    for photo in index["images"]:
        picture = Image.new("RGB", (photo["width"], photo["height"]))
        picture.save(root / stem / photo["file_name"])
    path = root / "annotations" / f"instances_{stem}.json"
    path.write_text(json.dumps(index))
    return path


@pytest.fixture
def root(tmp_path):
    write(tmp_path, content())
    return tmp_path


def error_of(action) -> str:
    with pytest.raises(DataError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    assert "expected" in message and "came" in message
    return message


def names_of(sample) -> list[str]:
    return [CLASSES[k] for k in np.flatnonzero(sample.tags)]


def test_official_names():
    assert len(CLASSES) == len(set(CLASSES)) == 80
    assert (ID_OF["person"], ID_OF["stop sign"], ID_OF["toothbrush"]) == (1, 13, 90)


def test_untagged_images_leave_train_and_stay_in_val(root):
    write(root, content(), "val2014")
    assert [sample.name[-1] for sample in COCO(root)] == ["3", "7"]
    assert [sample.name[-1] for sample in COCO(root, "val")] == ["3", "5", "7"]
    assert len(COCO(root, drop_untagged=False)) == 3
    assert len(COCO(root, "val", drop_untagged=True)) == 2


def test_sample_has_the_documented_form(root):
    sample = COCO(root)[0]
    assert sample.image.shape == (HEIGHT, WIDTH, 3)
    assert sample.tags.shape == (80,) and sample.tags.dtype == np.float32
    assert names_of(sample) == ["cat", "toothbrush"]
    assert sample.mask.shape == (HEIGHT, WIDTH) and sample.mask.dtype == np.uint8


def test_smaller_objects_are_painted_on_larger_ones(root):
    mask = COCO(root)[0].mask
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    truth[1:6, 1:8] = CLASSES.index("cat") + 1
    truth[2:4, 2:4] = CLASSES.index("toothbrush") + 1
    np.testing.assert_array_equal(mask, truth)


def test_crowd_tags_and_never_overwrites(root):
    sample = COCO(root)[1]
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    truth[4:] = 255
    truth[5:7, 3:6] = 1
    np.testing.assert_array_equal(sample.mask, truth)
    index = content()
    index["annotations"] = [it for it in index["annotations"] if it["iscrowd"]]
    write(root, index)
    assert names_of(COCO(root)[0]) == ["person"]


def test_the_three_ways_to_write_an_outline_agree():
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    truth[2:6, 3:9] = 1
    compressed = rle.encode(np.asfortranarray(truth))
    text = {**compressed, "counts": compressed["counts"].decode()}
    for outline in (box(2, 3, 6, 9), run_lengths(truth), compressed, text):
        mask = paint([Instance(4, False, outline)], HEIGHT, WIDTH)
        np.testing.assert_array_equal(mask, 5 * truth)


def test_paint_does_not_depend_on_the_order_of_the_file():
    outlines = [box(0, 0, 8, 12), box(1, 1, 7, 9), box(2, 2, 5, 5)]
    instances = [Instance(k, k == 1, it) for k, it in enumerate(outlines)]
    forward = paint(instances, HEIGHT, WIDTH)
    backward = paint(instances[::-1], HEIGHT, WIDTH)
    np.testing.assert_array_equal(forward, backward)


def test_categories_are_mapped_by_name_in_any_order():
    shuffled = [CATEGORIES[k] for k in np.random.default_rng(0).permutation(80)]
    label_of = class_of_category(shuffled, Path("x.json"))
    assert label_of == {i: k for k, i in enumerate(IDS)}
    assert label_of[90] == 79


def test_unknown_and_missing_names_are_listed(root):
    index = content()
    index["categories"] = [
        {**it, "name": "sofa"} if it["name"] == "couch" else it for it in CATEGORIES
    ]
    path = write(root, index)
    message = error_of(lambda: COCO(root))
    assert str(path) in message
    assert "unknown names: sofa" in message and "missing names: couch" in message


def test_names_or_ids_that_come_twice_are_an_error():
    twice = [*CATEGORIES, CATEGORIES[0]]
    assert "81" in error_of(lambda: class_of_category(twice, Path("x.json")))
    shared = [{**it, "id": 1} for it in CATEGORIES]
    assert "1 different" in error_of(lambda: class_of_category(shared, Path("x.json")))


def test_year_is_detected_and_can_be_chosen(root):
    index = content()
    index["images"] = index["images"][:1]
    index["annotations"] = index["annotations"][2:]
    write(root, index, "train2017")
    assert COCO(root).folders[0].name == "train2014"
    assert len(COCO(root, year=2017)) == 1
    assert "instances_train2015" in error_of(lambda: COCO(root, year=2015))


def test_missing_split_says_what_is_there(root):
    message = error_of(lambda: COCO(root, "val"))
    assert "instances_val" in message and "instances_train2014.json" in message
    assert "instances_train_aug" in error_of(lambda: COCO(root, "train_aug"))


def test_without_masks_outlines_are_not_needed(root):
    index = content()
    for annotation in index["annotations"]:
        del annotation["segmentation"]
    write(root, index)
    sample = COCO(root, masks=False)[0]
    assert sample.mask is None and names_of(sample) == ["cat", "toothbrush"]
    assert COCO(root)[0].mask is None


def test_opening_reads_no_photo_and_prints_nothing(root, capfd):
    for path in (root / "train2014").iterdir():
        path.write_bytes(b"broken")
    data = COCO(root)
    assert "000000000003.jpg" in error_of(lambda: data[0])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "text", ["", '{"images": [', "[]", "{}", '{"categories": [1]}', "\xff"]
)
def test_broken_index_is_named(root, text):
    path = root / "annotations" / "instances_train2014.json"
    path.write_bytes(text.encode("latin-1"))
    assert path.name in error_of(lambda: COCO(root))


@pytest.mark.parametrize("key", ["image_id", "category_id"])
def test_annotation_of_something_unknown_is_an_error(root, key):
    index = content()
    index["annotations"][0][key] = 999
    write(root, index)
    assert "999" in error_of(lambda: COCO(root))


def test_photo_of_another_size_than_its_entry_is_an_error(root):
    Image.new("RGB", (8, 12)).save(root / "train2014" / "000000000003.jpg")
    message = error_of(lambda: COCO(root)[0])
    assert "000000000003.jpg" in message
    assert "12 x 8" in message and message.endswith("8 x 12")


@pytest.mark.parametrize(
    "outline",
    [
        [[1, 1, 2, 2, 3, 3, 4]],
        [[1, 1, 2, 2, 1e7, 3]],
        [[1, 1, 2, 2, float("inf"), 3]],
        [[1, 1, 2, 2, None, 3]],
        [[1, 1, 2, 2, [3], 3]],
        "text",
        5,
        {"size": [8, 12], "counts": "0"},
        {"size": [8, 12], "counts": "~~~~~~~~~~~~"},
        {"size": [8, 12], "counts": [-4, 100]},
        {"size": [8, 12], "counts": [1.5, 94.5]},
        {"size": [3, 3], "counts": [9]},
        {"size": [8, 12], "counts": [3]},
        {"counts": [1]},
    ],
)
def test_broken_outline_is_named(root, outline):
    index = content()
    index["annotations"][0]["segmentation"] = outline
    write(root, index)
    assert "000000000003.jpg" in error_of(lambda: COCO(root)[0])


def test_exif_orientation_is_left_alone(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = root / "train2014" / "000000000003.jpg"
    Image.new("RGB", (WIDTH, HEIGHT)).save(path, exif=exif)
    assert COCO(root)[0].image.shape == (HEIGHT, WIDTH, 3)


def test_indexing_ends_like_a_list(root):
    with pytest.raises(IndexError):
        COCO(root)[2]
    assert len(list(COCO(root))) == 2


def test_open_dataset_knows_the_layout(root):
    assert isinstance(open_dataset(root), COCO)
    assert isinstance(open_dataset(str(root)), COCO)


def own_content() -> dict:
    """Two categories, a supercategory as Roboflow writes it, ids as VIA writes them."""
    index = content()
    index["categories"] = [
        {"id": 0, "name": "damage", "supercategory": "none"},
        {"id": 2, "name": "crack", "supercategory": "damage"},
        {"id": "1", "name": "hole", "supercategory": "damage"},
    ]
    index["annotations"] = [
        {"image_id": "3", "category_id": "2", "segmentation": box(1, 1, 6, 8)},
        {"image_id": 7, "category_id": 1, "segmentation": box(2, 2, 4, 4)},
    ]
    return index


EXPORTS = {  # as each tool's documentation shows its files
    "CVAT": ("annotations/instances_default.json", "images/default"),
    "CVAT subset": ("annotations/instances_Train.json", "images/Train"),
    "Roboflow": ("train/_annotations.coco.json", "train"),
    "Label Studio": ("result.json", "images"),
    "labelme2coco": ("annotations.json", ""),
    "VIA": ("via_export_coco.json", ""),
}


@pytest.mark.parametrize("tool", EXPORTS)
def test_exports_with_classes_of_ones_own_are_read(tmp_path, tool):
    file, photos = EXPORTS[tool]
    index = own_content()
    for photo in index["images"]:
        if tool in ("Label Studio", "labelme2coco"):
            photo["file_name"] = f"images\\{photo['file_name']}"
        path = tmp_path / photos / photo["file_name"].replace("\\", "/")
        if tool == "Label Studio":
            path = tmp_path / photo["file_name"].replace("\\", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT)).save(path)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(json.dumps(index))
    data = open_dataset(tmp_path)
    assert isinstance(data, COCO) and data.classes == ("hole", "crack")
    assert [sample.tags.tolist() for sample in data] == [[0, 1], [0, 0], [1, 0]]
    assert [np.unique(sample.mask).tolist() for sample in data] == [[0, 2], [0], [0, 1]]


def test_objects_with_a_box_only_give_tags_and_no_mask(root):
    index = content()
    index["annotations"][0]["segmentation"] = []
    index["annotations"][3]["segmentation"] = [[1, 1, 2, 2]]
    del index["annotations"][2]["segmentation"]
    write(root, index)
    assert [sample.mask for sample in COCO(root)] == [None, None]
    assert names_of(COCO(root)[0]) == ["cat", "toothbrush"]


def test_photos_of_one_stem_keep_apart(root):
    index = content()
    for folder, photo in zip("abc", index["images"], strict=True):
        photo["file_name"] = f"{folder}/one.jpg"
        (root / "train2014" / folder).mkdir()
    write(root, index)
    assert [sample.name for sample in COCO(root)] == ["b__one", "a__one"]


def test_file_names_that_lead_out_are_refused(root):
    index = own_content()
    for name in ("../../x.jpg", "/etc/passwd", "", "..\\x.jpg"):
        index["images"][0]["file_name"] = name
        path = root / "annotations" / "instances_train2014.json"
        path.write_text(json.dumps(index))
        assert "inside its folder" in error_of(lambda: COCO(root))


def test_more_classes_than_a_mask_can_hold_are_refused(root):
    index = own_content()
    index["categories"] += [{"id": k, "name": f"c{k}"} for k in range(3, 300)]
    write(root, index)
    assert "1 to 254 classes" in error_of(lambda: COCO(root))


@pytest.mark.skipif(not SHARED, reason="WEAKTR_SHARED is not set: no real photos")
def test_real_photos_agree_with_their_voc_version():
    coco = COCO(Path(SHARED) / "coco-mini")
    assert len(coco) == 98
    assert len(COCO(Path(SHARED) / "coco-mini", drop_untagged=False)) == 100
    renamed = {
        "aeroplane": "airplane",
        "motorbike": "motorcycle",
        "sofa": "couch",
        "pottedplant": "potted plant",
        "diningtable": "dining table",
        "tvmonitor": "tv",
    }
    voc = VOC2012(Path(SHARED) / "voc-mini", "trainval")
    where = [CLASSES.index(renamed.get(name, name)) for name in voc.classes]
    to_voc = np.zeros(256, np.uint8)
    to_voc[[k + 1 for k in where]] = np.arange(1, 21)
    by_name = {sample.name: sample for sample in coco}
    for sample in voc:
        other = by_name[sample.name]
        np.testing.assert_array_equal(sample.tags, other.tags[where])
        # A crowd of a class VOC lacks is 255 in one and background in the other.
        count = (sample.mask != 255) & (other.mask != 255)
        np.testing.assert_array_equal(sample.mask[count], to_voc[other.mask][count])
