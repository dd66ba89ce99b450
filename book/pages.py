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
from mending import mend_site
from npm import npm_file
from way import way_through

ROOT = Path(__file__).resolve().parents[1]
BOOK, PAGES = ROOT / "book", ROOT / "build" / "pages"
SITE = ROOT / "build" / "site"
MATHJAX = "mathjax@3.2.2"
WORDS_A_MINUTE = 200
LINES_A_MINUTE = 10  # of code, read and understood


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


def collect(executed: Path, status: dict) -> bool:
    """Everything the site is made of, into build/pages.

    Chapters that have not run yet are shown without results.

    Args:
        executed: folder of the executed notebooks.
        status: for each chapter that ran its ``seconds`` and ``date``.

    Returns:
        Whether all chapters have run.
    """
    shutil.rmtree(PAGES, ignore_errors=True)
    skipped = shutil.ignore_patterns(
        "*.ipynb", "*.py", "*.toml", "experiments", "__pycache__"
    )
    shutil.copytree(BOOK, PAGES, ignore=skipped)
    explorers = photo_page.put(PAGES)
    minutes = {}
    for source in notebooks():
        path, name = executed / source.name, source.stem
        ran = path.exists() and name in status
        notebook = nbformat.read(path if ran else source, 4)
        minutes[name] = reading_minutes(notebook)
        photo_page.add_to(notebook, name, explorers)
        if ran:
            say_how_long(notebook, name, minutes[name], status[name])
        nbformat.write(notebook, PAGES / source.name)
    face.put_cards(PAGES / "intro.md", minutes)
    face.save_cards(PAGES)
    add_minutes(PAGES / "teaching.md", minutes)
    slides.link_decks(PAGES / "teaching.md", slides.save_decks(PAGES))
    with (PAGES / "status.md").open("a", encoding="utf8") as page:
        page.write(status_table(minutes, status))
    face.fetch_fonts(PAGES / "vendor")
    write_config()
    return minutes.keys() <= status.keys()


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
    ran = {name: status[name] for name in minutes if name in status}
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


def build_html(say: Callable[[str], None], whole: bool) -> int:
    """Jupyter Book; every warning is an error where all chapters have run."""
    shutil.rmtree(SITE, ignore_errors=True)
    tool = Path(sys.executable).with_name("jupyter-book")
    command = [str(tool), "build", str(PAGES),
               "--path-output", str(SITE), "--quiet"]  # fmt: skip
    if whole:
        command += ["-W", "-n", "--keep-going"]
    else:
        say("some chapters have not run: their pages have no results")
    say("building the pages …")
    done = subprocess.run(command, cwd=ROOT)
    if done.returncode:
        return done.returncode
    html = SITE / "_build" / "html"
    mend_site(html, BOOK, npm_file(MATHJAX, "es5"))
    say(f"the book: {html / 'index.html'}")
    return 0
