"""Score the networks that come with the package on some photos of VOC's val.

``python book/experiments/shipped.py VOC`` writes data/results/shipped.json; a test
compares with it wherever the photos are. VOC is a folder laid out like VOC 2012.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from weaktr_core.data import Sample, open_dataset
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.inference import fast_inference
from weaktr_core.networks.segmenter import Segmenter
from weaktr_core.scores.cams import evaluate_cams, miou_at
from weaktr_core.scores.masks import evaluate_segmenter

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


def scores(folder: Path) -> dict[str, float]:
    """MIoU in %, one view: step 1 with the tags given, step 2 without."""
    photos = Some(folder)
    cams, masks = WeakTr.pretrained("voc"), Segmenter.pretrained("voc")
    with fast_inference(cams), fast_inference(masks):
        cam = evaluate_cams(cams, photos, eval_size=SHORT_SIDE, batch_size=4)
        seg = evaluate_segmenter(masks, photos, short_side=SHORT_SIDE, batch_size=4)
    assert seg is not None, "val has masks"
    return {
        "voc-cam, tags given": round(100 * miou_at(cam.sweeps["fine_cam"], THRESHOLD), 2),
        "voc-seg, no tags": round(100 * seg.miou, 2),
    }


def main() -> None:
    """Write the scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voc", type=Path, help="folder laid out like VOC 2012")
    found = scores(parser.parse_args().voc)
    about = dict(photos=PHOTOS, every=EVERY, short_side=SHORT_SIDE, threshold=THRESHOLD)
    RESULT.write_text(json.dumps({**about, "miou": found}, indent=1) + "\n", "utf8")


if __name__ == "__main__":
    main()
