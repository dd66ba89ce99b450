"""IoU of each class at each stage, and where the chain loses: python classes.py [VOC]

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


def chain():
    """What each step of the whole chain has on val, and what could be had: rows of mIoU in %."""
    photographs, second = stored("photographs"), stored("photographs-second")["miou"]
    one, true, probe = stored("photographs-shipped")["scores"], photographs["true_masks"], stored("photographs-probe")["miou"]
    step_1 = [photographs["step1"][f"cam{s}"]["val"]["shipped"] for s in range(3)]
    step_2 = {view: [second[f"ce-{s}"][view] for s in range(3)] for view in second["ce-0"]}
    return {
        "step 1, one view, its own tags": [one["cam one, believed"]],
        "tags given": [one["cam one, tags"]],
        "and two scales": [net["otsu"] for net in step_1],
        "and the best threshold": [net["best"] for net in step_1],
        "step 2, one view": step_2["one"],
        "two scales": step_2["multi"],
        "and CRF": step_2["crf"],
        "two scales, tags given, no CRF": step_2["multi, tags"],
        "true masks instead, one view": [true["val_one"]],
        "two scales, tags given": [true["val_given"]],
        "linear layer on the backbone, true masks, one view": probe["no tags"],
        "tags given ": probe["tags given"],
    }


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
    print()
    rows = [[name, cell(np.array(values))] for name, values in chain().items()]
    print(tabulate(rows, ["val, 335 photos", "mIoU, %"], tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
