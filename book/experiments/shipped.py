"""Score the networks that come with the package on some photos of VOC.

    python book/experiments/shipped.py VOC                  # → data/results/shipped.json
    python book/experiments/shipped.py VOC --cost           # what the next one would take
    python book/experiments/shipped.py VOC --retrain RUNS   # both steps anew, compared

The first scores both on photos of val, and counts what voc-cam believes of the 100 photos
of train_aug that chose its recipe; a test compares the scores wherever the photos are.
The second trains one epoch on few photos and says what all epochs on all photos would take
on this machine. The third trains with the package alone, from tags, into RUNS/cam and
RUNS/seg (``--set`` shortens it), goes on where it was interrupted, and prints its scores
beside those of the shipped networks. VOC is a folder laid out like VOC 2012.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from tabulate import tabulate
from weaktr_core.__main__ import main as commands
from weaktr_core.config import preset, seg_preset
from weaktr_core.data import Sample, TaggedDataset, open_dataset
from weaktr_core.data.masked import Relabelled
from weaktr_core.labels.crf import CRF_PRESETS
from weaktr_core.labels.making import make_cams, make_masks
from weaktr_core.labels.photos import LIKELY, POSSIBLE, believed
from weaktr_core.labels.recipe import LabelRecipe
from weaktr_core.labels.views import make_views
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.checkpoints import load_checkpoint
from weaktr_core.networks.inference import fast_inference
from weaktr_core.networks.segmenter import Segmenter
from weaktr_core.scores.cams import evaluate_cams, miou_at
from weaktr_core.scores.masks import evaluate_segmenter
from weaktr_core.train.cam import train_cam
from weaktr_core.train.runs import Run
from weaktr_core.train.seg import train_seg

from tables import RESULTS, training_seconds

RESULT = RESULTS / "shipped.json"
TIMED = 64  # photos of train_aug that the cost is measured with
PHOTOS, EVERY = 60, 5  # every fifth photo of val: VOC's list is in order of the years
SHORT_SIDE = 252  # pixels, whole patches
THRESHOLD = 0.42  # Otsu's of the labels that voc-seg learned from


class Some:
    """Some photos of a dataset, evenly spread."""

    def __init__(self, dataset: TaggedDataset, count: int, every: int):
        self.dataset, self.count, self.every = dataset, count, every
        self.classes = dataset.classes

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        return self.dataset[self.every * index]

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))


def scores(
    folder: Path,
    cam: WeakTr | None = None,
    seg: Segmenter | None = None,
    threshold: float = THRESHOLD,
) -> dict[str, float]:
    """MIoU in %, one view: step 1 with the tags given, step 2 without."""
    photos = Some(open_dataset(folder, "val"), PHOTOS, EVERY)
    cam = cam or WeakTr.pretrained("voc")
    seg = seg or Segmenter.pretrained("voc")
    with fast_inference(cam), fast_inference(seg):
        maps = evaluate_cams(cam, photos, eval_size=SHORT_SIDE, batch_size=4)
        masks = evaluate_segmenter(seg, photos, short_side=SHORT_SIDE, batch_size=4)
    assert masks is not None, "val has masks"
    return {
        "voc-cam, tags given": round(100 * miou_at(maps.sweeps["fine_cam"], threshold), 2),
        "voc-seg, no tags": round(100 * masks.miou, 2),
    }


def belief(folder: Path) -> dict[str, int]:
    """How often voc-cam is sure of a tag, and right, on photos that all have one.

    Each photo as large as it is, probabilities as ``segment`` has them: those of the
    likeliest class below what makes it possible and likely, and of all tags believed.
    """
    data = open_dataset(folder, "train_aug")
    place = {name: index for index, name in enumerate(data.names)}
    names = (RESULTS / "voc-part-dev.txt").read_text("utf8").split()
    cam = WeakTr.pretrained("voc").eval()
    least, rows = (POSSIBLE, LIKELY), []
    with torch.no_grad():
        for sample in (data[place[name]] for name in names):
            likely = cam(cam.prepare(sample.image)).coarse_logits[0].sigmoid()
            best, tagged = int(likely.argmax()), set(np.flatnonzero(sample.tags))
            found = set(believed(likely.tolist()))
            rows.append([(float(likely[best]) < p) for p in least] + [best in tagged]
                        + [len(found & tagged), len(found), len(tagged)])  # fmt: skip
    low, unsure, right, hits, found, tags = np.array(rows, dtype=int).T
    return {
        "photos": len(rows),
        f"likeliest below {POSSIBLE}": int(low.sum()),
        f"right among those below {POSSIBLE}": int((low * right).sum()),
        f"likeliest below {LIKELY}": int(unsure.sum()),
        f"right among those below {LIKELY}": int((unsure * right).sum()),
        "likeliest right": int(right.sum()),
        "tags": int(tags.sum()),
        "tags believed": int(found.sum()),
        "believed and right": int(hits.sum()),
    }


def retrained(folder: Path, runs: Path, settings: list[str], split: str) -> dict:
    """Both steps with the package's own commands, then the same scores."""
    cam, seg = runs / "cam", runs / "seg"
    common = ["--preset", "voc-part", "--data", folder, "--split", split]
    more = ["--resume", *(["--set", *settings] if settings else [])]
    weaktr("train-cam", *common, "--run", cam, *more)
    weaktr("make-labels", cam, "--split", split)
    labels = json.loads((cam / "labels/labels.json").read_text("utf8"))
    masks = ["--labels", cam / "labels/masks", "--start", cam]
    weaktr("train-seg", *common, *masks, "--run", seg, *more)
    networks = Run(cam).load(), Run(seg).load()
    return scores(folder, *networks, labels["threshold"])


