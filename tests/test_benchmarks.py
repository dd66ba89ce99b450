"""The benchmark that counts code counts right."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import sources
import speed
import torch

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


def test_the_naive_way_that_speed_is_compared_with_computes_the_same():
    model, images = speed.network(), torch.randn(2, 3, 64, 80)
    torch.nn.init.normal_(model.token_head.weight)
    with torch.no_grad():
        ours, theirs = model(images), speed.naive(model, images)
    for name, value in vars(ours).items():
        assert torch.allclose(value, getattr(theirs, name), atol=1e-4), name
