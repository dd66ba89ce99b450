"""Kill a training and continue it, over and over: ``python benchmarks/kill.py``.

A small training of each step is killed with SIGKILL at random moments, some of them
inside a save, and resumed until it is through. Then its weights, optimiser and random
states, best network, history and recorded arrays must equal, bit by bit, those of the
training that nobody killed. Writes results/kill.json and prints a table.

``--commands`` kills make-labels, segment and the build of two chapters of this book, and
starts each again with the same words; every file in the end must be as if nobody had.
Writes results/kill-commands.json; what is killed no times keeps its row.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch
from machine import measured
from PIL import Image

from weaktr_core.__main__ import main as main_of_the_package
from weaktr_core.config import preset, seg_preset
from weaktr_core.data import Scenes
from weaktr_core.runtime import PART, write_json
from weaktr_core.train import loop, runs
from weaktr_core.train.cam import train_cam
from weaktr_core.train.runs import Run
from weaktr_core.train.seg import train_seg
from weaktr_core.train.snapshots import hash_file

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"

SAVE_SECONDS = 0.1
"""Between two snapshots of these trainings, which take seconds."""

TINY = dict(epochs=2, batch_size=2, precision="no")


class Drawn(list):
    """Scenes, drawn once."""

    classes = Scenes(1, 64).classes


TRAIN, VAL = Drawn(Scenes(24, 64, 0)), Drawn(Scenes(4, 64, 1))


def train(step: str, workers: int, folder: Path) -> None:
    """A training of step "cam" or "seg"; goes on where one is."""
    if step == "cam":
        train_cam(preset("smoke", workers=workers, **TINY), TRAIN, VAL, folder, resume=True)
    else:
        config = seg_preset("smoke", workers=workers, **TINY)
        train_seg(config, TRAIN, VAL, folder, resume=True)


@dataclass
class Case:
    """What happened to the trainings of one kind."""

    step: str
    workers: int
    kills: int = 0
    inside_a_save: int = 0
    mid_epoch: int = 0
    finished: int = 0
    differing: list[str] = field(default_factory=list)
    steps_lost: list[int] = field(default_factory=list)
    seconds_lost: list[float] = field(default_factory=list)

    def work(self, folder: Path) -> int:
        """What the killed process does; 0 if all went well."""
        train(self.step, self.workers, folder)
        return 0


@dataclass
class Command(Case):
    """A command that is started with the same words until it is through.

    Attributes:
        words: of it; {} stands for the folder that it writes.
        program: what runs the words; the package where it is empty.
        kept: which files must be equal in the end, as patterns.
        home: where it runs.
    """

    words: tuple[str, ...] = ()
    program: tuple[str, ...] = ()
    kept: tuple[str, ...] = ("**/*",)
    home: Path | None = None

    def prepare(self, folder: Path) -> None:
        """Make the folder; a program of this repository gets a copy of it all."""
        folder.mkdir(parents=True)
        if self.home is not None:
            listed = subprocess.check_output(["git", "ls-files"], cwd=self.home, text=True)
            for name in listed.splitlines():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(self.home / name, folder / name)
            if (self.home / "build/npm").is_dir():  # fetched once is enough
                shutil.copytree(self.home / "build/npm", folder / "build/npm")

    def work(self, folder: Path) -> int:
        """Run the command to its end."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        words = [word.format(folder) for word in self.words]
        if not self.program:
            return main_of_the_package(words)
        environment = {
            **os.environ,
            "PYTHONPATH": str(folder),
            "WEAKTR_DATA": os.environ.get("WEAKTR_DATA", str(ROOT / "data")),
        }
        return subprocess.run(
            [*self.program, *words], cwd=folder, env=environment
        ).returncode

    def files(self, folder: Path) -> dict[str, str]:
        """Hashes of what it wrote; of a chapter what it shows, not when it ran."""
        found = {path for pattern in self.kept for path in folder.glob(pattern)}
        return {
            str(path.relative_to(folder)): shown(path)
            for path in sorted(found)
            if path.is_file() and not path.name.startswith((PART, ".lock", "status."))
        }


def shown(path: Path) -> str:
    """Hash of a file; of a chapter that was run, without how long and when it ran."""
    content = path.read_bytes()
    if path.suffix == ".html":
        content = re.sub(rb"ran in [\w ]+ when", b"", content)
    if path.suffix == ".ipynb":
        notebook = json.loads(content)
        for cell in notebook["cells"]:
            cell["metadata"].pop("execution", None)
        content = json.dumps(notebook).encode()
    return hashlib.sha256(content).hexdigest()