def cost(folder: Path) -> dict:
    """Hours for both steps at full size, from one epoch and some labels on few photos.

    What is measured on the way, on masks of val, comes on top.
    """
    all_of_them = open_dataset(folder, "train_aug")
    few = Some(all_of_them, TIMED, len(all_of_them) // TIMED)
    two = Some(all_of_them, 2, 1)
    step_1, step_2, seconds = preset("voc-part"), seg_preset("voc-part"), {}
    with TemporaryDirectory() as name:
        runs = Path(name)
        run = train_cam(step_1.changed(epochs=1), few, two, runs / "cam")
        seconds["step 1"] = training_seconds(run) * step_1.epochs
        cam, began = load_checkpoint(run.best), time.perf_counter()
        with fast_inference(cam):
            views = make_views(step_1.scales)
            make_cams(cam, few, runs / "cams", views=views, eval_size=step_1.eval_size)
        recipe = LabelRecipe(THRESHOLD, CRF_PRESETS["voc-cam"])
        make_masks(few, runs / "cams", runs / "masks", recipe)
        seconds["labels"] = time.perf_counter() - began
        labelled = Relabelled(few, runs / "masks")
        run = train_seg(step_2.changed(epochs=1), labelled, two, runs / "seg", start=cam)
        seconds["step 2"] = training_seconds(run) * step_2.epochs
    times = len(all_of_them) / TIMED / 3600
    hours = {part: round(times * found, 1) for part, found in seconds.items()}
    return dict(
        timed_on=TIMED,
        photos=len(all_of_them),
        threads=torch.get_num_threads(),
        hours=hours,
    )


def weaktr(*arguments: str | Path) -> None:
    """A command of the package, its settings printed first."""
    words = list(map(str, arguments))
    sys.stdout.write(" ".join(["python -m weaktr_core", *words]) + "\n")
    if code := commands(words):
        sys.exit(code)


def main() -> None:
    """Write the scores, or train anew and print both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("voc", type=Path, help="folder laid out like VOC 2012")
    parser.add_argument("--retrain", type=Path, metavar="RUNS", help="folder of the runs")
    parser.add_argument("--cost", action="store_true", help="time a fraction of --retrain")
    parser.add_argument("--split", default="train_aug", help="photos to train on")
    parser.add_argument("--set", nargs="+", default=[], help="of both steps")
    given = parser.parse_args()
    if given.retrain:
        anew = retrained(given.voc, given.retrain, given.set, given.split)
        stored = json.loads(RESULT.read_text("utf8"))["miou"]
        rows = [[name, stored[name], anew[name]] for name in stored]
        head = ["mIoU, %", "shipped", "retrained"]
        sys.stdout.write(tabulate(rows, head, tablefmt="github") + "\n")
        return
    stored = json.loads(RESULT.read_text("utf8")) if RESULT.exists() else {}
    if given.cost:
        stored["cost"] = cost(given.voc)
        sys.stdout.write(json.dumps(stored["cost"]) + "\n")
        RESULT.write_text(json.dumps(stored, indent=1) + "\n", "utf8")
        return
    found = scores(given.voc)
    about: dict = dict(
        photos=PHOTOS, every=EVERY, short_side=SHORT_SIDE, threshold=THRESHOLD
    )
    about |= dict(miou=found, belief=belief(given.voc))
    RESULT.write_text(json.dumps(stored | about, indent=1) + "\n", "utf8")


if __name__ == "__main__":
    main()
