"""The craft of the chapters, read off the notebooks without running them."""

import ast
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "book"
NOTEBOOKS = sorted(BOOK.glob("*.ipynb"))
PAGES = sorted(BOOK.glob("*.md"))
COLAB = 'import sys\n\nif "google.colab" in sys.modules:\n    %pip install -q "weaktr-core[notebooks] @ git+{url}"'
ROLE = r"\{%s\}`(?:[^`<]*<)?([^`>]+)>?`"
# cut out before prose is read by a spelling checker or counted
NOT_PROSE = re.compile(r"```\{code.*?```|\$\$.*?\$\$|\$[^$]+\$|`[^`]*`|https?://\S+", re.S)

WRITTEN = [*NOTEBOOKS, *PAGES, ROOT / "README.md", ROOT / "data" / "README.md"]
# right in what we write, whatever a list of mistakes says
FINE = ["story", "program", "programs", "license", "practice", "meter", "check", "draft"]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, 4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def folded(cell):
    return bool({"hide-input", "hide-cell"} & set(cell.metadata.get("tags", [])))


def prose(notebook):
    return "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")


def text_of(path):
    return (
        prose(nbformat.read(path, 4)) if path.suffix == ".ipynb" else path.read_text("utf8")
    )


def words_of(path):
    return NOT_PROSE.sub(" ", text_of(path))


def figures(notebook):
    found = [c.metadata.get("mystnb", {}) for c in code_cells(notebook)]
    return [figure for figure in found if "figure" in figure]


def test_every_notebook_is_in_the_table_of_contents():
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text("utf8"))
    listed = {c["file"] for part in toc["parts"] for c in part["chapters"]}
    assert {path.stem for path in NOTEBOOKS} <= listed and len(NOTEBOOKS) >= 5
    for name in listed:
        assert any((BOOK / f"{name}{end}").exists() for end in (".md", ".ipynb"))