@dataclass
class Child:
    """A training in a process of its own, which tells each step and save."""

    process: int
    pipe: int
    told: list[tuple[str, int, float]] = field(default_factory=list)

    def listen(self, seconds: float, until: str = "") -> str:
        """Read for a while, or until a word comes; "end" where the process is done."""
        stop = time.monotonic() + seconds
        while time.monotonic() < stop:
            try:
                text = os.read(self.pipe, 65536)
            except BlockingIOError:
                time.sleep(0.0005)
                continue
            if not text:
                return "end"
            for line in text.decode().splitlines():
                word, number, when = line.split()
                self.told.append((word, int(number), float(when)))
            if until and any(word == until for word, *_ in self.told[-3:]):
                return until
        return ""

    def kill(self) -> None:
        """SIGKILL for it and the processes that load its images."""
        os.killpg(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        self.listen(0.05)
        os.close(self.pipe)


def start(case: Case, folder: Path) -> Child:
    """Train in a forked process."""
    out, into = os.pipe()
    if process := os.fork():
        os.close(into)
        with suppress(OSError):  # whoever comes first: it may be killed before its turn
            os.setpgid(process, process)
        os.set_blocking(out, False)
        return Child(process, out)
    os.setpgid(0, 0)
    os.close(out)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    status = 1
    torch.set_num_threads(1)  # the parent's threads are not here
    try:
        tell_of_steps_and_saves(into)
        status = case.work(folder)
    finally:
        os._exit(status)


def tell_of_steps_and_saves(into: int) -> None:
    """Have the loop say what it does, through a pipe."""
    step, write = loop.Trainer.step, runs.write_snapshot

    def tell(word: str, number: int) -> None:
        os.write(into, f"{word} {number} {time.monotonic()}\n".encode())

    def telling_step(trainer, batch):
        step(trainer, batch)
        tell("step", place(trainer.progress))

    def telling_write(folder, model, tensors, state):
        number = state["epochs"] * state["steps"] + state["step"]
        tell("saving", number)
        write(folder, model, tensors, state)
        tell("saved", number)

    loop.Trainer.step, runs.write_snapshot = telling_step, telling_write
    loop.SAVE_SECONDS, loop.SAVE_SHARE = SAVE_SECONDS, 1.0


def place(progress: runs.Progress) -> int:
    """Steps since the beginning."""
    return progress.epochs * progress.steps + progress.step


def kill_once(case: Case, folder: Path, wait: float, inside: bool) -> bool:
    """Start or continue, and kill after a while; False where it was through before."""
    child = start(case, folder)
    heard = child.listen(wait)
    if inside and heard != "end":
        heard = child.listen(60, until="saving")
        time.sleep(random.uniform(0, 0.012))
    if heard == "end":
        _, status = os.waitpid(child.process, 0)
        os.close(child.pipe)
        assert status == 0, f"training ended with status {status}: {folder}"
        return False
    child.kill()
    case.kills += 1
    words = [word for word, *_ in child.told]
    case.inside_a_save += "saving" in words and words[::-1].index("saving") < (
        words[::-1].index("saved") if "saved" in words else len(words)
    )
    progress = Run(folder).progress()
    case.mid_epoch += progress.step > 0
    count_losses(case, child, place(progress))
    return True


def count_losses(case: Case, child: Child, kept: int) -> None:
    """What the kill cost: steps made and not kept, and the time since the first of them."""
    steps = [(number, when) for word, number, when in child.told if word == "step"]
    lost = [when for number, when in steps if number > kept]
    case.steps_lost.append(len(lost))
    case.seconds_lost.append(lost[-1] - lost[0] if lost else 0.0)


def contents(folder: Path) -> dict:
    """All that must be equal in a finished run."""
    run = Run(folder)
    found: dict = {"snapshot": json.loads((run.last / "state.json").read_text())["sha256"]}
    found["best"] = hash_file(run.best)
    found["history"] = [
        {key: value for key, value in line.items() if key != "seconds"}
        for line in run.history
    ]
    found["arrays"] = {
        str(file.relative_to(folder)): hash_file(file)
        for file in sorted(folder.glob("*/*.npy"))
    }
    return found


def torment(case: Case, kills: int, inside: int, work: Path) -> None:
    """Kill trainings of a kind until it has been done often enough."""
    straight, folder = work / "straight", work / "killed"
    begun = time.monotonic()
    child = start(case, straight)
    assert child.listen(120) == "end", f"no end of {straight}"
    assert os.waitpid(child.process, 0)[1] == 0
    whole = time.monotonic() - begun
    expected = contents(straight)
    while True:
        want_inside = case.inside_a_save < inside
        # a kill that just misses its save counts, too, but the save is tried again
        more = case.kills < kills or (want_inside and case.kills < 10 * kills)
        if not more and not folder.exists():
            break
        wait = random.uniform(0, 0.6 * whole) if more else 120
        if kill_once(
            case, folder, wait * (0.5 if want_inside else 1), want_inside and more
        ):
            continue
        found = contents(folder)
        case.finished += 1
        case.differing += [key for key in expected if found[key] != expected[key]]
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=25, help="for each of four kinds")
    parser.add_argument("--inside", type=int, default=5, help="of them inside a save")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", action="store_true", help="not the trainings")
    parser.add_argument("--builds", type=int, default=10, help="kills of the book's build")
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    torch.set_num_threads(1)
    if arguments.commands:
        stored = RESULTS / "kill-commands.json"
        rows = {row["command"]: row for row in json.loads(stored.read_text("utf8"))}
        new = kill_commands(arguments.kills, arguments.builds)
        rows = [*(rows | {row["command"]: row for row in new}).values()]
        write_json(stored, rows)
        show(RESULTS / "kill-commands.md", table_of_commands(rows))
        return
    cases = [Case(step, workers) for step in ("cam", "seg") for workers in (0, 2)]
    for case in cases:
        with tempfile.TemporaryDirectory() as work:
            torment(case, arguments.kills, arguments.inside, Path(work))
        print(case.step, case.workers, case.kills, case.differing, file=sys.stderr)
    rows = [row_of(case) for case in cases]
    write_json(RESULTS / "kill.json", rows)
    show(RESULTS / "kill.md", table(rows))


