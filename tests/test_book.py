"""The craft of the chapters, read off the notebooks without running them."""

import re
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
COLAB = 'import sys\n\nif "google.colab" in sys.modules:\n    %pip install -q "git+{url}"'


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, 4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")


def test_every_notebook_is_in_the_table_of_contents():
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text("utf8"))
    listed = {c["file"] for part in toc["parts"] for c in part["chapters"]}
    assert {path.stem for path in NOTEBOOKS} <= listed and len(NOTEBOOKS) >= 5
    for name in listed:
        assert any((ROOT / "book" / f"{name}{end}").exists() for end in (".md", ".ipynb"))


def test_notebooks_hold_no_outputs(notebook):
    for cell in code_cells(notebook):
        assert not cell.outputs and cell.execution_count is None
    assert "widgets" not in notebook.metadata


def test_the_first_cell_installs_on_colab_from_the_one_address(notebook):
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
    first = code_cells(notebook)[0]
    assert first.source == COLAB.format(url=config["repository"]["url"])
    assert "remove-input" in first.metadata.tags


def test_the_title_is_a_question_with_a_label(notebook):
    first = notebook.cells[0].source.splitlines()
    assert re.fullmatch(r"\(ch:\d\d\)=", first[0])
    assert first[1].startswith("# ") and first[1].endswith("?")
    titles = [line for line in prose(notebook).splitlines() if line.startswith("# ")]
    assert len(titles) == 1


def test_cells_are_short_and_narrow(notebook):
    lengths = []
    for cell in code_cells(notebook):
        lines = cell.source.splitlines()
        lengths.append(len(lines))
        assert len(lines) <= 25
        if "google.colab" not in cell.source:
            assert max(len(line) for line in lines) <= 79, cell.source
    assert sorted(lengths)[len(lengths) // 2] <= 8


def test_one_parameters_cell_of_literals(notebook):
    tagged = [c for c in code_cells(notebook) if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    for line in tagged[0].source.splitlines():
        assert re.match(r"\w+ = (\"[^\"]*\"|\d+(\.\d+)?)  # ", line), line


def test_figures_have_caption_name_and_alt_text(notebook):
    shown = [
        c
        for c in code_cells(notebook)
        if re.search(r"^\s*(axes.*= )?(plots\.)?show_\w+\(", c.source, re.M)
    ]
    assert shown
    for cell in shown:
        figure = cell.metadata.get("mystnb", {})
        assert len(figure["figure"]["caption"]) > 20, cell.source
        assert figure["figure"]["name"].startswith("fig-")
        assert len(figure["image"]["alt"]) > 20


def test_nothing_is_in_a_chapter_that_does_not_belong_there(notebook):
    for cell in code_cells(notebook)[1:]:
        for banned in ("!pip", "%pip", "sys.path", ".cuda()", "plt."):
            assert banned not in cell.source
    assert prose(notebook).count("{exercise}") >= 3
    assert "## Check yourself" in prose(notebook) and "## What next" in prose(notebook)
    assert 600 <= len(prose(notebook).split()) <= 2500


def test_solutions_open_and_close(notebook):
    text = prose(notebook)
    assert text.count("{solution-start}") == text.count("{solution-end}") >= 2
    for label in re.findall(r"\{solution-start\} (\S+)", text):
        assert f":label: {label}" in text
