"""Score the shipped networks on photographs of a collection that nothing was decided on.

    python book/experiments/held_back.py COCO           # → data/results/held-back.json

They learned from VOC's photos. COCO has outlines of all twenty classes, and its photos
show whole scenes in which these are small; its other sixty classes count as background.
COCO is a folder in its layout, or a part of it. Masks measure, nothing is chosen with them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from weaktr_core.data import COCO
from weaktr_core.data.voc import CLASSES
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.inference import fast_inference
from weaktr_core.networks.segmenter import Segmenter
from weaktr_core.runtime import write_json
from weaktr_core.scores.cams import evaluate_cams, miou_at
from weaktr_core.scores.masks import evaluate_segmenter

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from part import Part, tags_of

RESULT = Path(__file__).parents[2] / "data" / "results" / "held-back.json"
SHIPPED = json.loads(RESULT.with_name("shipped.json").read_text("utf8"))
OTHER_NAMES = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}


def photos_of_coco(folder: Path) -> Part:
    """COCO's photos that show one of VOC's classes, with tags and masks of these alone."""
    names = [OTHER_NAMES.get(name, name) for name in CLASSES]
    data = COCO(folder)
    return Part(data, names, np.flatnonzero(tags_of(data, names).any(axis=1)))


def main() -> None:
    """Write the scores."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("coco", type=Path, help="folder in COCO's layout")
    photos = photos_of_coco(parser.parse_args().coco)
    side, threshold = SHIPPED["short_side"], SHIPPED["threshold"]
    cam, seg = WeakTr.pretrained("voc"), Segmenter.pretrained("voc")
    with fast_inference(cam), fast_inference(seg):
        maps = evaluate_cams(cam, photos, eval_size=side, batch_size=4)
        masks = evaluate_segmenter(seg, photos, short_side=side, batch_size=4)
    assert masks is not None, "COCO has masks"
    counts = sum(photo.tags for photo in photos)
    miou = {
        "voc-cam, tags given": miou_at(maps.sweeps["fine_cam"], threshold),
        "voc-seg, no tags": masks.miou,
    }
    of_voc = {theirs: ours for ours, theirs in OTHER_NAMES.items()}
    iou = {of_voc.get(name, name): v for name, v in masks.as_json()["iou"].items()}
    shown = ["background", *(c for c, n in zip(CLASSES, counts, strict=True) if n)]
    found = dict(
        photos=len(photos),
        short_side=side,
        threshold=threshold,
        mean_ap=percent(maps.mean_ap["coarse_logits"]),
        miou={name: percent(value) for name, value in miou.items()},
        miou_of_shown=percent(np.mean([iou[it] for it in shown])),
        iou={name: percent(value) for name, value in iou.items()},
        photos_of={c: int(n) for c, n in zip(CLASSES, counts, strict=True)},
    )
    write_json(RESULT, found)


def percent(value: float) -> float:
    """A share in %, one digit."""
    return round(100 * value, 1)


if __name__ == "__main__":
    main()