def show(path: Path, text: str) -> None:
    """Keep a table and where it was measured, and print it."""
    path.write_text(f"{measured()}\n\n{text}", "utf8")
    print(text)


def torment_command(case: Command, kills: int, work: Path) -> int:
    """Kill a command at random moments, start it again; the number of equal files."""
    straight, folder = work / "straight", work / "killed"
    for path in (straight, folder):
        case.prepare(path)
    begun = time.monotonic()
    child = start(case, straight)
    assert child.listen(600) == "end" and os.waitpid(child.process, 0)[1] == 0, straight
    whole, expected = time.monotonic() - begun, case.files(straight)
    while True:
        more = case.kills < kills
        child = start(case, folder)
        # what was made before is found again, so later calls end sooner: kill early, too
        if child.listen(random.uniform(0, whole) if more else 600) != "end":
            child.kill()
            case.kills += 1
            continue
        assert os.waitpid(child.process, 0)[1] == 0, folder
        os.close(child.pipe)
        case.finished += 1
        found = case.files(folder)
        case.differing += sorted(
            k for k in {*expected, *found} if expected.get(k) != found.get(k)
        )
        if not more:
            return len(expected)
        shutil.rmtree(folder)
        case.prepare(folder)


def kill_commands(kills: int, builds: int) -> list[dict]:
    """All commands; rows of a table."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for case, times in commands(work, kills, builds):
            count = torment_command(case, times, work / case.step)
            rows.append(
                dict(
                    command=case.step,
                    kills=case.kills,
                    finished=case.finished,
                    files=count,
                    differing=case.differing,
                )
            )
            print(rows[-1], file=sys.stderr)
    return rows


def commands(work: Path, kills: int, builds: int) -> list[tuple[Command, int]]:
    """What is killed, and how often; a small network is trained for the first two."""
    run, photos = str(work / "run"), work / "photos"
    few = ["--preset", "smoke", "--set", "epochs=1", "img_size=64", "precision=no"]
    assert (
        main_of_the_package(["train-cam", "--data", "scenes:24", "--run", run, *few]) == 0
    )
    photos.mkdir()
    for number, sample in enumerate(TRAIN[:16]):
        Image.fromarray(sample.image).save(photos / f"{number}.png")
    labels = ("make-labels", run, "--out", "{}", "--crf", "none", "--scales", "1", "1.5")
    segment = ("segment", str(photos), "--run", run, "-o", "{}", "--crf", "none")
    exports = ("--export", "coco", "csv", "--explorers", "2")
    found = [
        (Command("make-labels", 0, words=labels), kills),
        (Command("segment", 0, words=(*segment, *exports)), kills),
    ]
    # two quick chapters that print no seconds
    build = ("book/build.py", "--only", "01_", "02_")
    kept = ("build/executed/*.ipynb", "build/site/**/*.html")
    book = Command("book/build.py, two chapters", 0, words=build, kept=kept)
    book.program, book.home = (sys.executable,), ROOT
    return [(case, times) for case, times in [*found, (book, builds)] if times]


def table_of_commands(rows: list[dict]) -> str:
    """Markdown."""
    lines = [
        f"| {r['command']} | {r['kills']} | {r['finished']} | {r['files']} | "
        f"{', '.join(r['differing']) or 'none'} |\n"
        for r in rows
    ]
    head = "| command | kills | came to its end | files | differing |\n"
    return head + "|---" * 5 + "|\n" + "".join(lines)


def row_of(case: Case) -> dict:
    """What is kept of a case."""
    return dict(
        step=case.step,
        workers=case.workers,
        kills=case.kills,
        inside_a_save=case.inside_a_save,
        went_on_mid_epoch=case.mid_epoch,
        finished=case.finished,
        differing=case.differing,
        most_steps_lost=max(case.steps_lost),
        most_seconds_lost=round(max(case.seconds_lost), 3),
    )


def table(rows: list[dict]) -> str:
    """Markdown."""
    names = "step|workers|kills|inside a save|went on mid-epoch|runs finished|differing"
    head = f"| {names.replace('|', ' | ')} | most lost |\n"
    lines = [
        f"| {r['step']} | {r['workers']} | {r['kills']} | {r['inside_a_save']} | "
        f"{r['went_on_mid_epoch']} | {r['finished']} | "
        f"{', '.join(r['differing']) or 'none'} | "
        f"{r['most_steps_lost']} steps, {r['most_seconds_lost']} s |\n"
        for r in rows
    ]
    return head + "|---" * 8 + "|\n" + "".join(lines)


if __name__ == "__main__":
    main()
