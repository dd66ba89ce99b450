"""From executed chapters to the site: reading times, the status page, Jupyter Book."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import yaml

import face
import photo_page
import slides
from npm import npm_file
from way import way_through

ROOT = Path(__file__).resolve().parents[1]
BOOK, PAGES = ROOT / "book", ROOT / "build" / "pages"
SITE = ROOT / "build" / "site"
MATHJAX = "mathjax@3.2.2"
WORDS_A_MINUTE = 200
LINES_A_MINUTE = 10  # of code, read and understood
# what axe-core finds in the theme's own markup, and what is put in its place
MENDED = (
    # docutils: a list whose children are no list items
    (
        re.compile(r'<div role="list" class="citation-list">'),
        '<div class="citation-list">',
    ),
    # two names for one button: the label hides what is written on it
    (
        re.compile(
            r'(<button class="btn search-button-field[^>]*?) aria-label="Search"'
        ),
        r"\1",
    ),
    # a table that scrolls on a narrow page must be reached by keys
    (
        re.compile(r'<table class="((?:docutils )?table[^"]*)"(?! tabindex)'),
        r'<table class="\1" tabindex="0"',
    ),
    # titles of the icons inside would be read as text of the button
    (re.compile(r'(<i class="theme-switch [^>]*?) +title="[^"]*"'), r"\1"),
)


def listed() -> list[str]:
    """Names of all pages but the first, as the table of contents has them."""
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text("utf8"))
    return [c["file"] for part in toc["parts"] for c in part["chapters"]]


def notebooks() -> list[Path]:
    """The chapters that run, in their order."""
    paths = [BOOK / f"{name}.ipynb" for name in listed()]
    return [path for path in paths if path.exists()]


def reading_minutes(notebook: nbformat.NotebookNode) -> int:
    """How long a chapter takes to read, without running or exercising anything."""
    words = lines = 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            words += len(cell.source.split())
        elif "remove-input" not in cell.metadata.get("tags", []):
            lines += len(cell.source.splitlines())
    return round(words / WORDS_A_MINUTE + lines / LINES_A_MINUTE)


def collect(executed: Path, status: dict) -> None:
    """Everything the site is made of, into build/pages.

    Args:
        executed: folder of the executed notebooks.
        status: for each chapter its ``seconds`` and ``date``.
    """
    shutil.rmtree(PAGES, ignore_errors=True)
    skipped = shutil.ignore_patterns(
        "*.ipynb", "*.py", "*.toml", "experiments", "__pycache__"
    )
    shutil.copytree(BOOK, PAGES, ignore=skipped)
    minutes = {}
    for source in notebooks():
        path = executed / source.name
        if path.exists():
            notebook = nbformat.read(path, 4)
            minutes[source.stem] = reading_minutes(notebook)
            entry = status[source.stem]
            say_how_long(notebook, source.stem, minutes[source.stem], entry)
            nbformat.write(notebook, PAGES / source.name)
    face.put_cards(PAGES / "intro.md", minutes)
    face.save_cards(PAGES)
    add_minutes(PAGES / "teaching.md", minutes)
    slides.link_decks(PAGES / "teaching.md", slides.save_decks(PAGES))
    with (PAGES / "status.md").open("a", encoding="utf8") as page:
        page.write(status_table(minutes, status))
    face.fetch_fonts(PAGES / "vendor")
    photo_page.put(PAGES)
    write_config()


def say_how_long(
    notebook: nbformat.NotebookNode, name: str, minutes: int, entry: dict
) -> None:
    """Under the title: minutes to read, seconds it took to run, where we are."""
    ran = duration(entry["seconds"])
    line = f"{minutes} minutes to read · ran in {ran} when this page was built"
    way = way_through(name)
    # raw, so that a shared link's description begins with the chapter's own words
    line = (
        f'\n\n```{{raw}} html\n<p class="reading-time">{line}</p>\n{way}\n```'
    )
    notebook.cells[0].source = notebook.cells[0].source.rstrip() + line


def duration(seconds: float) -> str:
    """Seconds while they are few, minutes after that."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes"


