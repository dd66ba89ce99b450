"""Chapters need the package, not the checkout: a wheel, an empty folder, papermill."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from weaktr_core.runtime import data_root

ROOT = Path(__file__).parents[1]
NEEDED = ["pyproject.toml", "README.md", "LICENSE"]
EXPLORE = """import numpy as np
import weaktr_core
from weaktr_core.widgets import explore_heads
photo = np.zeros((28, 28, 3), dtype=np.uint8)
html = explore_heads(photo, np.full((1, 1, 5, 5), 0.2), grid=(2, 2))._repr_html_()
assert "DecompressionStream" in html
print(weaktr_core.__file__)"""

pytestmark = pytest.mark.skipif(
    not (os.environ.get("CI") or os.environ.get("WEAKTR_REQUIRE_BROWSER")),
    reason="takes a minute: set CI to build a wheel and run chapters from it",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built in a copy, so that no build/lib is left in the checkout."""
    source = tmp_path_factory.mktemp("source")
    for name in NEEDED:
        shutil.copy(ROOT / name, source)
    shutil.copytree(
        ROOT / "weaktr_core",
        source / "weaktr_core",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    pip("wheel", str(source), "--no-build-isolation", "--wheel-dir", str(source))
    return next(source.glob("*.whl"))


@pytest.fixture(scope="module")
def outside(wheel, tmp_path_factory):
    """Environment of a process that finds the installed package and nothing of the checkout."""
    target = tmp_path_factory.mktemp("target")
    pip("install", str(wheel), "--no-index", "--target", str(target))
    return os.environ | {
        "PYTHONPATH": str(target),
        "WEAKTR_DATA": str(data_root()),
        "WEAKTR_WIDGETS": "html",
    }


def pip(command, *arguments):
    full = [sys.executable, "-m", "pip", command, "--no-deps", "--quiet", *arguments]
    done = subprocess.run(full, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_wheel_holds_every_file_of_the_package(wheel):
    packed = set(zipfile.ZipFile(wheel).namelist())
    folder = ROOT / "weaktr_core"
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.relative_to(ROOT).as_posix() in packed


def test_explorers_find_their_scripts(outside, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", EXPLORE],
        env=outside,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(outside["PYTHONPATH"])


SHORT = ("01_tags_and_masks", "02_how_a_vit_sees")
"""What always runs; WEAKTR_EVERY_CHAPTER has all run, some minutes after `make book`."""


@pytest.mark.parametrize("name", sorted(p.stem for p in (ROOT / "book").glob("*.ipynb")))
def test_a_chapter_runs_without_the_checkout(outside, tmp_path, name):
    every = os.environ.get("WEAKTR_EVERY_CHAPTER")
    if name not in SHORT and not every:
        pytest.skip("set WEAKTR_EVERY_CHAPTER to run every chapter without the checkout")
    weights = data_root() / "cache" / "weights"
    if name != SHORT[0] and not (every or weights.exists()):
        pytest.skip("no weights yet: this chapter would download them")
    notebook = tmp_path / f"{name}.ipynb"
    shutil.copy(ROOT / "book" / notebook.name, notebook)
    command = [sys.executable, "-m", "papermill", notebook.name, "out.ipynb"]
    command += ["--no-progress-bar", "--kernel", "python3"]
    done = subprocess.run(
        command, env=outside, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
