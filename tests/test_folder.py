"""Own photos: a table of tags in any state, and VOC's layout written and read back."""

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
    with pytest.raises(DataError, match="as large as its photo"):
        TaggedFolder(tmp_path)[0]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", "a first line photo,tags"),
        ("file,label\na.jpg,dog\n", "a first line photo,tags"),
        ("photo,tags\na.jpg,\n", "at least one tag"),
        ("photo,tags\na.jpg,dog\nsub/a.png,dog\n", "'a' again"),
        ("photo,tags\n,dog\n", "none in row 2"),
        ("photo,tags,split\na.jpg,dog,test\n", "photos of split 'train'"),
    ],
)
def test_a_broken_table_is_one_line(tmp_path, text, expected):
    with pytest.raises(DataError, match=expected):
        TaggedFolder(folder(tmp_path, text))


def test_doctor_and_training_take_such_a_folder(tmp_path, capsys):
    text = "photo,tags,split\na.jpg,dog,train\nb.jpg,,train\nc.jpg,dog,val\n"
    data, run = str(folder(tmp_path, text)), str(tmp_path / "run")
    assert main(["doctor", data]) == 0
    assert "teaches only what is absent" in capsys.readouterr().out
    arguments = ["--preset", "smoke", "--set", "epochs=1", "img_size=32", "precision=no"]
    assert main(["train-cam", "--data", data, "--run", run, *arguments]) == 0
    assert main(["make-labels", run, "--crf", "none"]) == 0
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
