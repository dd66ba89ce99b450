"""VOC 2012: splits, tags, masks and broken files, on a tree of tiny photos."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from weaktr_core.data import VOC2012, DataError, open_dataset
from weaktr_core.data.files import read_image, read_mask
from weaktr_core.data.voc import CLASSES

SHARED = os.environ.get("WEAKTR_SHARED")
NAMES = {
    "train": ["2007_a", "2007_b"],
    "val": ["2007_c"],
    "trainval": ["2007_a", "2007_b", "2007_c"],
}
OBJECTS = {"2007_a": ["cat"], "2007_b": ["dog", "person"], "2007_c": ["tvmonitor"]}
ORIENTATION = 0x0112


def write_xml(folder: Path, name: str, objects: list[str], difficult: int = 0) -> None:
    entries = "".join(
        f"<object><name>{it}</name><difficult>{difficult}</difficult>"
        "<part><name>head</name></part></object>"
        for it in objects
    )
    text = f"<annotation><filename>{name}.jpg</filename>{entries}</annotation>"
    (folder / "Annotations" / f"{name}.xml").write_text(text)


def write_photo(path: Path, width: int = 12, height: int = 8, **options) -> None:
    Image.new("RGB", (width, height), (200, 100, 50)).save(path, **options)


def write_mask(path: Path, mask: np.ndarray) -> None:
    picture = Image.fromarray(mask.astype(np.uint8)).convert("P")
    picture.putpalette([7 * i % 256 for i in range(768)])
    picture.frombytes(mask.astype(np.uint8).tobytes())
    picture.save(path)


def some_mask(name: str) -> np.ndarray:
    mask = np.zeros((8, 12), np.uint8)
    for row, label in enumerate(OBJECTS.get(name, ["cow"])):
        mask[1 + row, 2:6] = CLASSES.index(label) + 1
    mask[0] = 255
    return mask


@pytest.fixture
def voc(tmp_path):
    folder = tmp_path / "VOCdevkit" / "VOC2012"
    lists = folder / "ImageSets" / "Segmentation"
    for part in (lists, *(folder / it for it in ("JPEGImages", "Annotations"))):
        part.mkdir(parents=True)
    (folder / "SegmentationClass").mkdir()
    for split, names in NAMES.items():
        (lists / f"{split}.txt").write_text("\n".join(names) + "\n\n")
    for name, objects in OBJECTS.items():
        write_xml(folder, name, objects)
        write_photo(folder / "JPEGImages" / f"{name}.jpg")
        write_mask(folder / "SegmentationClass" / f"{name}.png", some_mask(name))
    return folder


@pytest.fixture
def sbd(voc):
    """SBD's train has a VOC train and a VOC val image, its val one of its own."""
    folder = voc.parent.parent / "benchmark_RELEASE" / "dataset"
    for part in ("cls", "img"):
        (folder / part).mkdir(parents=True)
    (folder / "train.txt").write_text("2007_a\n2007_c\n")
    (folder / "val.txt").write_text("2008_x\n")
    for name in ("2007_a", "2007_c", "2008_x"):
        truth = np.zeros((8, 12), np.uint8)
        truth[3:5, 3:5] = CLASSES.index("cow") + 1
        savemat(folder / "cls" / f"{name}.mat", {"GTcls": {"Segmentation": truth}})
        write_photo(folder / "img" / f"{name}.jpg")
    write_xml(voc, "2008_x", ["cow"])
    return folder


