"""Benchmarks count right, and their comparisons hold on a small scale."""

import argparse
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import layouts
import sources
import speed
import torch

from weaktr_core import data
from weaktr_core.config import preset

TEXT = '''"""A module."""

import os  # one


class Open:
    """Two lines of code, one of them a method's."""

    def read(self, path: str) -> str:
        """Not counted."""
        # neither is this
        text = (
            path
        )
        return text


def _hidden(a, b: int = 1):
    return a


def shown(*names, **more) -> None: ...
'''


def test_lines_bodies_docstrings_and_types():
    found = sources.count_file(TEXT)
    assert found.lines == 10
    assert sorted(found.bodies) == [1, 1, 4]
    assert found.public == [True, True, False]  # Open, Open.read, shown
    assert sorted(found.typed) == [False, False, True]


def test_a_package_is_the_sum_of_its_files_without_tests(tmp_path):
    for name in ("one.py", "two.py", "tests/three.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(TEXT)
    found = sources.count_package(tmp_path)
    assert (found.files, found.lines, len(found.bodies)) == (2, 20, 6)
    assert found.row("x")[:4] == ["x", 2, 20, 6]


@pytest.mark.parametrize("classes", [("cat",), ("bird", "car")], ids="-".join)
def test_the_same_photos_in_three_layouts_train_the_same_network(
    classes, tmp_path, monkeypatch
):
    """The single class has negatives; names are one's own in every layout."""
    tiny = preset("smoke", epochs=1, img_size=32, precision="no", model={"adapters": 2})
    monkeypatch.setattr(layouts, "preset", lambda name, **settings: tiny)
    world = data.open_dataset("scenes", "train", size=48, count=90)
    fitting = [
        scene for scene in world
        if all(world.classes[int(k)] in ("bird", "car", "cat")
               for k in scene.tags.nonzero()[0])
    ]  # fmt: skip
    root = tmp_path / "VOC2012"
    data.write_voc(root, "train", fitting[:-4], world.classes)
    data.write_voc(root, "val", fitting[-4:], world.classes)
    asked = argparse.Namespace(voc=root, train=8, val=4)
    found = [layouts.compare(asked, classes, it) for it in layouts.LAYOUTS]
    assert found[0] == found[1] == found[2]
    weights, scores = found[0]
    assert len(weights) == 64 and scores["stages"]


def test_the_naive_way_that_speed_is_compared_with_computes_the_same():
    model, images = speed.network(), torch.randn(2, 3, 64, 80)
    torch.nn.init.normal_(model.token_head.weight)
    with torch.no_grad():
        ours, theirs = model(images), speed.naive(model, images)
    for name, value in vars(ours).items():
        assert torch.allclose(value, getattr(theirs, name), atol=1e-4), name
