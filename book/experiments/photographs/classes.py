"""IoU of each class at each stage, and the mean without the rarest: python classes.py [VOC]

With VOC, counts the photos of train_aug that show a class, into
data/results/photographs-classes.json; the scores are those stored by other scripts.
"""

import json
import sys
from pathlib import Path

import numpy as np
from tabulate import tabulate

from weaktr_core.data import open_dataset
from weaktr_core.data.sample import without_masks
from weaktr_core.runtime import write_json

RESULTS = Path(__file__).parents[3] / "data/results"
COUNTS = RESULTS / "photographs-classes.json"
RARE = 5  # classes with the fewest photos


def stored(name):
    return json.loads((RESULTS / f"{name}.json").read_text("utf8"))


def stages():
    """Stage → (seeds, 21) IoU on val in %."""
    shipped, second = stored("photographs-shipped")["iou"], stored("photographs-second")["iou"]
    found = {"step 1, tags given": [shipped["cam one, tags"]], "step 1": [shipped["cam one, believed"]]}
    for key, name in (("ce", "step 2, cross-entropy"), ("clip", "step 2, clipped")):
        found[name] = [100 * np.array(second[f"{key}-{s}"]["one"]) for s in range(3)]
    found["step 2, two scales, tags given"] = [100 * np.array(second[f"ce-{s}"]["multi, tags"]) for s in range(3)]
    found["true masks, two scales"] = [stored("photographs")["true_masks"]["iou"]]
    return {name: np.array(iou) for name, iou in found.items()}


def cell(values):
    """Mean of the seeds, and their sd where there are three."""
    return f"{values.mean():.1f}" + (f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else "")


def main():
    if len(sys.argv) > 1:
        photos = without_masks(open_dataset(sys.argv[1], "train_aug"))
        tags = sum(sample.tags for sample in photos).astype(int)
        write_json(COUNTS, dict(zip(photos.classes, tags.tolist())))
    counts, scores = json.loads(COUNTS.read_text("utf8")), stages()
    rare = sorted(counts, key=counts.get)[:RARE]
    names = ["background", *counts]
    some = np.array([name not in rare for name in names])
    rows = [[n, counts.get(n, ""), *(cell(iou[:, i]) for iou in scores.values())] for i, n in enumerate(names)]
    rows.append(["mean", "", *(cell(iou.mean(1)) for iou in scores.values())])
    rows.append([f"mean without the {RARE} rarest", "", *(cell(iou[:, some].mean(1)) for iou in scores.values())])
    print(tabulate(rows, ["IoU, %", "photos", *scores], tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
