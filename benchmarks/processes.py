"""Two processes against one: ``python benchmarks/processes.py``.

Trains a small network of each step with the same images a step, once in one process and
once in two (torchrun, CPU); then lets one and two processes make the labels and scores of
one and the same network. Writes results/processes.json and prints a table.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from machine import measured

from weaktr_core.config import preset, seg_preset
from weaktr_core.data import Scenes
from weaktr_core.labels.making import make_cams, make_masks
from weaktr_core.labels.recipe import LabelRecipe
from weaktr_core.labels.views import make_views
from weaktr_core.runtime import is_first, processes, write_json
from weaktr_core.scores.cams import evaluate_cams
from weaktr_core.scores.masks import evaluate_segmenter
from weaktr_core.train.cam import train_cam
from weaktr_core.train.runs import Run
from weaktr_core.train.seg import train_seg
from weaktr_core.train.snapshots import hash_file

TRAIN, VAL = Scenes(24, 64, 0), Scenes(9, 64, 1)  # an odd number: no share is even
TOGETHER = 8  # images a step
PATIENCE = 1200
"""Seconds before a training counts as stuck; a busy machine takes minutes to start two."""


def work(step: str, folder: Path, network: Path) -> None:
    """What each process does: train, then label and score with a network that is given."""
    # one process with a loader's process of its own draws for each image as two do
    size, workers = TOGETHER // processes()[1], 1
    if step == "cam":
        config = preset("smoke", batch_size=size, workers=workers, precision="no")
        train_cam(config, TRAIN, VAL, folder / "run")
        model = Run(network).load()
        make_cams(model, VAL, folder / "cams", views=make_views([1.0, 1.5]))
        make_masks(VAL, folder / "cams", folder / "masks", LabelRecipe(0.4))
        scores = evaluate_cams(model, VAL, batch_size=4)
        found = dict(ap=scores.mean_ap, miou=scores.miou)
    else:
        no_dropout = {"num_heads": 3, "dropout": 0.0}  # it is drawn for a whole batch
        changes = dict(workers=workers, precision="no", decoder=no_dropout)
        config = seg_preset("smoke", batch_size=size, **changes)
        train_seg(config, TRAIN, VAL, folder / "run")
        model = Run(network).load()
        found = evaluate_segmenter(model, VAL, folder=folder / "masks").as_json()
    if is_first():
        write_json(folder / "scores.json", found)
    if torch.distributed.is_initialized():  # nobody leaves while another still talks
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def launch(step: str, count: int, folder: Path, network: Path) -> None:
    """Run `work` in one process or several."""
    command = [__file__, "--work", step, str(folder), str(network)]
    # a port that the rendezvous takes itself, an address that no name server must know
    several = ["-m", "torch.distributed.run", "--standalone", "--local_addr=127.0.0.1"]
    several += [f"--nproc_per_node={count}"]
    run_or_say([*(several if count > 1 else []), *command], OMP_NUM_THREADS="1")


def run_or_say(words: list[str], **environment: str) -> None:
    """Run Python with some words; where it fails, say what it said last."""
    done = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    if done.returncode:
        raise RuntimeError(f"status {done.returncode}: {done.stderr[-5000:]}")


def compare(step: str, work: Path) -> dict:
    """How far two processes are from one."""
    one, two = work / "1", work / "2"
    for count, folder in ((1, one), (2, two)):
        launch(step, count, folder, one / "run")
    first, second = (Run(folder / "run").history for folder in (one, two))
    return dict(
        step=step,
        losses=largest(first, second, "losses"),
        scores=largest(first, second, "miou"),
        files=[len(files_of(one)), len(files_of(two))],
        files_equal=files_of(one) == files_of(two),
        scores_of_one_network=difference(*(read(f / "scores.json") for f in (one, two))),
    )


def read(path: Path) -> dict:
    return json.loads(path.read_text("utf8"))


def files_of(folder: Path) -> dict[str, str]:
    """Hashes of the CAMs and masks."""
    paths = [*folder.glob("cams/*.npz"), *folder.glob("masks/*.png")]
    return {str(path.relative_to(folder)): hash_file(path) for path in sorted(paths)}


def largest(first: list[dict], second: list[dict], key: str) -> float:
    """The largest difference of a kind of number over all epochs."""
    pairs = zip(first, second, strict=True)
    return max(difference(a.get(key, {}), b.get(key, {})) for a, b in pairs)


def difference(a, b) -> float:
    """Largest absolute difference of two JSON values of one form."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        return max((difference(a[key], b[key]) for key in a), default=0.0)
    return abs(a - b)


def table(rows: list[dict]) -> str:
    """Markdown."""
    head = "| step | losses | mIoU while training | files equal | scores of one network |\n"
    lines = [
        f"| {r['step']} | {r['losses']:.1e} | {r['scores']:.1e} | "
        f"{r['files'][1]} of {r['files'][0]}: {r['files_equal']} | "
        f"{r['scores_of_one_network']:.1e} |\n"
        for r in rows
    ]
    return head + "|---" * 5 + "|\n" + "".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", nargs=3, metavar=("STEP", "FOLDER", "NETWORK"))
    arguments = parser.parse_args()
    if arguments.work:
        step, folder, network = arguments.work
        work(step, Path(folder), Path(network))
        return
    rows = []
    for step in ("cam", "seg"):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(compare(step, Path(folder)))
    results = Path(__file__).parent / "results"
    write_json(results / "processes.json", rows)
    text = f"{measured()}\n\n{table(rows)}"
    (results / "processes.md").write_text(text, "utf8")
    print(table(rows))


if __name__ == "__main__":
    main()
