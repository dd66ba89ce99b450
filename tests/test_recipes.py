"""The book's runs: found again while the code that made them is the same."""

import shutil

import pytest

from weaktr_core import recipes

CAM = ["weaktr_core.train.cam"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that can be edited; only its text is read."""
    copy = tmp_path / "weaktr_core"
    shutil.copytree(recipes.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(recipes, "PACKAGE", copy)
    return copy


def edit(path, old, new):
    text = path.read_text("utf8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf8")


def test_comments_and_what_does_not_train_change_no_hash(package):
    before = recipes.code_of(CAM)
    edit(package / "train" / "loop.py", '"""Training:', '"""# Training, in other words:')
    edit(package / "method" / "losses.py", "import torch\n", "import torch  # why not\n")
    for name in ("data/doctor.py", "config.py", "train/seg.py", "labels/making.py"):
        (package / name).write_text("print('another')\n")
    assert recipes.code_of(CAM) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("method/losses.py", "token_weight * class_token", "2 * class_token"),
        ("train/order.py", "* processes)", "* processes + 1)"),
        ("networks/pretrained.py", "def load_vit", "def load_another_vit"),
        ("data/transforms.py", "/ 255", "/ 256"),
        ("scores/metrics.py", "side=\"left\"", "side=\"right\""),
    ],
)  # fmt: skip
def test_what_trains_and_measures_changes_the_hash(package, name, old, new):
    before = recipes.code_of(CAM)
    edit(package / name, old, new)
    assert recipes.code_of(CAM) != before
