"""Are the layouts the same data? The same photos as folder, COCO and VOC, trained on each.

``python benchmarks/layouts.py VOC`` takes photos of VOC's layout and the tags of three
subsets of their classes, one of them a single class with negatives, writes each subset in
three layouts under names of one's own, trains the same short training on each, and
compares the weights and the scores. They must be equal to the last digit: nothing is
written anew but tags and masks, and photos are linked.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from machine import measured
from part import Part, in_turns, tags_of
from pycocotools import mask as rle
from tabulate import tabulate

from weaktr_core.config import preset
from weaktr_core.data import open_dataset, write_annotation
from weaktr_core.labels.files import write_mask
from weaktr_core.networks import load_checkpoint
from weaktr_core.runtime import write_json
from weaktr_core.scores.cams import evaluate_cams, scores_as_json
from weaktr_core.train import train_cam

SUBSETS = (("cat", "dog", "person"), ("cow", "horse", "sheep"), ("cat",))
LAYOUTS = ("folder", "COCO", "VOC")
SETTINGS = dict(img_size=56, epochs=1, eval_size=84, scales=(1.0,), precision="no")


def main() -> None:
    """Every subset in every layout; exit code 1 where two differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("voc", type=Path, help="folder of VOC 2012, or of a part of it")
    parser.add_argument("--train", type=int, default=48, help="photos to train on")
    parser.add_argument("--val", type=int, default=24, help="photos to measure with")
    parser.add_argument(
        "--json", type=Path, default=Path("benchmarks/results/layouts.json")
    )
    asked = parser.parse_args()
    rows, same = [], True
    for classes in SUBSETS:
        found = [compare(asked, classes, layout) for layout in LAYOUTS]
        equal = all(it == found[0] for it in found)
        same &= equal
        weights, scores = found[0]
        row = {"classes": ", ".join(classes), "equal": equal, "weights": weights[:12]}
        row["tag AP"] = scores["mean_ap"]["coarse_logits"]
        row["mIoU, fine CAM"] = scores["stages"]["fine_cam"]["best_miou"]
        rows.append(row)
        print(tabulate(rows, "keys", floatfmt=".4f"), flush=True)
    about = dict(layouts=LAYOUTS, photos=[asked.train, asked.val], where=measured())
    write_json(asked.json, dict(**about, rows=rows))
    sys.exit(not same)


def compare(asked: argparse.Namespace, classes: tuple[str, ...], layout: str):
    """Hash of the trained weights, and all scores, of one subset in one layout."""
    with TemporaryDirectory() as name:
        root = Path(name) / "photos"
        for split, count in (("train", asked.train), ("val", asked.val)):
            source = open_dataset(asked.voc, split)
            tags = tags_of(source, classes)
            part = Part(source, classes, half_and_half(tags, count))
            part.classes = own = tuple(f"my {name}" for name in classes)
            write(root, split, layout, part, source)
        train, val = (open_dataset(root, split) for split in ("train", "val"))
        assert train.classes == val.classes == own, (layout, train.classes)
        config = preset("photos", **SETTINGS)
        run = train_cam(config, train, val, Path(name) / "run")
        network = load_checkpoint(run.best)
        scores = evaluate_cams(network, val, eval_size=config.eval_size)
        return fingerprint(network), json.loads(
            json.dumps(scores_as_json(scores, val.classes, config.threshold))
        )


def half_and_half(tags: np.ndarray, count: int) -> list[int]:
    """Photos that show a class, in turns, and as many that show none.

    Args:
        tags: (images, K) bool.
        count: of photos.
    """
    negative = np.flatnonzero(~tags.any(axis=1))[: count // 2].tolist()
    return sorted([*in_turns(tags, 0)[: count - len(negative)], *negative])


def fingerprint(network: torch.nn.Module) -> str:
    """Hash of all weights."""
    from weaktr_core.labels.making import fingerprint as hash_of

    return hash_of(network)


# ---- the three layouts


def write(root: Path, split: str, layout: str, part: Part, source) -> None:
    """A split: photos linked, tags and masks in the layout's way."""
    photos = {"folder": root / "photos", "COCO": root / split, "VOC": root / "JPEGImages"}
    masks = {"folder": root / "masks", "VOC": root / "SegmentationClass"}
    samples = []
    for index, sample in zip(part.indices, part, strict=True):
        path = source.folder / "JPEGImages" / f"{source.photos[index]}.jpg"
        link(path, photos[layout] / path.name)
        if not sample.tags.any() and sample.mask is not None:
            # COCO can say 255 only of an object, and there is none
            sample = replace(sample, mask=np.zeros_like(sample.mask))
        samples.append((path.name, sample))
        if layout in masks and sample.mask is not None:
            write_mask(masks[layout] / f"{sample.name}.png", sample.mask)
    {"folder": write_folder, "COCO": write_coco, "VOC": write_voc}[layout](
        root, split, part.classes, samples
    )


def link(path: Path, new: Path) -> None:
    """A symbolic link, its folder made if need be."""
    new.parent.mkdir(parents=True, exist_ok=True)
    new.symlink_to(path.resolve())


def names_of(sample, classes: tuple[str, ...]) -> list[str]:
    """Tags of a sample."""
    return [classes[int(k)] for k in np.flatnonzero(sample.tags)]


def write_folder(root: Path, split: str, classes, samples) -> None:
    """Rows of ``tags.csv``."""
    table = root / "tags.csv"
    rows = [] if table.exists() else ["photo,tags,split"]
    for name, sample in samples:
        rows.append(f"photos/{name},{'|'.join(names_of(sample, classes))},{split}")
    with table.open("a") as file:
        file.write("\n".join(rows) + "\n")


def write_voc(root: Path, split: str, classes, samples) -> None:
    """Annotations and the list of the split."""
    for _, sample in samples:
        path = root / "Annotations" / f"{sample.name}.xml"
        write_annotation(path, names_of(sample, classes))
    path = root / "ImageSets" / "Segmentation" / f"{split}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(sample.name for _, sample in samples) + "\n")


def write_coco(root: Path, split: str, classes, samples) -> None:
    """One index, run lengths per class; what nobody labelled is a crowd, as in COCO."""
    images, entries = [], []
    for number, (name, sample) in enumerate(samples, 1):
        height, width = sample.image.shape[:2]
        images.append(dict(id=number, file_name=name, height=height, width=width))
        for k in np.flatnonzero(sample.tags).tolist():
            areas = [(0, sample.mask == k + 1)]
            if k == np.flatnonzero(sample.tags)[0]:
                areas.append((1, sample.mask == 255))
            for crowd, area in areas:
                runs = rle.encode(np.asfortranarray(area.astype(np.uint8)))
                runs["counts"] = runs["counts"].decode()
                entries.append(
                    dict(id=len(entries) + 1, image_id=number, category_id=k + 1,
                         iscrowd=crowd, segmentation=runs, area=int(area.sum()))
                )  # fmt: skip
    categories = [dict(id=k, name=name) for k, name in enumerate(classes, 1)]
    content = dict(images=images, annotations=entries, categories=categories)
    write_json(root / "annotations" / f"instances_{split}.json", content)


if __name__ == "__main__":
    main()