def error_of(action) -> str:
    with pytest.raises(DataError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    assert "expected" in message and "came" in message
    return message


def test_classes_are_the_twenty_in_alphabetical_order():
    assert len(CLASSES) == 20
    assert list(CLASSES) == sorted(CLASSES)
    assert VOC2012.classes == CLASSES


@pytest.mark.parametrize("split", ["train", "val", "trainval"])
def test_split_lists_its_names_in_order(voc, split):
    data = VOC2012(voc, split)
    assert len(data) == len(NAMES[split])
    assert [sample.name for sample in data] == NAMES[split]


def test_root_may_be_any_of_three_folders(voc):
    for root in (voc, voc.parent, voc.parent.parent, str(voc.parent.parent)):
        assert VOC2012(root).folder == voc.resolve()


def test_sample_has_the_documented_form(voc):
    sample = VOC2012(voc)[1]
    assert sample.image.shape == (8, 12, 3) and sample.image.dtype == np.uint8
    assert sample.tags.shape == (20,) and sample.tags.dtype == np.float32
    assert [CLASSES[k] for k in np.flatnonzero(sample.tags)] == ["dog", "person"]
    assert sample.mask.dtype == np.uint8
    np.testing.assert_array_equal(sample.mask, some_mask("2007_b"))


def test_indexing_ends_like_a_list(voc):
    data = VOC2012(voc)
    assert data[-1].name == "2007_b"
    with pytest.raises(IndexError):
        data[2]


def test_difficult_objects_count_and_parts_do_not(voc):
    write_xml(voc, "2007_a", ["cat", "bus"], difficult=1)
    tags = VOC2012(voc)[0].tags
    assert [CLASSES[k] for k in np.flatnonzero(tags)] == ["bus", "cat"]


def test_without_masks_none_is_read(voc):
    (voc / "SegmentationClass" / "2007_a.png").write_bytes(b"broken")
    assert VOC2012(voc, masks=False)[0].mask is None


def test_image_without_a_mask_has_none(voc):
    (voc / "SegmentationClass" / "2007_a.png").unlink()
    assert VOC2012(voc)[0].mask is None


def test_train_aug_is_the_union_without_val(voc, sbd):
    data = VOC2012(voc, "train_aug", expected=3)
    assert data.names == ["2007_a", "2007_b", "2008_x"]


def test_train_aug_of_another_size_is_an_error(voc, sbd):
    message = error_of(lambda: VOC2012(voc, "train_aug"))
    assert "expected 10582 images" in message and message.endswith("came 3")
    assert len(VOC2012(voc, "train_aug", expected=None)) == 3


def test_train_aug_prefers_voc_and_falls_back_to_sbd(voc, sbd):
    first, _, last = VOC2012(voc, "train_aug", expected=None)
    np.testing.assert_array_equal(first.mask, some_mask("2007_a"))
    assert last.image.shape == (8, 12, 3)
    assert last.mask.dtype == np.uint8
    assert np.unique(last.mask).tolist() == [0, CLASSES.index("cow") + 1]
    assert (last.mask > 0).sum() == 4


def test_train_aug_needs_sbd(voc, sbd):
    (sbd / "val.txt").unlink()
    message = error_of(lambda: VOC2012(voc, "train_aug"))
    assert "val.txt" in message and "no such file" in message
    sbd.parent.rename(sbd.parent.with_name("elsewhere"))
    message = error_of(lambda: VOC2012(voc, "train_aug"))
    assert str(Path("benchmark_RELEASE", "dataset")) in message
    assert "no such folder" in message


def test_sbd_image_without_annotation_is_an_error(voc, sbd):
    (voc / "Annotations" / "2008_x.xml").unlink()
    data = VOC2012(voc, "train_aug", expected=None)
    assert "2008_x.xml" in error_of(lambda: data[2])


@pytest.mark.parametrize("content", [b"no matlab", b""])
def test_broken_sbd_mask_is_named(voc, sbd, content):
    (sbd / "cls" / "2008_x.mat").write_bytes(content)
    data = VOC2012(voc, "train_aug", expected=None)
    assert "2008_x.mat" in error_of(lambda: data[2])


def test_sbd_mask_without_the_field_is_named(voc, sbd):
    savemat(sbd / "cls" / "2008_x.mat", {"other": np.zeros((2, 2))})
    data = VOC2012(voc, "train_aug", expected=None)
    assert "GTcls.Segmentation" in error_of(lambda: data[2])


def test_unknown_split_and_empty_folder(voc, tmp_path):
    message = error_of(lambda: VOC2012(voc, "test"))
    assert "test.txt" in message and "train, trainval, val" in message
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "readme.txt").write_text("")
    assert "readme.txt" in error_of(lambda: VOC2012(empty))
    assert "no such folder" in error_of(lambda: VOC2012(tmp_path / "nowhere"))


def test_missing_or_empty_list_is_named(voc):
    path = voc / "ImageSets" / "Segmentation" / "train.txt"
    path.write_text("\n")
    assert "empty file" in error_of(lambda: VOC2012(voc))
    path.unlink()
    assert "train.txt" in error_of(lambda: VOC2012(voc))


