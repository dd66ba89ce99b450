"""Run every chapter with papermill, then build the site: ``python book/build.py``.

Executed copies live in build/executed, the site in build/site. A chapter is run again
when it, the package or book/build.py changed; ``--fresh`` runs all. Chapters run side by
side, but one that trains runs before those that load what it trained.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

import pages

ROOT = Path(__file__).resolve().parents[1]
BOOK, EXECUTED = ROOT / "book", ROOT / "build" / "executed"
STATUS = ROOT / "build" / "status.json"
RUNS = ("train_or_load", "retrain_or_load")
HEARTBEAT = 60  # seconds between two signs of life
MEMORY = 4.0  # GiB that must be free before another chapter starts beside one
# a progress bar, as tqdm writes it: "epoch 1/8:  10%|█  | 3/30 [00:01<00:09, …]"
BAR = re.compile(r"\d+%\||\d+(\.\d+)?\w* ?\[\d\d:\d\d|^\s*\[A")
WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass
class Chapter:
    """A notebook, which runs it makes or loads, and whether it is the one to make them.

    ``{"weaktr": {"trains": true}}`` in a notebook's metadata says that it trains. Which
    runs it needs is read off its code; ``{"weaktr": {"needs": [...]}}`` overrules that.
    """

    path: Path
    trains: bool = False
    needs: frozenset[str] = frozenset()

    @classmethod
    def read(cls, path: Path) -> Chapter:
        """What a notebook says about itself."""
        notebook = nbformat.read(path, 4)
        told = notebook.metadata.get("weaktr", {})
        code = [c.source for c in notebook.cells if c.cell_type == "code"]
        called = set(re.findall(r"\b(\w+_or_load)\(", "\n".join(code)))
        needs = told.get("needs", called & set(RUNS))
        return cls(path, told.get("trains", False), frozenset(needs))


@dataclass
class Execution:
    """A chapter that is running in a process of its own."""

    chapter: Chapter
    process: subprocess.Popen
    part: Path
    start: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self.start


def main() -> int:
    """Build; 0 if every chapter ran and no page has a warning."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--fresh", action="store_true", help="run every chapter again"
    )
    parser.add_argument(
        "--only", nargs="+", default=[], help="run these chapters only"
    )
    parser.add_argument(
        "--jobs", type=int, default=2, help="chapters at a time (default: 2)"
    )
    arguments = parser.parse_args()
    only = arguments.only or [""]
    chapters = [
        Chapter.read(path)
        for path in pages.notebooks()
        if any(name in path.name for name in only)
    ]
    changed = [c for c in chapters if arguments.fresh or outdated(c)]
    say(f"{len(changed)} of {len(chapters)} chapters to run")
    start = time.perf_counter()
    failed = run_all(changed, max(1, arguments.jobs))
    if failed:
        say(f"failed: {', '.join(failed)}")
        return 1
    if changed:
        say(f"chapters: {clock(time.perf_counter() - start)} in all")
    pages.collect(EXECUTED, read_status())
    return pages.build_html(say)


def run_all(chapters: list[Chapter], jobs: int) -> list[str]:
    """Run chapters, at most ``jobs`` at a time; the names of those that failed."""
    waiting = sorted(chapters, key=lambda chapter: not chapter.trains)
    active: list[Execution] = []
    failed: list[str] = []
    made: set[str] = set()
    said = time.perf_counter()
    try:
        while waiting or active:
            chapter = next_chapter(waiting, active, made, jobs)
            if chapter is not None:
                waiting.remove(chapter)
                active.append(start_chapter(chapter, jobs))
                continue
            time.sleep(0.5)
            for done in [e for e in active if e.process.poll() is not None]:
                active.remove(done)
                if finish_chapter(done):
                    made |= done.chapter.needs
                else:
                    failed.append(done.chapter.path.stem)
            if active and time.perf_counter() - said > HEARTBEAT:
                said = time.perf_counter()
                say(heartbeat(active, waiting))
    finally:
        for execution in active:
            execution.process.terminate()
    return failed


def next_chapter(
    waiting: list[Chapter], active: list[Execution], made: set[str], jobs: int
) -> Chapter | None:
    """The chapter to start now, if any.

    A run is made by one chapter at a time: by a trainer while one waits, else by whoever
    comes first. Once a chapter that needs it has succeeded, all may load it at once.
    """
    if len(active) >= jobs or (active and free_memory() < MEMORY):
        return None
    for chapter in waiting:
        missing = chapter.needs - made
        before = [e.chapter for e in active]
        if not chapter.trains:
            before += [c for c in waiting if c.trains]
        if not any(missing & other.needs for other in before):
            return chapter
    return None