def add_minutes(page: Path, minutes: dict[str, int]) -> None:
    """A last column in a page's table of chapters."""
    by_label = {f"ch:{name[:2]}": value for name, value in minutes.items()}
    lines = page.read_text("utf8").splitlines()
    row = re.compile(r"\| \{ref\}`\d+ <(ch:\d\d)>` \|")
    for index, line in enumerate(lines):
        if found := row.match(line):
            value = by_label.get(found[1])
            lines[index] += f" {value} min |" if value else " |"
            # the first row comes after the head and the rule
            if not row.match(lines[index - 1]):
                lines[index - 1] += "---:|"
                lines[index - 2] += " to read |"
    page.write_text("\n".join(lines) + "\n", "utf8")


def status_table(minutes: dict[str, int], status: dict) -> str:
    """Where, when and with what the chapters ran, and how long each took."""
    ran = {name: status[name] for name in minutes}
    total = sum(entry["seconds"] for entry in ran.values())
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("torch", "timm")
    )
    built = datetime.datetime.now(datetime.timezone.utc).date()
    lines = [
        "",
        f"The site was built on {built} with Python {platform.python_version()}, "
        f"{versions}, on {os.cpu_count()} cores of {processor()}.",
        "",
        "| chapter | ran on | seconds |",
        "|---|---|---:|",
    ]
    for name, entry in ran.items():
        seconds = f"{entry['seconds']:.0f}"
        date = entry["date"].replace("-", "\N{NON-BREAKING HYPHEN}")
        lines.append(f"| {{doc}}`{name}` | {date} | {seconds} |")
    lines.append(f"| together | | {total:.0f} |")
    return "\n".join(lines) + "\n"


def processor() -> str:
    """The processor's name, as far as the machine tells."""
    table = Path("/proc/cpuinfo")
    text = table.read_text("utf8") if table.exists() else ""
    found = re.search(r"model name\s*: (.+)", text)
    return found[1] if found else platform.processor() or platform.machine()


def write_config() -> None:
    """The root's configuration, with what only the build knows.

    Jupyter Book finds it beside the pages, before it would walk up to the root's.
    """
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
    settings = config["sphinx"]["config"]
    # with MathJax at hand no page asks the network
    mathjax = npm_file(MATHJAX, "es5/tex-svg.js")
    if mathjax is None:
        sys.stdout.write("no MathJax from npm: formulas will use its CDN\n")
    else:
        (PAGES / "vendor" / "mathjax").mkdir()
        shutil.copy(mathjax, PAGES / "vendor" / "mathjax")
        settings["mathjax_path"] = "mathjax/tex-svg.js"
    settings["ogp_site_url"] = site_address(config["repository"]["url"])
    text = yaml.safe_dump(config, allow_unicode=True)
    (PAGES / "_config.yml").write_text(text, encoding="utf8")


def site_address(repository: str) -> str:
    """Where GitHub serves the pages of a repository."""
    owner, name = repository.rstrip("/").split("/")[-2:]
    return f"https://{owner}.github.io/{name}/"


def build_html(say: Callable[[str], None]) -> int:
    """Jupyter Book, every warning an error."""
    shutil.rmtree(SITE, ignore_errors=True)
    tool = Path(sys.executable).with_name("jupyter-book")
    command = [str(tool), "build", str(PAGES),
               "--path-output", str(SITE), "-W", "-n", "--keep-going", "--quiet"]  # fmt: skip
    say("building the pages …")
    done = subprocess.run(command, cwd=ROOT)
    if done.returncode:
        return done.returncode
    for page in (SITE / "_build" / "html").rglob("*.html"):
        mend(page)
    say(f"the book: {SITE / '_build' / 'html' / 'index.html'}")
    return 0


def mend(page: Path) -> None:
    """Make the theme's markup accessible, and let diagrams take its colours."""
    text = before = page.read_text("utf8")
    for pattern, better in MENDED:
        text = pattern.sub(better, text)
    text = face.inline_diagrams(text)
    if page.stem == photo_page.NAME:
        text = photo_page.guard(text)
    if text != before:
        page.write_text(text, "utf8")