@pytest.mark.parametrize("keep", [0, 20, 0.7])
def test_cut_off_photo_is_named(voc, keep):
    path = voc / "JPEGImages" / "2007_a.jpg"
    write_photo(path, 32, 24)
    content = path.read_bytes()
    path.write_bytes(content[: keep if keep != 0.7 else int(0.7 * len(content))])
    assert "2007_a.jpg" in error_of(lambda: VOC2012(voc, masks=False)[0])


def test_missing_photo_is_named(voc):
    (voc / "JPEGImages" / "2007_a.jpg").unlink()
    message = error_of(lambda: VOC2012(voc)[0])
    assert "2007_a.jpg" in message and "no such file" in message


@pytest.mark.parametrize(
    "content",
    [
        "<annotation>",
        "",
        "<annotation><object><name>zebra</name></object></annotation>",
    ],
)
def test_broken_annotation_is_named(voc, content):
    (voc / "Annotations" / "2007_a.xml").write_text(content)
    assert "2007_a.xml" in error_of(lambda: VOC2012(voc)[0])


def test_mask_of_another_size_is_named(voc):
    write_mask(voc / "SegmentationClass" / "2007_a.png", np.zeros((12, 8)))
    message = error_of(lambda: VOC2012(voc)[0])
    assert "2007_a.png" in message
    assert "8 x 12" in message and message.endswith("12 x 8")


def test_mask_of_colours_is_refused(tmp_path):
    path = tmp_path / "mask.png"
    Image.new("RGB", (4, 4)).save(path)
    assert "mode RGB" in error_of(lambda: read_mask(path))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_photos_become_rgb(tmp_path, mode):
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (12, 8), (120, 120, 120)).convert(mode).save(path, quality=95)
    image = read_image(path)
    assert image.shape == (8, 12, 3) and image.dtype == np.uint8
    assert abs(image.astype(int) - 120).max() <= 3


