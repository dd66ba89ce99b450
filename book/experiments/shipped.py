"""Score the networks that come with the package on some photos of VOC's val.

    python book/experiments/shipped.py VOC                  # → data/results/shipped.json
    python book/experiments/shipped.py VOC --retrain RUNS   # both steps anew, compared

A test compares with the first wherever the photos are. The second trains with the
package alone, from tags, into RUNS/cam and RUNS/seg (``--set`` shortens it), goes on
where it was interrupted, and prints its scores beside those of the shipped networks.
VOC is a folder laid out like VOC 2012.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tabulate import tabulate
from weaktr_core.__main__ import main as commands
from weaktr_core.data import Sample, open_dataset
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.inference import fast_inference
from weaktr_core.networks.segmenter import Segmenter
from weaktr_core.scores.cams import evaluate_cams, miou_at
from weaktr_core.scores.masks import evaluate_segmenter
from weaktr_core.train.runs import Run

RESULT = Path(__file__).parents[2] / "data" / "results" / "shipped.json"
PHOTOS, EVERY = 60, 5  # every fifth photo of val: VOC's list is in order of the years
SHORT_SIDE = 252  # pixels, whole patches
THRESHOLD = 0.42  # Otsu's of the labels that voc-seg learned from


class Some:
    """Every fifth photo of a dataset."""

    def __init__(self, folder: Path):
        self.dataset = open_dataset(folder, "val")
        self.classes = self.dataset.classes

    def __len__(self) -> int:
        return PHOTOS

    def __getitem__(self, index: int) -> Sample:
        return self.dataset[EVERY * index]

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))


def scores(
    folder: Path,
    cam: WeakTr | None = None,
    seg: Segmenter | None = None,
    threshold: float = THRESHOLD,
) -> dict[str, float]:
    """MIoU in %, one view: step 1 with the tags given, step 2 without."""
    photos = Some(folder)
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
    found = scores(given.voc)
    about = dict(photos=PHOTOS, every=EVERY, short_side=SHORT_SIDE, threshold=THRESHOLD)
    RESULT.write_text(json.dumps({**about, "miou": found}, indent=1) + "\n", "utf8")


if __name__ == "__main__":
    main()
