"""Own photos: a table of tags in any state, and VOC's layout written and read back."""

import json

import numpy as np
import pytest
from PIL import Image

from weaktr_core.__main__ import main
from weaktr_core.commands.common import open_data
from weaktr_core.data import DataError, Sample, TaggedDataset
from weaktr_core.data.folder import TaggedFolder, write_voc
from weaktr_core.data.voc import CLASSES, VOC2012


def folder(path, text, photos=("a", "b", "c")):
    for name in photos:
        Image.new("RGB", (40, 30)).save(path / f"{name}.jpg")
    (path / "tags.csv").write_bytes(text.encode("utf-8-sig"))
    return path


def test_a_table_gives_photos_tags_and_splits(tmp_path):
    text = "photo,tags,split\na.jpg,traffic light| dog,train\nb.jpg,,train\nc.jpg,dog,val\n"
    data = open_data(str(folder(tmp_path, text)), "train")
    assert isinstance(data, TaggedFolder) and isinstance(data, TaggedDataset)
    assert data.classes == ("dog", "traffic light") and len(data) == 2
    assert [s.tags.tolist() for s in data] == [[1, 1], [0, 0]]
    assert data[0].name == "a" and data[0].mask is None
    assert len(TaggedFolder(tmp_path, "val")) == 1


def test_a_spreadsheet_with_semicolons_and_no_splits(tmp_path):
    rows = "".join(f"{name}.jpg;dog|cat\n" for name in "abcdefghij")
    data = folder(tmp_path, "photo;tags\n" + rows, "abcdefghij")
    assert len(TaggedFolder(data)) == 8 and len(TaggedFolder(data, "val")) == 2


def test_masks_are_found_and_photos_turned(tmp_path):
    folder(tmp_path, "photo,tags\na.jpg,dog\n")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.ones((40, 30), np.uint8)).save(tmp_path / "masks" / "a.png")
    sample = TaggedFolder(tmp_path)[0]
    assert sample.image.shape == (40, 30, 3) and sample.mask.shape == (40, 30)
    Image.fromarray(np.ones((30, 40), np.uint8)).save(tmp_path / "masks" / "a.png")
    assert TaggedFolder(tmp_path)[0].mask.shape == (40, 30)  # drawn before it was turned
    Image.fromarray(np.ones((20, 40), np.uint8)).save(tmp_path / "masks" / "a.png")
    with pytest.raises(DataError, match="as large as its photo"):
        TaggedFolder(tmp_path)[0]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", "columns photo,tags"),
        ("file,label\na.jpg,dog\n", "columns photo,tags"),
        ("photo,tags\na.jpg,\n", "at least one tag"),
        ("photo,tags\na.jpg,dog\na.jpg,dog\n", "'a.jpg' again"),
        ("photo,tags\na.jpg,dog\nb.jpg,Dog\n", "one spelling of each class, came Dog, dog"),
        ("photo,tags\n../a.jpg,dog\n", "inside its folder, came '../a.jpg'"),
        ("photo,tags\n/etc/passwd,dog\n", "inside its folder"),
        ("photo,tags\na.jpg," + "|".join(map(str, range(300))) + "\n", "1 to 254 classes"),
        ("photo,tags\n,dog\n", "none in row 2"),
        ("photo,tags,split\na.jpg,dog,test\n", "photos of split 'train'"),
    ],
)
def test_a_broken_table_is_one_line(tmp_path, text, expected):
    with pytest.raises(DataError, match=expected):
        TaggedFolder(folder(tmp_path, text))


def test_doctor_and_training_take_such_a_folder(tmp_path, capsys, caplog):
    caplog.set_level("INFO")
    text = "photo,tags,split\na.jpg,dog,train\nb.jpg,,train\nc.jpg,dog,val\n"
    data, run = str(folder(tmp_path, text)), str(tmp_path / "run")
    assert main(["doctor", data]) == 0
    assert "teaches only what is absent" in capsys.readouterr().out
    arguments = ["--preset", "smoke", "--set", "epochs=1", "img_size=32", "precision=no"]
    assert main(["train-cam", "--data", data, "--run", run, *arguments]) == 0
    assert "every photo shows dog" not in caplog.text
    told = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (told["photos"], told["tag_counts"]) == (2, {"dog": 1})
    assert main(["make-labels", run, "--crf", "none"]) == 0
    (tmp_path / "tags.csv").write_text(text.replace("b.jpg,,", "b.jpg,dog,"))
    assert main(["train-cam", "--data", data, "--run", run + "2", *arguments]) == 0
    assert "every photo shows dog: add photos without it" in caplog.text
    (tmp_path / "b.jpg").write_bytes(b"no photo")
    assert main(["doctor", data]) == 1


