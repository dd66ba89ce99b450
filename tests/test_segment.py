"""``segment``: photos of strangers, in every state, with networks of both steps."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weaktr_core.__main__ import main
from weaktr_core.commands.segment import find_photos
from weaktr_core.data.files import read_mask
from weaktr_core.data.scenes.scenes import CLASSES, scene
from weaktr_core.labels.photos import Segmented, believed, enlarge

SMALL = ["--preset", "smoke", "--set", "epochs=1", "precision=no", "img_size=48"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of each step, trained for a moment: their masks mean nothing."""
    folder = tmp_path_factory.mktemp("segment")
    cam, seg = str(folder / "cam"), str(folder / "seg")
    assert main(["train-cam", "--data", "scenes:8", "--run", cam, *SMALL]) == 0
    train = ["train-seg", "--data", "scenes:8", "--labels", "true", "--run", seg, *SMALL]
    assert main([*train, "short_side=48"]) == 0
    return {"cam": cam, "seg": seg}


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photos" / "one.png"
    path.parent.mkdir()
    Image.fromarray(scene(9, 5, (64, 64)).image).save(path)
    return path


def segment(*arguments):
    return main(["segment", *map(str, arguments)])


def complaint(capsys, *arguments):
    assert segment(*arguments) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if "weaktr:" in line]
    assert len(lines) == 1
    return lines[0]


def test_a_cam_network_writes_mask_overlay_and_explorer(runs, photo, tmp_path, capsys):
    out = tmp_path / "out"
    assert segment(photo, "--run", runs["cam"], "-o", out) == 0
    mask = read_mask(out / "masks" / "one.png")
    assert mask.shape == (64, 64) and mask.max() <= len(CLASSES)
    with Image.open(out / "overlays" / "one.jpg") as overlay:
        assert max(overlay.size) > 600
    assert "token of" in (out / "explorers" / "one.html").read_text("utf8")
    said = capsys.readouterr().out
    assert re.search(r"one: \w+ \(\d+ % likely, \d+ % of the pixels\)", said)


@pytest.mark.parametrize(
    ("likely", "taken"),
    [([0.6, 0.2, 0.7], [2, 0]), ([0.05, 0.3], [1]), ([0.05, 0.02], []), ([0.3], [])],
)
def test_the_likeliest_class_is_taken_unless_nothing_is_likely(likely, taken):
    found = believed(likely)
    assert found == {k: likely[k] for k in taken} and list(found) == taken


def test_a_photo_of_nothing_known_says_so():
    nothing = Segmented(np.zeros((4, 4), np.uint8), {}, (1, 0.06))
    (said,) = nothing.phrases(["cat", "aeroplane"])
    assert "nothing known is likely" in said and "aeroplane, 6 %" in said


def test_given_tags_are_taken_for_granted(runs, photo, tmp_path, capsys):
    arguments = [photo, "--run", runs["cam"], "-o", tmp_path, "--crf", "none"]
    assert segment(*arguments, "--tags", "fish, cat", "--threshold", "0.3") == 0
    labels = set(np.unique(read_mask(tmp_path / "masks" / "one.png")).tolist())
    assert labels <= {0, CLASSES.index("fish") + 1, CLASSES.index("cat") + 1}
    assert len(labels) > 1 and "likely" not in capsys.readouterr().out
    assert "knows no dodo" in complaint(capsys, *arguments, "--tags", "dodo")


def test_a_segmentation_network_needs_no_tags(runs, photo, tmp_path, capsys):
    arguments = [photo, "--run", runs["seg"], "-o", tmp_path]
    assert segment(*arguments) == 0
    assert (tmp_path / "masks" / "one.png").exists()
    assert not (tmp_path / "explorers").exists()
    assert segment(*arguments, "--tags", "cat", "--crf", "none") == 0
    labels = np.unique(read_mask(tmp_path / "masks" / "one.png")).tolist()
    assert set(labels) <= {0, CLASSES.index("cat") + 1}
    assert "train-cam" in complaint(capsys, *arguments, "--threshold", "0.5")


def test_make_labels_threshold_is_taken_up(runs, photo, tmp_path, capsys):
    options = ["--run", runs["cam"], "-o", tmp_path, "--crf", "none", "--explorers", "0"]
    assert segment(photo, *options, "--threshold", "1") == 0
    assert read_mask(tmp_path / "masks" / "one.png").max() == 0
    assert main(["make-labels", runs["cam"], "--data", "scenes:2", "--threshold", "1",
                 "--scales", "1", "--crf", "none"]) == 0  # fmt: skip
    stored = json.loads(Path(runs["cam"], "labels", "labels.json").read_text())
    assert stored["threshold"] == 1
    assert segment(photo, *options, "--threshold", "0") == 0
    assert read_mask(tmp_path / "masks" / "one.png").max() > 0
    assert segment(photo, *options) == 0
    assert read_mask(tmp_path / "masks" / "one.png").max() == 0
    assert not (tmp_path / "explorers").exists()


