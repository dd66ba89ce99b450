"""On Colab the first cell of a chapter adds packages and replaces none."""

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIST = ROOT / "data" / "colab" / "packages.txt"

pytestmark = pytest.mark.skipif(
    not (os.environ.get("CI") or os.environ.get("WEAKTR_REQUIRE_BROWSER")),
    reason="asks pip what it would install: set CI to do so",
)


def installed():
    """Name, as pip compares names, to version."""
    lines = [line for line in LIST.read_text("utf8").splitlines() if line[0] != "#"]
    pairs = (line.split("==") for line in lines)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """A Python that believes Colab's packages are there: names and versions, no files."""
    folder = tmp_path_factory.mktemp("colab")
    venv.create(folder)
    (site,) = folder.glob("lib/python*/site-packages")
    for name, version in installed().items():
        about = site / f"{name.replace('-', '_')}-{version}.dist-info"
        about.mkdir()
        said = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (about / "METADATA").write_text(said, "utf8")
    return folder / "bin" / "python"


def changes(python, *wanted):
    """What pip would install: name to version."""
    command = [sys.executable, "-m", "pip", "--python", str(python), "install"]
    command += ["--dry-run", "--quiet", "--report", "-", *wanted]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [one["metadata"] for one in json.loads(done.stdout)["install"]]
    return {re.sub(r"[-_.]+", "-", m["name"]).lower(): m["version"] for m in found}


def test_the_list_is_the_one_it_says():
    versions = installed()
    assert len(versions) > 600
    assert versions["ipywidgets"] == "7.7.1" and versions["torch"] == "2.11.0"


def test_no_installed_package_is_replaced(colab, note):
    new = changes(colab, f"{ROOT}[notebooks]")
    assert "weaktr-core" in new
    replaced = {name: version for name, version in new.items() if name in installed()}
    assert not replaced, f"replaced on Colab: {replaced}"
    note(f"Colab: the first cell adds {', '.join(sorted(new))}, and replaces nothing")


def test_a_replaced_package_would_be_seen(colab):
    assert "ipywidgets" in changes(colab, "ipywidgets>=8")