def test_voc_layout_is_read_back_as_it_was(tmp_path):
    mask = np.array([[0, 1], [2, 255]], np.uint8).repeat(8, 0).repeat(8, 1)
    image = np.full((16, 16, 3), 90, np.uint8)
    sample = Sample(image, np.array([1, 1], np.float32), mask, "one")
    write_voc(tmp_path, "train", [sample], ("cat", "bird"))
    (read,) = VOC2012(tmp_path)
    cat, bird = CLASSES.index("cat"), CLASSES.index("bird")
    assert np.flatnonzero(read.tags).tolist() == sorted((cat, bird))
    assert np.unique(read.mask).tolist() == sorted((0, bird + 1, cat + 1, 255))
    assert (read.mask == cat + 1).sum() == 64 and np.abs(read.image - 90.0).max() < 3
    with pytest.raises(ValueError, match="no class snail"):
        write_voc(tmp_path, "train", [sample], ("cat", "snail"))


def test_photos_of_one_stem_keep_apart_and_accents_are_one(tmp_path):
    (tmp_path / "sub").mkdir()
    folder(
        tmp_path,
        "photo,tags\na.jpg,K\u00e4fer\nsub/a.jpg,Ka\u0308fer\nb.jpg,\n",
        ("a", "b", "sub/a"),
    )
    data = TaggedFolder(tmp_path)
    assert data.classes == ("K\u00e4fer",)
    assert [sample.name for sample in data] == ["a", "sub__a", "b"]


def as_layout(kind: str, root, tags: dict[str, str]) -> None:
    """The same photos and tags in each way that a folder can say them."""
    names = sorted(tags)
    places = dict.fromkeys(names, "")
    if kind == "class folders":
        places = {name: f"{tags[name] or 'none'}/" for name in names}
    if kind == "metadata.jsonl":
        places = dict.fromkeys(names, "train/")
    for name in names:
        (root / places[name]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30)).save(root / f"{places[name]}{name}.jpg")
    lines = [f"{name}.jpg,{tags[name]},train" for name in names]
    if kind == "tags.csv":
        (root / "tags.csv").write_text("photo,tags,split\n" + "\n".join(lines))
    if kind == "metadata.csv":
        (root / "metadata.csv").write_text("file_name,label,split\n" + "\n".join(lines))
    if kind == "metadata.jsonl":
        lines = [json.dumps({"file_name": f"{n}.jpg", "tags": [tags[n]]}) for n in names]
        (root / "train" / "metadata.jsonl").write_text("\n".join(lines))


@pytest.mark.parametrize(
    "kind", ["tags.csv", "metadata.csv", "metadata.jsonl", "class folders"]
)
def test_each_way_to_say_tags_gives_the_same_samples(tmp_path, kind):
    tags = {"a": "dog", "b": "cat", "c": "", "d": "dog"}
    as_layout(kind, tmp_path, tags)
    data = open_data(str(tmp_path), "train")
    assert isinstance(data, TaggedFolder) and data.classes == ("cat", "dog")
    found = {sample.name: sample.tags.tolist() for sample in data}
    assert found == {"a": [0, 1], "b": [1, 0], "c": [0, 0], "d": [0, 1]}


def test_one_folder_of_photos_says_nothing(tmp_path):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "photos" / "a.jpg")
    with pytest.raises(DataError, match="a folder of photos for each class"):
        open_data(str(tmp_path), "train")


def test_masks_beside_folders_of_classes_are_no_class_and_an_empty_one_is_named(tmp_path):
    as_layout("class folders", tmp_path, {"a": "dog", "b": "cat", "c": "dog"})
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.ones((30, 40), np.uint8)).save(tmp_path / "masks" / "a.png")
    data = TaggedFolder(tmp_path)
    assert data.classes == ("cat", "dog")
    assert [it.name for it in data if it.mask is not None] == ["a"]
    (tmp_path / "sheep").mkdir()
    with pytest.raises(DataError, match="sheep: expected photos of a class, came an empty"):
        open_data(str(tmp_path), "train")


def test_a_labelmap_orders_classes_and_reads_masks_of_0_and_255(tmp_path):
    folder(tmp_path, "photo,tags\na.jpg,crack\nb.jpg,\n")
    (tmp_path / "masks").mkdir()
    drawn = np.zeros((30, 40), np.uint8)
    drawn[:3] = 255
    Image.fromarray(drawn).save(tmp_path / "masks" / "a.png")
    assert np.unique(TaggedFolder(tmp_path)[0].mask).tolist() == [0, 255]
    (tmp_path / "labelmap.txt").write_text("crack:255,255,255::\n")
    sample = TaggedFolder(tmp_path)[0]
    assert sample.mask.sum() == 3 * 40 and sample.mask.max() == 1
    (tmp_path / "labelmap.txt").write_text("hole:9,9,9\n")
    with pytest.raises(DataError, match=r"tags that labelmap\.txt lists, came crack"):
        TaggedFolder(tmp_path)


def test_ids_that_are_no_class_are_counted(tmp_path):
    folder(tmp_path, "photo,tags\na.jpg,dog\n")
    (tmp_path / "masks").mkdir()
    drawn = np.zeros((30, 40), np.uint8)
    drawn[:3] = 7
    Image.fromarray(drawn).save(tmp_path / "masks" / "a.png")
    with pytest.raises(DataError, match=r"ids 0 to 1 and 255, came 7 in 10.0% of"):
        TaggedFolder(tmp_path)[0]
