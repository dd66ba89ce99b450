"""Execute every chapter with papermill, then build the HTML: ``python book/build.py``.

Executed copies live in build/executed, the site in build/html. A chapter is run
again when it, the package or book/build.py changed; ``--fresh`` runs all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import papermill
import yaml
from papermill.exceptions import PapermillExecutionError

ROOT = Path(__file__).resolve().parents[1]
BOOK, EXECUTED = ROOT / "book", ROOT / "build" / "executed"
STATUS = ROOT / "build" / "status.json"
MATHJAX = "mathjax@3.2.2"


def main() -> int:
    """Build; 0 if every chapter ran and no page has a warning."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--fresh", action="store_true", help="run every chapter again"
    )
    parser.add_argument(
        "--only", nargs="+", default=[], help="run these chapters only"
    )
    arguments = parser.parse_args()
    chapters = [
        path for path in chapters_in_order() if path.suffix == ".ipynb"
    ]
    if arguments.only:
        chapters = [
            c for c in chapters if any(o in c.name for o in arguments.only)
        ]
    failed = [c for c in chapters if not run_chapter(c, arguments.fresh)]
    if failed:
        sys.stderr.write(f"failed: {', '.join(c.name for c in failed)}\n")
        return 1
    collect_pages()
    write_status()
    return build_html()


def chapters_in_order() -> list[Path]:
    """Files of the table of contents; notebooks that train for others come first."""
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text("utf8"))
    names = [c["file"] for part in toc["parts"] for c in part["chapters"]]
    files = [
        f
        for n in names
        for f in (BOOK / f"{n}.ipynb", BOOK / f"{n}.md")
        if f.exists()
    ]
    return sorted(files, key=lambda path: not trains(path))


def trains(path: Path) -> bool:
    """Whether a notebook says that it trains what other chapters load."""
    if path.suffix != ".ipynb":
        return False
    return (
        nbformat.read(path, 4).metadata.get("weaktr", {}).get("trains", False)
    )


def run_chapter(path: Path, fresh: bool) -> bool:
    """Execute one notebook into build/executed unless nothing changed."""
    target = EXECUTED / path.name
    key = chapter_hash(path)
    status = read_status()
    if (
        not fresh
        and target.exists()
        and status.get(path.stem, {}).get("hash") == key
    ):
        say(f"{path.stem:32} unchanged")
        return True
    EXECUTED.mkdir(parents=True, exist_ok=True)
    say(f"{path.stem:32} running …")
    start = time.perf_counter()
    part = target.with_suffix(".part.ipynb")
    environment = dict(os.environ)
    # a bar leaves hundreds of lines on a page; a page has no kernel for live widgets
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("WEAKTR_WIDGETS", "html")
    try:
        papermill.execute_notebook(
            str(path),
            str(part),
            cwd=str(BOOK),
            progress_bar=False,
            kernel_name="python3",
        )
    except PapermillExecutionError as error:
        sys.stderr.write(
            f"{path.name}, cell {error.exec_count}:\n{error.source}\n\n"
        )
        sys.stderr.write("".join(error.traceback) + "\n")
        return False
    finally:
        os.environ.clear()
        os.environ.update(environment)
    seconds = time.perf_counter() - start
    clean(part)
    part.replace(target)
    status[path.stem] = {"hash": key, "seconds": round(seconds, 1)}
    STATUS.write_text(json.dumps(status, indent=1), encoding="utf8")
    say(f"{path.stem:32} {seconds:6.0f} s")
    return True


def clean(path: Path) -> None:
    """Strip what papermill and widgets leave behind."""
    notebook = nbformat.read(path, 4)
    for name in ("widgets", "papermill"):
        notebook.metadata.pop(name, None)
    notebook.cells = [
        cell
        for cell in notebook.cells
        if "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
    nbformat.write(notebook, path)


def chapter_hash(path: Path) -> str:
    """Hash of a chapter and of everything that could change what it shows."""
    digest = hashlib.sha256()
    package = sorted((ROOT / "weaktr_core").rglob("*.[pj][ys]"))
    for file in [path, Path(__file__), *package]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def read_status() -> dict:
    """Seconds and hashes of the chapters that ran."""
    return json.loads(STATUS.read_text("utf8")) if STATUS.exists() else {}


def collect_pages() -> None:
    """Copy everything that is no notebook beside the executed ones."""
    skipped = shutil.ignore_patterns(
        "*.ipynb", "*.py", "requirements.txt", "__pycache__"
    )
    shutil.copytree(BOOK, EXECUTED, ignore=skipped, dirs_exist_ok=True)
    wanted = {path.name for path in chapters_in_order()}
    for path in EXECUTED.glob("*.ipynb"):
        if path.name not in wanted:
            path.unlink()
    # Jupyter Book finds its configuration by walking up to the root's; with MathJax
    # at hand, a copy beside the pages points to it and no page asks the network.
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
    if fetch_mathjax(EXECUTED / "vendor" / "mathjax"):
        config["sphinx"]["config"]["mathjax_path"] = "mathjax/tex-svg.js"
    text = yaml.safe_dump(config, allow_unicode=True)
    (EXECUTED / "_config.yml").write_text(text, encoding="utf8")


def fetch_mathjax(folder: Path) -> bool:
    """Put MathJax's one file beside the pages, with npm; False where there is none."""
    if (folder / "tex-svg.js").exists():
        return True
    if shutil.which("npm") is None:
        say("no npm: formulas will load MathJax from its CDN")
        return False
    with tempfile.TemporaryDirectory() as scratch:
        packed = subprocess.run(
            ["npm", "pack", "--silent", MATHJAX],
            cwd=scratch,
            capture_output=True,
            text=True,
        )
        if packed.returncode:
            say("npm cannot fetch MathJax: formulas will load it from its CDN")
            return False
        archive = next(Path(scratch).glob("*.tgz"))
        shutil.unpack_archive(archive, scratch)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(scratch) / "package" / "es5" / "tex-svg.js", folder)
    return True


def write_status() -> None:
    """The table of chapters and their seconds, as a page of the book."""
    rows = [
        f"| {{doc}}`{name}` | {entry['seconds']} |"
        for name, entry in sorted(read_status().items())
        if (EXECUTED / f"{name}.ipynb").exists()
    ]
    page = EXECUTED / "status.md"
    table = ["| chapter | seconds |", "|---|---:|", *rows]
    page.write_text(
        page.read_text("utf8") + "\n" + "\n".join(table) + "\n", "utf8"
    )


def build_html() -> int:
    """Jupyter Book, every warning an error."""
    output = ROOT / "build" / "site"
    shutil.rmtree(output, ignore_errors=True)
    tool = Path(sys.executable).with_name("jupyter-book")
    command = [str(tool), "build", str(EXECUTED),
               "--path-output", str(output), "-W", "-n", "--keep-going", "--quiet"]  # fmt: skip
    say("building the pages …")
    done = subprocess.run(command, cwd=ROOT)
    if done.returncode:
        return done.returncode
    say(f"the book: {output / '_build' / 'html' / 'index.html'}")
    return 0


def say(message: str) -> None:
    """Progress for whoever waits."""
    sys.stdout.write(message + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