def test_sixteen_bit_photo_is_refused(tmp_path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(path)
    assert "8 bits" in error_of(lambda: read_image(path))


def test_exif_orientation_is_left_alone_unless_asked_for(voc):
    path = voc / "JPEGImages" / "2007_a.jpg"
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # "turn by a quarter to show"
    write_photo(path, exif=exif)
    assert VOC2012(voc)[0].image.shape == (8, 12, 3)
    assert read_image(path, upright=True).shape == (12, 8, 3)


def test_download_without_internet_is_one_line(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("<urlopen error\n no route>")

    monkeypatch.setattr("torchvision.datasets.utils.download_and_extract_archive", refuse)
    message = error_of(lambda: VOC2012(tmp_path, download=True))
    assert "http" in message and "no route" in message


def test_download_fetches_only_what_is_missing(voc, monkeypatch):
    fetched = []
    monkeypatch.setattr(
        "torchvision.datasets.utils.download_and_extract_archive",
        lambda url, root, **options: fetched.append((url, Path(root))),
    )
    VOC2012(voc, download=True)
    assert fetched == []
    error_of(lambda: VOC2012(voc, "train_aug", download=True))
    (url, root) = fetched[0]
    assert url.endswith("benchmark.tgz") and root == voc.parent.parent.resolve()


def test_open_dataset_knows_the_layout(voc):
    for root in (voc, voc.parent, voc.parent.parent):
        assert isinstance(open_dataset(root, "val"), VOC2012)


@pytest.mark.skipif(not SHARED, reason="WEAKTR_SHARED is not set: no real photos")
def test_real_photos():
    root = Path(SHARED) / "voc-mini"
    sizes = {split: len(VOC2012(root, split)) for split in NAMES}
    assert sizes == {"train": 53, "val": 24, "trainval": 77}
    for sample in VOC2012(root, "val"):
        drawn = np.setdiff1d(np.unique(sample.mask), [0, 255]) - 1
        assert drawn.tolist() == np.flatnonzero(sample.tags).tolist()


LISTS = [
    ("any", "2007_b\n", ["2007_b"]),
    ("bom", "\ufeff2007_a\r\n\r\n2007_b \n", ["2007_a", "2007_b"]),
    ("train_aug", "/JPEGImages/2007_a.jpg /SegmentationClassAug/2007_a.png\n", ["2007_a"]),
    ("cat_train", "2007_a  1\n2007_b -1\n", ["2007_a", "2007_b"]),
    ("blanks", "my cat 2\n", ["my cat 2"]),
]


@pytest.mark.parametrize("split, text, names", LISTS)
def test_any_list_is_a_split_in_every_form_that_goes_round(voc, split, text, names):
    write_photo(voc / "JPEGImages" / "my cat 2.JPG")
    write_xml(voc, "my cat 2", ["cat"])
    path = voc / "ImageSets" / "Segmentation" / f"{split}.txt"
    path.write_bytes(text.encode("utf8"))
    assert [sample.name for sample in VOC2012(voc, split)] == names


@pytest.mark.parametrize(
    "line", ["../../a", "/etc/passwd", "C:\\a", "/JPEGImages/../../a.jpg"]
)
def test_names_that_lead_out_of_the_folder_are_refused(voc, line):
    (voc / "ImageSets" / "Segmentation" / "train.txt").write_text(line + "\n")
    assert "inside its folder" in error_of(lambda: VOC2012(voc))


@pytest.fixture
def own(voc):
    """The same photos below a folder that is not called VOC2012, classes of one's own."""
    folder = voc.rename(voc.parent.parent / "mine")
    for name, objects in {
        "2007_a": ["Käfer"],
        "2007_b": ["cat", "Ka\u0308fer"],
        "2007_c": [],
    }.items():
        write_xml(folder, name, objects)
        (folder / "SegmentationClass" / f"{name}.png").unlink()
    return folder


def test_names_of_ones_own_are_classes(own):
    first, second = VOC2012(own)
    assert VOC2012(own, "val").classes == VOC2012(own).classes == ("Käfer", "cat")
    assert first.tags.tolist() == [1, 0] and second.tags.tolist() == [1, 1]


def test_without_lists_every_fifth_photo_measures(own):
    for path in (own / "ImageSets" / "Segmentation").iterdir():
        path.unlink()
    for name in "defghijk":
        write_photo(own / "JPEGImages" / f"{name}.png")
    assert (len(VOC2012(own)), len(VOC2012(own, "val"))) == (9, 2)
    (own / "ImageSets" / "Segmentation" / "default.txt").write_text("d\ne\n")
    assert VOC2012(own).names == ["d", "e"]


def test_a_labelmap_gives_classes_and_the_colours_of_masks(own):
    text = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:255,0,0::\nKäfer:0,9,0::\n"
    (own / "labelmap.txt").write_text(text, "utf8")
    drawn = np.zeros((8, 12, 3), np.uint8)
    drawn[:2], drawn[6:] = (255, 0, 0), (0, 9, 0)
    Image.fromarray(drawn).save(own / "SegmentationClass" / "2007_a.png")
    sample = VOC2012(own)[0]
    assert VOC2012(own).classes == ("cat", "Käfer") and sample.tags.tolist() == [0, 1]
    assert sample.mask[:, 0].tolist() == [1, 1, 0, 0, 0, 0, 2, 2]
    drawn[3] = (1, 2, 3)
    Image.fromarray(drawn).save(own / "SegmentationClass" / "2007_a.png")
    assert "came 1,2,3" in error_of(lambda: VOC2012(own)[0])


@pytest.mark.parametrize("turn, shape", [(6, (8, 12)), (8, (12, 8)), (3, (8, 12))])
def test_a_mask_of_ones_own_is_turned_with_its_photo_or_refused(own, turn, shape):
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    write_photo(own / "JPEGImages" / "2007_a.jpg", exif=exif)
    mask = np.zeros(shape, np.uint8)
    mask[0] = 1  # the upper edge of the pixels that it was drawn on
    write_mask(own / "SegmentationClass" / "2007_a.png", mask)
    if turn == 3:
        assert "either way up" in error_of(lambda: VOC2012(own)[0])
        return
    sample = VOC2012(own)[0]
    assert sample.image.shape == (12, 8, 3) and sample.mask.shape == (12, 8)
    # EXIF 6 turns the stored upper edge to the right; an upright mask stays as it is
    assert (sample.mask[:, -1] if turn == 6 else sample.mask[0]).all()
