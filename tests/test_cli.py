"""The command line, used well and badly: exit codes, one clear line, no traceback."""

import json

import pytest
from PIL import Image

from weaktr_core.__main__ import build_parser, main

COMMANDS = [
    "train-cam", "make-labels", "train-seg", "evaluate", "segment", "explore", "export", "doctor",
    "report", "review",
]  # fmt: skip
SMOKE = ["--preset", "smoke", "--set", "epochs=1", "precision=no", "img_size=48"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "run"
    code = main(["train-cam", "--data", "scenes:10", "--run", str(folder), *SMOKE])
    assert code == 0
    return folder


def fails(capsys, *arguments):
    """Run a command that must fail; its one line of complaint."""
    assert main([str(a) for a in arguments]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if "weaktr:" in line]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_and_flags_are_few(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.count("\n  -") <= 14 and len(text.splitlines()) > 8


def test_overview_names_all_commands():
    text = build_parser().format_help()
    assert all(command in text for command in COMMANDS)


def test_labels_and_scores_from_a_run(run, tmp_path, capsys):
    assert main(["make-labels", str(run), "--data", "scenes:3", "--scales", "1"]) == 0
    assert len(list((run / "labels" / "masks").glob("*.png"))) == 3
    again = [
        "make-labels",
        run,
        "--data",
        "scenes:3",
        "--crf",
        "none",
        "--threshold",
        "0.3",
    ]
    again += ["--cams", run / "labels" / "cams", "--out", tmp_path / "again"]
    assert main([str(a) for a in again]) == 0
    assert not (tmp_path / "again" / "cams").exists()
    assert len(list((tmp_path / "again" / "masks").glob("*.png"))) == 3
    scores = tmp_path / "scores.json"
    assert main(["evaluate", str(run), "--data", "scenes:6", "--json", str(scores)]) == 0
    stored = json.loads(scores.read_text())
    assert set(stored["stages"]) == {"coarse_cam", "cross_attention", "cam", "fine_cam"}
    out = capsys.readouterr().out
    assert "chosen with these very masks" in out and "background" in out


def test_training_errors_are_one_line(run, tmp_path, capsys):
    again = ["train-cam", "--data", "scenes:10", "--run", run]
    assert "--resume" in fails(capsys, *again, *SMOKE)
    assert "cannot resume with other settings" in fails(
        capsys, *again, *SMOKE, "seed=3", "--resume"
    )
    nowhere = ["train-cam", "--data", tmp_path / "none", "--run", tmp_path / "r"]
    assert str(tmp_path / "none") in fails(capsys, *nowhere, "--preset", "smoke")
    (tmp_path / "empty").mkdir()
    assert "empty" in fails(
        capsys, "train-cam", "--data", tmp_path / "empty", "--run", tmp_path / "r"
    )
    assert "there are:" in fails(capsys, "train-cam", "--set", "epoch=3")
    assert "NAME=VALUE" in fails(capsys, "train-cam", "--set", "epochs")
    assert main(["train-cam", "my_photos"]) == 2
    assert "train-cam takes no my_photos" in capsys.readouterr().err


def test_run_errors_are_one_line(run, tmp_path, capsys):
    assert "no run here" in fails(capsys, "evaluate", tmp_path)
    assert "no run here" in fails(capsys, "make-labels", tmp_path / "none")
    (tmp_path / "config.json").write_text((run / "config.json").read_text())
    assert "no such checkpoint" in fails(capsys, "evaluate", tmp_path)


def test_a_truncated_photo_is_named(tmp_path, capsys):
    voc = tmp_path / "VOC2012"
    for name in ("Annotations", "JPEGImages", "ImageSets/Segmentation"):
        (voc / name).mkdir(parents=True)
    Image.new("RGB", (64, 48)).save(voc / "JPEGImages" / "a.jpg")
    whole = (voc / "JPEGImages" / "a.jpg").read_bytes()
    (voc / "JPEGImages" / "a.jpg").write_bytes(whole[: len(whole) // 2])
    (voc / "Annotations" / "a.xml").write_text(
        "<annotation><object><name>cat</name></object></annotation>"
    )
    for split in ("train", "val"):
        (voc / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("a\n")
    line = fails(
        capsys, "train-cam", "--data", voc, "--run", tmp_path / "r", "--preset", "smoke"
    )
    assert "a.jpg" in line
    assert "problem" in fails(capsys, "doctor", voc)


def test_doctor_passes_scenes(capsys):
    assert main(["doctor", "scenes:4"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("ready")


def test_classes_must_fit_the_run(run, shared, capsys):
    line = fails(capsys, "evaluate", run, "--data", shared / "voc-mini")
    assert "trained on 10 classes" in line and "20" in line


def test_from_labels_to_a_segmentation_network(run, tmp_path, capsys):
    options = ["--data", "scenes:6", "--scales", "1", "--crf", "none"]
    labels = tmp_path / "labels"
    arguments = [str(run), *options, "--out", str(labels)]
    assert main(["make-labels", *arguments]) == 0
    assert "(otsu), no CRF, mIoU" in capsys.readouterr().out
    assert main(["make-labels", *arguments, "--threshold", "peek"]) == 0
    stored = json.loads((labels / "labels.json").read_text())
    assert stored["chosen"] == "peek" and 0 < stored["miou"] < 1
    again = ["make-labels", *arguments, "--threshold"]
    for threshold in ("best", "nan", "2"):
        assert main([*again, threshold]) == 2
        assert "one of otsu, peek or a number from 0 to 1" in capsys.readouterr().err
    seg = str(tmp_path / "seg")
    train = ["train-seg", "--data", "scenes:6", "--labels", str(labels / "masks")]
    train += ["--run", seg, "--preset", "smoke", "--set", "epochs=1", "img_size=48"]
    assert main([*train, "short_side=48"]) == 0
    masks, scores = tmp_path / "masks", tmp_path / "scores.json"
    options = ["--split", "test", "--masks", str(masks), "--json", str(scores)]
    assert main(["evaluate", seg, *options, "--ensemble"]) == 0
    assert "mIoU" in capsys.readouterr().out and len(list(masks.glob("*.png"))) == 6
    assert json.loads(scores.read_text())["ensemble"] is True
    assert (tmp_path / "seg" / "confusion-test.png").exists()
    assert "segmentation network" in fails(capsys, "make-labels", seg)


def test_segmentation_errors_are_one_line(run, tmp_path, capsys):
    train = ["train-seg", "--run", tmp_path / "s", "--preset", "smoke"]
    assert "masks NAME.png" in fails(capsys, *train, "--labels", tmp_path)
    assert "no setting named epoch" in fails(
        capsys, *train, "--labels", "true", "--set", "epoch=1"
    )
    assert "no run here" in fails(capsys, "evaluate", tmp_path / "s")


def test_explore_writes_one_page(run, tmp_path, capsys):
    photo, out = tmp_path / "my photo.png", tmp_path / "out.html"
    Image.new("RGB", (90, 64)).save(photo)
    arguments = ["explore", str(photo), "--run", str(run), "--size", "64"]
    assert main([*arguments, "-o", str(out)]) == 0
    text = out.read_text("utf8")
    assert "Attention heads on my photo" in text and "token of" in text
    assert "no such file" in fails(capsys, "explore", tmp_path / "none.jpg")
    photo.write_bytes(photo.read_bytes()[:60])
    assert "my photo.png" in fails(capsys, *arguments)
    assert "no run here" in fails(capsys, "explore", photo, "--run", tmp_path)


def test_explore_takes_any_photo_and_says_what_is_wrong(run, tmp_path, capsys):
    out, photo = tmp_path / "out.html", tmp_path / "photo.png"
    command = ["explore", str(photo), "--run", str(run), "-o", str(out), "--size", "48"]
    for mode, size in {
        "L": (10, 10),
        "RGBA": (30, 40),
        "1": (1, 1),
        "RGB": (9, 400),
    }.items():
        Image.new(mode, size).save(photo)
        assert main(command) == 0
        assert out.stat().st_size < 2.2e6
        out.unlink()
    assert "not one patch" in fails(capsys, *command[:-1], "5")
    Image.new("RGB", (3, 9000)).save(photo)
    assert "3 x 9000 pixels is too narrow" in fails(capsys, *command)
    assert "name a file" in fails(capsys, *command, "-o", tmp_path)
    assert "ends in .html" in fails(capsys, *command, "-o", tmp_path / "page.png")
    assert "a photo, came Is a directory" in fails(capsys, "explore", tmp_path)