def test_every_chapter_is_in_the_first_page_with_its_title():
    intro = (BOOK / "intro.md").read_text("utf8")
    rows = dict(re.findall(r"^\| \{ref\}`\d+ <(ch:\d\d)>` \| (.+?) \|$", intro, re.M))
    titles = {}
    for path in NOTEBOOKS:
        label, title = nbformat.read(path, 4).cells[0].source.splitlines()[:2]
        titles[label.strip("()=")] = title.removeprefix("# ")
    assert rows == titles


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
        lengths.append(sum(bool(line.strip()) for line in lines))
        assert len(lines) <= 25
        if "google.colab" not in cell.source:
            assert max(len(line) for line in lines) <= 79, cell.source
    lists_rows = "How good is it" in notebook.cells[0].source  # a row of a table a line
    assert sorted(lengths)[len(lengths) // 2] <= (8 if lists_rows else 7), sorted(lengths)


def test_imports_are_one_short_cell(notebook):
    cells = [c for c in code_cells(notebook) if c.source.startswith(("import ", "from "))]
    names = cells[1].source  # the first is Colab's
    assert sum(bool(line.strip()) for line in names.splitlines()) <= 8
    assert "weaktr_core" in names


def test_chapters_leave_normalising_to_the_networks(notebook):
    code = "\n".join(cell.source for cell in code_cells(notebook))
    assert not re.search(r"normalisation\(|to_batch\(|statistics=", code)


def test_about_half_of_the_cells_are_prose(notebook):
    """Of those that are open: imports, checks and numbers for the text are folded."""
    cells = [c for c in notebook.cells if not folded(c)]
    share = sum(c.cell_type == "markdown" for c in cells) / len(cells)
    assert 0.5 <= share <= 0.7, f"{share:.0%} of the cells are markdown"


def test_chapters_are_neither_thin_nor_endless(notebook):
    """Answers are folded and diagrams described for those who cannot see them."""
    text = re.sub(r":::\{admonition\} Answers.*?:::", "", prose(notebook), flags=re.S)
    text = re.sub(r"^```\{figure\}.*?```$", "", text, flags=re.S | re.M)
    words = len(text.split())
    assert 1000 <= words <= 2500, f"{words} words"


def test_one_parameters_cell_of_literals(notebook):
    tagged = [c for c in code_cells(notebook) if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    lines = tagged[0].source.splitlines()
    assert 3 <= len(lines) <= 6
    for line in lines:
        assert re.match(r"\w+ = (\"[^\"]*\"|\d+(\.\d+)?)  # ", line), line


def test_figures_have_caption_name_and_alt_text(notebook):
    shown = [
        c
        for c in code_cells(notebook)
        if re.search(r"^\s*(axes.*= )?(\w+\.)?show_\w+\(", c.source, re.M)
    ]
    assert shown
    for cell in shown:
        figure = cell.metadata.get("mystnb", {})
        assert len(figure["figure"]["caption"]) > 20, cell.source
        assert figure["figure"]["name"].startswith("fig-")
        assert len(figure["image"]["alt"]) > 20


def test_a_picture_comes_first(notebook):
    """Before anything but a few sentences and folded cells."""
    words = 0
    for cell in notebook.cells[1:]:
        if cell.cell_type == "markdown":
            before, _, after = cell.source.partition("```{figure}")
            words += len(before.split())
            if after:
                break
        elif "figure" in cell.metadata.get("mystnb", {}):
            break
        else:
            assert folded(cell) or "google.colab" in cell.source, cell.source
    assert words <= 230


def test_numbers_of_the_prose_are_noted_and_notes_are_read(notebook):
    code = "\n".join(c.source for c in code_cells(notebook))
    noted = {
        keyword.arg.replace("_", "-")
        for cell in code_cells(notebook)[1:]
        for call in ast.walk(ast.parse(cell.source))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "figures.note"
        for keyword in call.keywords
    }
    assert code.count("figures.note(") >= 1
    assert set(re.findall(ROLE % "glue:text", prose(notebook))) == noted


def test_every_question_has_a_folded_answer(notebook):
    part = prose(notebook).split("## Check yourself")[1].split("## What next")[0]
    questions, answers = part.split(":::{admonition} Answers")
    asked = len(re.findall(r"^- ", questions, re.M))
    assert asked == len(re.findall(r"^\d+\. ", answers, re.M)) >= 4
    assert ":class: answers dropdown" in answers


def test_figures_and_labels_are_unique_in_the_book():
    names = [f["figure"]["name"] for p in NOTEBOOKS for f in figures(nbformat.read(p, 4))]
    for path in [*NOTEBOOKS, *PAGES]:
        names += re.findall(r"^:(?:name|label): (\S+)|^\((\S+)\)=", text_of(path), re.M)
    names = ["".join(name) for name in names]
    assert not [name for name, times in Counter(names).items() if times > 1]


def test_nothing_is_in_a_chapter_that_does_not_belong_there(notebook):
    for cell in code_cells(notebook)[1:]:
        for banned in ("!pip", "%pip", "sys.path", ".cuda()", "plt."):
            assert banned not in cell.source
    assert 3 <= prose(notebook).count("{exercise}") <= 5
    assert "## Check yourself" in prose(notebook) and "## What next" in prose(notebook)


def test_solutions_open_and_close(notebook):
    text = prose(notebook)
    assert text.count("{solution-start}") == text.count("{solution-end}") >= 2
    for label in re.findall(r"\{solution-start\} (\S+)", text):
        assert f":label: {label}" in text


def test_a_chapter_reads_no_file_of_another(notebook):
    """Any order works: nothing is written but into runs, nothing is read but from them."""
    for cell in code_cells(notebook)[1:]:
        for banned in ("open(", "Path(", "to_csv", "np.save(", "torch.save(", "savefig"):
            reads = re.search(rf"(?<![\w.]){re.escape(banned)}", cell.source)
            assert not reads or "tempfile" in "\n".join(
                c.source for c in code_cells(notebook)
            )


def test_entries_of_the_bibliography_close():
    text = (ROOT / "book" / "references.bib").read_text("utf8")
    for entry in text.split("\n@"):
        assert entry.count("{") == entry.count("}"), entry


def test_terms_are_in_the_glossary_and_sources_in_the_bibliography():
    glossary = (BOOK / "glossary.md").read_text("utf8").split("```{glossary}")[1]
    terms = {line.lower() for line in re.findall(r"^(\S.*)$", glossary, re.M)}
    keys = set(
        re.findall(r"^@\w+\{(\w+),", (BOOK / "references.bib").read_text("utf8"), re.M)
    )
    for path in [*NOTEBOOKS, *PAGES]:
        text = text_of(path)
        for term in re.findall(ROLE % "term", text):
            assert " ".join(term.split()).lower() in terms, f"{path.name}: {term}"
        for cited in re.findall(ROLE % "cite:[pt]", text):
            assert set(re.split(r"\s*,\s*", cited)) <= keys, f"{path.name}: {cited}"


def test_references_lead_somewhere():
    labels, wanted = set(), []
    for path in [*NOTEBOOKS, *PAGES]:
        text = text_of(path)
        labels |= set(re.findall(r"^\((\S+)\)=", text, re.M))
        labels |= set(re.findall(r"^:(?:name|label): (\S+)", text, re.M))
        if path.suffix == ".ipynb":
            labels |= {f["figure"]["name"] for f in figures(nbformat.read(path, 4))}
        wanted += [(path.name, label) for label in re.findall(ROLE % "(?:num)?ref", text)]
    assert not [(page, label) for page, label in wanted if label not in labels]


def test_spelling(tmp_path):
    """Prose and docstrings, by codespell's list of common mistakes."""
    for path in WRITTEN:
        (tmp_path / f"{path.stem}.md").write_text(words_of(path), "utf8")
    for path in [*(ROOT / "weaktr_core").rglob("*.py"), *BOOK.glob("*.py")]:
        tree = ast.parse(path.read_text("utf8"))
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
        texts = [ast.get_docstring(n) or "" for n in ast.walk(tree) if isinstance(n, kinds)]
        name = "-".join(path.relative_to(ROOT).parts)
        (tmp_path / f"{name}.txt").write_text("\n\n".join(texts), "utf8")
    command = [sys.executable, "-m", "codespell_lib", "--builtin", "clear,rare"]
    command += ["--ignore-words-list", ",".join(FINE), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert not done.stdout, done.stdout.replace(str(tmp_path), "")


def test_spelling_is_british():
    """Words that codespell's table gives as American for a British one."""
    codespell = pytest.importorskip("codespell_lib")
    table = Path(codespell.__file__).parent / "data" / "dictionary_en-GB_to_en-US.txt"
    pairs = [line.split("->") for line in table.read_text("utf8").splitlines() if line]
    british = {word.split(",")[0].strip(): ours for ours, word in pairs}
    for path in WRITTEN:
        words = set(re.findall("[a-z]+", words_of(path).lower()))
        wrong = {w: british[w] for w in words if w in british and w not in FINE}
        assert not wrong, f"{path.name}: {wrong}"


def links():
    texts = [text_of(path) for path in WRITTEN]
    found = re.findall(r"https?://[^\s)>\"'`]+", "\n".join(texts))
    own = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))["repository"]["url"]
    return sorted({link.rstrip(".,;") for link in found if not link.startswith(own)})


def test_links_answer():
    """Only what is surely gone fails: sites may turn away a visitor without a browser."""
    try:
        urllib.request.urlopen("https://arxiv.org", timeout=5)
    except OSError:
        pytest.skip("no network: links are not followed")
    for link in links():
        request = urllib.request.Request(link, headers={"User-Agent": "Mozilla/5.0"})
        try:
            urllib.request.urlopen(request, timeout=20)
        except urllib.error.HTTPError as error:
            assert error.code not in (404, 410), link


def test_figures_leave_nothing_but_a_picture(notebook):
    """A second output, such as the axes' name, would be a second figure of that label."""
    for cell in code_cells(notebook):
        if "figure" in cell.metadata.get("mystnb", {}):
            last = ast.parse(cell.source).body[-1]
            assert not isinstance(last, ast.Expr) or cell.source.endswith(";"), cell.source
            shown = re.findall(r"figures\.note\(|print\(", cell.source)
            assert "print(" not in shown, cell.source