def test_photos_are_turned_as_exif_asks(runs, tmp_path):
    path, exif = tmp_path / "lying.jpg", Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.fromarray(scene(9, 0, (40, 64)).image).save(path, exif=exif)
    assert segment(path, "--run", runs["cam"], "-o", tmp_path, "--explorers", 0) == 0
    assert read_mask(tmp_path / "masks" / "lying.png").shape == (64, 40)


def test_large_photos_are_worked_on_small_and_given_back_large(runs, tmp_path):
    path = tmp_path / "Große Katze.JPG"
    Image.fromarray(scene(9, 5, (64, 96)).image).resize((1500, 1000)).save(path)
    options = ["-o", tmp_path, "--explorers", 0, "--size", 48, "--scales", 1]
    for run in runs.values():
        assert segment(path, "--run", run, *options) == 0
        assert read_mask(tmp_path / "masks" / "Große Katze.png").shape == (1000, 1500)


def test_a_folder_keeps_going_over_a_broken_photo(runs, photo, tmp_path, capsys):
    whole = photo.read_bytes()
    (photo.parent / "cut.png").write_bytes(whole[: len(whole) // 2])
    (photo.parent / "notes.txt").write_text("no photo")
    options = ["--run", runs["cam"], "-o", tmp_path / "out", "--explorers", 0]
    line = complaint(capsys, photo.parent, *options)
    assert "1 of 2 photos left out" in line and "cut.png" in line
    assert (tmp_path / "out" / "masks" / "one.png").exists()
    line = complaint(capsys, photo.parent / "cut.png", *options)
    assert "cut.png: expected a photo" in line


def test_bad_input_is_one_line(runs, photo, tmp_path, capsys):
    assert "no such photo" in complaint(capsys, tmp_path / "a.jpg", "--run", runs["cam"])
    (tmp_path / "empty").mkdir()
    assert "no photo in" in complaint(capsys, tmp_path / "empty", "--run", runs["cam"])
    assert "no run here" in complaint(capsys, photo, "--run", tmp_path / "none")
    options = [photo, "--run", runs["cam"], "-o", tmp_path]
    for flag, value in (
        ("threshold", "2"),
        ("threshold", "high"),
        ("size", "0"),
        ("size", "-3"),
    ):
        assert segment(*options, f"--{flag}", value) == 2
        assert f"--{flag}: expected a " in capsys.readouterr().err
    strip = tmp_path / "strip.png"
    Image.new("RGB", (900, 10)).save(strip)
    assert "too long a strip" in complaint(capsys, strip, "--run", runs["cam"])


def test_photos_of_one_name_do_not_overwrite_each_other(photo, tmp_path):
    other = tmp_path / "one.jpg"
    Image.new("RGB", (8, 8)).save(other)
    named = find_photos([str(photo), str(other), str(photo)])
    assert list(named) == ["one", "one-2"]


def test_enlarged_labels_keep_their_ids_and_borders():
    labels = np.array([[0, 0, 7, 7], [0, 0, 7, 20]], np.uint8)
    large = enlarge(labels, (20, 40))
    assert set(np.unique(large)) == {0, 7, 20}
    assert (large[:, :18] == 0).all() and (large[0, 22:] == 7).all()
    assert enlarge(labels, (2, 4)) is labels


@pytest.mark.parametrize(
    "backbone",
    [
        "vit_small_patch14_reg4_dinov2",  # registers
        "deit_tiny_distilled_patch16_224",  # a distillation token
        "vit_small_patch16_dinov3",  # registers and rotary positions
    ],
)
def test_tokens_that_are_neither_class_nor_patch(backbone, photo, tmp_path, capsys):
    run, out = str(tmp_path / "run"), tmp_path / "out"
    train = ["train-cam", "--data", "scenes:4", "--run", run, *SMALL]
    assert main([*train, f"backbone={backbone}", "pretrained=False"]) == 0
    assert segment(photo, "--run", run, "-o", out, "--explorers", "1") == 0
    assert read_mask(out / "masks" / "one.png").shape == (64, 64)
    assert "token of" in (out / "explorers" / "one.html").read_text("utf8")
    page = tmp_path / "heads.html"
    assert main(["explore", str(photo), "--run", run, "-o", str(page)]) == 0
    assert "token of" in page.read_text("utf8")
    assert "Traceback" not in capsys.readouterr().err
