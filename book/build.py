"""Run every chapter with papermill, then build the site: ``python book/build.py``.

Executed copies live in build/executed, the site in build/site. A chapter is run again
when it, or a file of this project that it has read, changed; ``--fresh`` runs all.
Chapters run side by side, the longest first, but one that trains runs before those that
load what it trained. One build at a time; what a killed one started ends with it.
"""

from __future__ import annotations

import argparse
import fcntl
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
BOOK, BUILD = ROOT / "book", ROOT / "build"
EXECUTED, PARTS, STATUS = (
    BUILD / "executed",
    BUILD / "parts",
    BUILD / "status.json",
)
RUNS = ("train_or_load", "retrain_or_load")
HEARTBEAT = 60  # seconds between two signs of life
PATIENCE = 15  # seconds that a chapter has to end
MEMORY = 4.0  # GiB that must be free before another chapter starts beside one


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
        "--only", nargs="+", default=[""], help="run these chapters only"
    )
    parser.add_argument(
        "--jobs", type=int, default=2, help="chapters at a time (default: 2)"
    )
    arguments = parser.parse_args()
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "lock").open("w") as lock:  # let go whatever ends us
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(f"another build is running here, in {BUILD}: wait for its end")
            return 1
        return build(arguments)


def build(arguments: argparse.Namespace) -> int:
    """Run what must be run, then make the pages."""
    chapters = [
        Chapter.read(path)
        for path in pages.notebooks()
        if any(name in path.name for name in arguments.only)
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
    whole = pages.collect(EXECUTED, read_status())
    return pages.build_html(say, whole)


def run_all(chapters: list[Chapter], jobs: int) -> list[str]:
    """Run chapters, at most ``jobs`` at a time; the names of those that failed."""
    shutil.rmtree(PARTS, ignore_errors=True)
    waiting = in_order(chapters)
    active: list[Execution] = []
    failed: list[str] = []
    made: set[str] = set()
    said = time.perf_counter()
    try:
        while waiting or active:
            chapter = next_chapter(waiting, active, made, jobs)
            if chapter is not None:
                waiting.remove(chapter)
                alone = not waiting and not active
                active.append(start_chapter(chapter, 1 if alone else jobs))
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
        stop(active)
    return failed


def in_order(chapters: list[Chapter]) -> list[Chapter]:
    """Those that train first, then by how long they took the last time."""
    known = read_status()

    def last_time(chapter: Chapter) -> float:
        return known.get(chapter.path.stem, {}).get("seconds", 0)

    return sorted(chapters, key=lambda c: (not c.trains, -last_time(c)))


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
    """Begin to execute a notebook beside ``jobs - 1`` others."""
    PARTS.mkdir(parents=True, exist_ok=True)
    # a name of this build's own: one that was killed may still be ending
    part = PARTS / f"{chapter.path.stem}.{os.getpid()}.ipynb"
    command = [sys.executable, str(Path(__file__).with_name("execute.py"))]
    if not chapter.trains and jobs > 1 and shutil.which("nice"):
        command = ["nice", "-n", "5", *command]  # trainers are waited for
    say(f"{chapter.path.stem:32} starts")
    process = subprocess.Popen(
        [*command, str(chapter.path), str(part)],
        env=environment(chapter, jobs),
        stdin=subprocess.PIPE,
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
    read = nbformat.read(done.part, 4).metadata["weaktr_read"]
    EXECUTED.mkdir(parents=True, exist_ok=True)
    done.part.replace(EXECUTED / chapter.path.name)
    entry = {
        "hash": hash_of(chapter.path, read),
        "seconds": round(done.seconds, 1),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "read": read,
    }
    write_status(read_status() | {chapter.path.stem: entry})
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


def stop(active: list[Execution]) -> None:
    """End chapters that still run, and wait until they and their kernels have gone."""
    for execution in active:
        execution.process.stdin.close()
    for execution in active:
        try:
            execution.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            execution.process.kill()


def outdated(chapter: Chapter) -> bool:
    """Whether a chapter must run again."""
    entry = read_status().get(chapter.path.stem, {})
    if not (EXECUTED / chapter.path.name).exists():
        return True
    return entry.get("hash") != hash_of(chapter.path, entry.get("read", []))


def hash_of(path: Path, read: list[str]) -> str:
    """Hash of a chapter, of what runs it, and of the files it has read."""
    digest = hashlib.sha256()
    runner = Path(__file__).with_name("execute.py")
    for file in [path, runner, *(ROOT / name for name in read)]:
        digest.update(file.read_bytes() if file.exists() else b"gone")
    return digest.hexdigest()[:16]


def read_status() -> dict:
    """Seconds, dates and hashes of the chapters that ran."""
    return json.loads(STATUS.read_text("utf8")) if STATUS.exists() else {}


def write_status(status: dict) -> None:
    """Replace the file as a whole: who reads it finds the old one or the new one."""
    part = STATUS.with_suffix(".part")
    part.write_text(json.dumps(status, indent=1), "utf8")
    part.replace(STATUS)


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
