"""Kill a training and continue it, over and over: ``python benchmarks/kill.py``.

A small training of each step is killed with SIGKILL at random moments, some of them
inside a save, and resumed until it is through. Then its weights, optimiser and random
states, best network, history and recorded arrays must equal, bit by bit, those of the
training that nobody killed. Writes results/kill.json and prints a table.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from weaktr_core.config import preset, seg_preset
from weaktr_core.data import Scenes
from weaktr_core.train import loop, runs
from weaktr_core.train.cam import train_cam
from weaktr_core.train.runs import Run
from weaktr_core.train.seg import train_seg
from weaktr_core.train.snapshots import hash_file

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
        os.set_blocking(out, False)
        return Child(process, out)
    os.setsid()
    os.close(out)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    status = 1
    torch.set_num_threads(1)  # the parent's threads are not here
    try:
        tell_of_steps_and_saves(into)
        train(case.step, case.workers, folder)
        status = 0
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
    parser.add_argument("--out", default=str(Path(__file__).parent / "results/kill.json"))
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    torch.set_num_threads(1)
    cases = [Case(step, workers) for step in ("cam", "seg") for workers in (0, 2)]
    for case in cases:
        with tempfile.TemporaryDirectory() as work:
            torment(case, arguments.kills, arguments.inside, Path(work))
        print(case.step, case.workers, case.kills, case.differing, file=sys.stderr)
    rows = [row_of(case) for case in cases]
    Path(arguments.out).write_text(json.dumps(rows, indent=1) + "\n", "utf8")
    print(table(rows))


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
