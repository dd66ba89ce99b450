"""What book/build.py does when chapters train, fail, warn or draw bars."""

import fcntl
import secrets
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "book"))

import execute
import lighter
import mending

import build
import pages

BARS = """import warnings
from tqdm.auto import tqdm
from tqdm.std import tqdm as plain
for _ in tqdm(range(3), disable=False):
    pass
for _ in plain(range(3), disable=False, desc="epoch 1/2", unit="batch"):
    pass
warnings.warn("mind the gap")
print("done")"""


def chapter(folder, name, *code, **told):
    notebook = nbformat.v4.new_notebook()
    notebook.metadata = {"weaktr": told} if told else {}
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in code]
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return build.Chapter.read(folder / f"{name}.ipynb")


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "BOOK", tmp_path)
    monkeypatch.setattr(build, "EXECUTED", tmp_path / "executed")
    monkeypatch.setattr(build, "PARTS", tmp_path / "parts")
    monkeypatch.setattr(build, "STATUS", tmp_path / "status.json")
    monkeypatch.setattr(build, "HEARTBEAT", 0.2)
    return tmp_path


def order(chapters, monkeypatch, failing=()):
    """Simulated build: who is running whenever somebody starts, two at a time."""
    waiting = sorted(chapters, key=lambda c: not c.trains)
    active, made, starts = [], set(), []
    monkeypatch.setattr(build, "free_memory", lambda: 99.0)
    while waiting or active:
        while one := build.next_chapter(waiting, active, made, jobs=2):
            waiting.remove(one)
            active.append(build.Execution(one, None, None))
            starts.append({e.chapter.path.stem for e in active})
        # the first without training to do is done first
        done = min(active, key=lambda e: e.chapter.trains)
        active.remove(done)
        if done.chapter.path.stem not in failing:
            made |= done.chapter.needs
    return starts


def five(folder):
    return [
        chapter(folder, "01", "1"),
        chapter(folder, "05", "train_or_load(config)"),
        chapter(folder, "08", "run = train_or_load(config)", trains=True),
        chapter(folder, "10", "retrain_or_load(train_or_load(c))", trains=True),
        chapter(folder, "11", "retrain_or_load(train_or_load(c))"),
        chapter(folder, "12", "train_or_load(config)", needs=[]),
    ]


def test_what_needs_no_run_goes_beside_the_training(tmp_path, monkeypatch):
    starts = order(five(tmp_path), monkeypatch)
    assert starts == [{"08"}, {"01", "08"}, {"08", "12"}, {"10"}, {"05", "10"}, {"11"}]


def test_a_failed_trainer_is_replaced_by_one_chapter_at_a_time(tmp_path, monkeypatch):
    starts = order(five(tmp_path), monkeypatch, failing=["08", "10"])
    assert {"05", "11"} not in starts and {"10", "05"} not in starts
    assert set.union(*starts) == {"01", "05", "08", "10", "11", "12"}


def test_chapters_of_the_book_say_what_they_need():
    chapters = {c.stem[:2]: build.Chapter.read(c) for c in pages.notebooks()}
    assert chapters["08"].trains and not chapters["01"].needs
    assert "train_or_load" in chapters["05"].needs


def test_bars_go_warnings_stay_failures_are_printed(folders, capsys):
    chapters = [
        chapter(folders, "good", BARS),
        chapter(folders, "bad", "x = 6 * 7", "assert x == 43, 'not the answer'"),
    ]
    assert build.run_all(chapters, jobs=2) == ["bad"]
    said = capsys.readouterr().out
    assert "not the answer" in said and "assert x == 43" in said
    assert "running: good 0:0" in said and "FAILED" in said
    executed = nbformat.read(folders / "executed" / "good.ipynb", 4)
    outputs = executed.cells[0].outputs
    shown = "".join(output.get("text", str(output.get("data"))) for output in outputs)
    assert "mind the gap" in shown and "done" in shown
    assert "%|" not in shown and "it/s" not in shown and "batch" not in shown
    assert list(build.read_status()) == ["good"]
    assert not build.outdated(chapters[0]) and build.outdated(chapters[1])


def test_reading_takes_longer_with_more_words_and_more_code():
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_markdown_cell("word " * 1000)]
    assert pages.reading_minutes(notebook) == 5
    notebook.cells.append(nbformat.v4.new_code_cell("x = 1\n" * 50))
    assert pages.reading_minutes(notebook) == 10


