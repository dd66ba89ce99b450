"""The report of a training: one page, whose numbers are those of the run."""

import re

import numpy as np
import pytest

from weaktr_core.__main__ import main
from weaktr_core.config import preset
from weaktr_core.data import Scenes, without_masks
from weaktr_core.run_report import write_report
from weaktr_core.scores.judging import judge
from weaktr_core.train.runs import Run

FEW = ["--preset", "smoke", "--set", "epochs=2", "img_size=48", "precision=no"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "run"
    assert main(["train-cam", "--data", "scenes:12", "--run", str(folder), *FEW]) == 0
    return Run(folder)


def text_of(path):
    return path.read_text("utf8")


def outside(page):
    """Addresses that a page would fetch."""
    return [it for it in re.findall(r'(?:src|href)="([^"]+)"', page)
            if not it.startswith(("data:", "#"))]  # fmt: skip


def test_a_training_ends_with_a_page_that_needs_nothing_else(run, opened):
    page = text_of(run.folder / "report.html")
    assert outside(page) == []
    assert len(page) < 4e6
    shown = opened(page)
    assert shown.locator("h1").inner_text() == "run: tags to maps"
    assert shown.locator("table tr").count() == 11  # a heading, ten classes
    slider = shown.get_by_role("slider", name="Background score")
    slider.fill("100")
    assert "0 % of the pixels" in shown.locator(".wt-say").inner_text()
    for image in shown.locator("main > p > img").all():
        assert image.get_attribute("alt")
        assert image.evaluate("it => it.naturalWidth") > 100
    assert f"weaktr make-labels {run.folder}" in shown.locator("main").inner_text()


def test_the_precision_in_the_table_is_the_runs(run, tmp_path):
    page = text_of(write_report(run, Scenes(6, 48, seed=1), tmp_path / "a.html"))
    known = run.history[-1]["ap"]["coarse_logits"]
    cells = re.findall(r"<tr><td>(.*?)</td></tr>", page)
    last = [row.rpartition("<td>")[2] for row in cells]
    assert last == ["–" if ap is None else f"{100 * ap:.0f}" for ap in known]


def test_without_masks_confidence_takes_their_place(run, tmp_path):
    page = text_of(
        write_report(run, without_masks(Scenes(6, 48, seed=1)), tmp_path / "b.html")
    )
    assert "how sure the network is of the tag" in page
    assert (
        "Where does background begin?" in page and "peeked" not in page.split("<script")[0]
    )


def test_the_second_step_has_one_too(tmp_path, caplog, capsys):
    caplog.set_level("INFO")
    folder = tmp_path / "seg"
    command = ["train-seg", "--labels", "true", "--data", "scenes:8", "--run", str(folder)]
    assert main([*command, *FEW]) == 0
    page = text_of(folder / "report.html")
    assert "seg: masks to masks" in page and outside(page) == []
    assert f"weaktr segment PHOTO --run {folder}" in page
    again = tmp_path / "again.html"
    assert main(["report", str(folder), "-o", str(again)]) == 0
    assert f"report: {again}" in caplog.text
    assert main(["report", str(tmp_path / "nothing")]) == 1
    assert "no run here" in capsys.readouterr().err


def test_doubt_and_quality_are_what_they_say(run):
    scenes = Scenes(3, 48, seed=2)
    config = preset("smoke", img_size=48)
    for it, scene in zip(judge(run.load(), config, scenes, range(3)), scenes, strict=True):
        right = np.where(it.tags, it.probability, 1 - it.probability)
        assert it.doubt == pytest.approx(1 - right.min(), abs=1e-6)
        k = int(np.flatnonzero(scene.tags)[0])
        assert it.quality(k, it.mask) == 1.0
        assert it.quality(k, np.zeros_like(it.mask)) == 0.0