def start_chapter(chapter: Chapter, jobs: int) -> Execution:
    """Begin to execute a notebook into build/executed."""
    EXECUTED.mkdir(parents=True, exist_ok=True)
    part = EXECUTED / f"{chapter.path.stem}.part.ipynb"
    part.unlink(missing_ok=True)
    command = [sys.executable, "-m", "papermill", str(chapter.path), str(part),
               "--cwd", str(BOOK), "--kernel", "python3", "--no-progress-bar"]  # fmt: skip
    if not chapter.trains and jobs > 1 and shutil.which("nice"):
        command = ["nice", "-n", "5", *command]  # trainers are waited for
    say(f"{chapter.path.stem:32} starts")
    process = subprocess.Popen(
        command,
        env=environment(chapter, jobs),
        stdout=subprocess.DEVNULL,
        stderr=part.with_suffix(".log").open("wb"),
    )
    return Execution(chapter, process, part)


def environment(chapter: Chapter, jobs: int) -> dict[str, str]:
    """Variables of a chapter's process; what the caller has set stays."""
    cores = os.cpu_count() or 1
    threads = cores if chapter.trains else max(1, cores // jobs)
    wanted = {
        "OMP_NUM_THREADS": str(threads),
        # threads that wait must not burn the core another chapter could use
        "OMP_WAIT_POLICY": "PASSIVE",
        # a bar leaves hundreds of lines on a page
        "TQDM_DISABLE": "1",
        # a page has no kernel for live widgets
        "WEAKTR_WIDGETS": "html",
    }
    return wanted | os.environ


def finish_chapter(done: Execution) -> bool:
    """Keep what was executed, or say why it failed."""
    chapter, log = done.chapter, done.part.with_suffix(".log")
    if done.process.returncode:
        say(f"{chapter.path.stem:32} FAILED after {clock(done.seconds)}")
        say(failure(done.part) or log.read_text("utf8", "replace")[-4000:])
        return False
    clean(done.part)
    log.unlink(missing_ok=True)
    done.part.replace(EXECUTED / chapter.path.name)
    seconds = round(done.seconds, 1)
    entry = {"hash": chapter_hash(chapter.path), "seconds": seconds}
    entry["date"] = time.strftime("%Y-%m-%d", time.gmtime())
    STATUS.write_text(
        json.dumps(read_status() | {chapter.path.stem: entry}, indent=1),
        encoding="utf8",
    )
    say(f"{chapter.path.stem:32} done in {clock(done.seconds)}")
    return True


def failure(part: Path) -> str:
    """Source and error of the cell that failed; empty if no cell says so."""
    if not part.exists():
        return ""
    for cell in nbformat.read(part, 4).cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                trace = "\n".join(output.traceback)
                return f"\n{cell.source}\n\n{trace}\n"
    return ""


def clean(path: Path) -> None:
    """Strip what papermill, widgets and progress bars leave behind."""
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
        if cell.cell_type == "code":
            kept = [without_bars(output) for output in cell.outputs]
            cell.outputs = [output for output in kept if output is not None]
    nbformat.write(notebook, path)


def without_bars(output: dict) -> dict | None:
    """An output without progress bars; None if nothing else was in it."""
    if WIDGET in output.get("data", {}):
        return None  # explorers are plain HTML here, so this is a bar too
    if output.get("name") != "stderr":
        return output
    lines = re.split(r"(?<=[\r\n])", output["text"])
    output["text"] = "".join(line for line in lines if not BAR.search(line))
    return output if output["text"].strip() else None


def outdated(chapter: Chapter) -> bool:
    """Whether a chapter must run again."""
    name = chapter.path.stem
    known = read_status().get(name, {}).get("hash")
    if not (EXECUTED / chapter.path.name).exists():
        return True
    return known != chapter_hash(chapter.path)


def chapter_hash(path: Path) -> str:
    """Hash of a chapter and of everything that could change what it shows."""
    digest = hashlib.sha256()
    package = sorted((ROOT / "weaktr_core").rglob("*.[pj][ys]"))
    for file in [path, Path(__file__), *package]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def read_status() -> dict:
    """Seconds, dates and hashes of the chapters that ran."""
    return json.loads(STATUS.read_text("utf8")) if STATUS.exists() else {}


def free_memory() -> float:
    """GiB that a new process could use; plenty where nobody can tell."""
    table = Path("/proc/meminfo")
    found = table.exists() and re.search(
        r"MemAvailable:\s+(\d+)", table.read_text("utf8")
    )
    return int(found[1]) / 2**20 if found else float("inf")


def heartbeat(active: list[Execution], waiting: list[Chapter]) -> str:
    """Who is running, for how long, and how many wait."""
    running = [f"{e.chapter.path.stem} {clock(e.seconds)}" for e in active]
    return f"    running: {', '.join(running)}; waiting: {len(waiting)}"


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def say(message: str) -> None:
    """Progress for whoever waits."""
    sys.stdout.write(message + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