def test_reading_times_become_a_column(tmp_path):
    page = tmp_path / "intro.md"
    page.write_text("| chapter | question |\n|---|---|\n| {ref}`1 <ch:01>` | What? |\n")
    pages.add_minutes(page, {"01_tags": 12})
    assert page.read_text().splitlines() == [
        "| chapter | question | to read |",
        "|---|---|---:|",
        "| {ref}`1 <ch:01>` | What? | 12 min |",
    ]


def test_what_trains_goes_first_then_what_took_longest(folders):
    chapters = [chapter(folders, name, "1", trains=name == "c") for name in "abcd"]
    build.write_status({"b": {"seconds": 9}, "d": {"seconds": 30}, "c": {"seconds": 1}})
    assert [c.path.stem for c in build.in_order(chapters)] == ["c", "d", "b", "a"]


def test_a_chapter_runs_again_when_what_it_read_changed(folders, monkeypatch):
    one = chapter(folders, "one", "import weaktr_core.method.grid")
    assert build.run_all([one], jobs=1) == []
    read = build.read_status()["one"]["read"]
    assert "weaktr_core/method/grid.py" in read
    assert not [name for name in read if "scenes" in name]  # of the package only its own
    assert not build.outdated(one)
    root = folders / "elsewhere"
    for name in read:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes((build.ROOT / name).read_bytes())
    (root / "weaktr_core" / "unused.py").write_text("1")
    monkeypatch.setattr(build, "ROOT", root)
    assert not build.outdated(one)
    (root / "weaktr_core/method/grid.py").write_text("changed")
    assert build.outdated(one)


def test_stored_results_and_scripts_count_as_read():
    here = str(build.ROOT / "data" / "results" / "laptop.json")
    opened = [here, str(build.ROOT / "weaktr_core" / "x.js"), "/etc/hosts", "3"]
    assert execute.ours(opened) == ["data/results/laptop.json", "weaktr_core/x.js"]


def test_a_killed_build_leaves_nobody_behind(tmp_path):
    """Killed without a chance to tidy up; the chapter and its kernel go, too."""
    mark = f"nobody-{secrets.token_hex(8)}"
    source, target = tmp_path / "slow.ipynb", tmp_path / "out.ipynb"
    code = f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))"
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell(f"{code}\nname = {mark!r}\ntime.sleep(300)")
    ]
    nbformat.write(notebook, source)
    script = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)"
    command = [sys.executable, "-c", script + "; time.sleep(300)", sys.executable]
    parent = subprocess.Popen([*command, execute.__file__, str(source), str(target)])
    pid = Path(tmp_path / "pid")
    assert wait_for(lambda: pid.exists() and pid.read_text())
    kernel = int(pid.read_text())
    assert alive(kernel)
    parent.kill()
    parent.wait()
    assert wait_for(lambda: not alive(kernel))


def alive(pid):
    """Whether a process runs; one that only waits to be collected does not."""
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_for(happened, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.2)
    return False


def test_one_build_at_a_time(folders, monkeypatch, capsys):
    monkeypatch.setattr(build, "BUILD", folders)
    monkeypatch.setattr(sys, "argv", ["build.py"])
    with (folders / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert build.main() == 1
    assert "another build is running" in capsys.readouterr().out


def test_a_status_that_cannot_be_written_leaves_the_old_one(folders, monkeypatch):
    build.write_status({"a": {"seconds": 1}})
    with pytest.raises(TypeError):
        build.write_status({"a": {"seconds": object()}})
    assert build.read_status() == {"a": {"seconds": 1}}


def test_figures_become_light_and_shrink_on_a_phone(tmp_path):
    folder = tmp_path / "_images"
    folder.mkdir()
    Image.new("RGB", (400, 200), "white").save(folder / "a.png")
    text = '<p><img src="_images/a.png" style="width: 200px; height: 100px;" /></p>'
    for old, new in lighter.lighten_figures(tmp_path).items():
        text = text.replace(old, new)
    size = 'width="200" height="100"'
    assert mending.mend(text) == f'<p><img src="_images/a.webp" {size} /></p>'
    assert [path.name for path in folder.iterdir()] == ["a.webp"]
    assert Image.open(folder / "a.webp").size == (400, 200)
