"""``make-labels``: photos to CAMs and masks."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import Annotated, Literal

from weaktr_core.commands.common import (
    CRF_NAMES,
    UsageError,
    add_command,
    add_run_arguments,
    crf_settings,
    log,
    open_run,
    spare_masks,
    views_of,
)
from weaktr_core.config import CamConfig
from weaktr_core.schema import Range, Share, argument


def add_make_labels(commands) -> None:
    """``make-labels``."""
    command = add_command(
        commands,
        "make-labels",
        make_labels_command,
        "Write CAMs and pseudo-masks of tagged images.",
        "The tags decide which classes a mask may have. Writes cams/NAME.npz, "
        "masks/NAME.png for train-seg, sheet.jpg to look at, and labels.json, which says "
        "what was chosen. Interrupted, it continues where it stopped. What review was told "
        "of a photo counts: its tags, its own background score, its point.",
        ["build/runs/laptop", "RUN --crf none --threshold 0.4"],
    )
    add_run_arguments(command, "train", "train-cam")
    command.add_argument("--out", help="folder to write; default: RUN/labels")
    command.add_argument(
        "--cams",
        help="folder of CAM files, to reuse those of an earlier call; default: OUT/cams",
    )
    command.add_argument(
        "--threshold",
        type=argument(Literal["otsu", "peek"] | Share),
        default="otsu",
        help="background score: 'otsu' (from the scores alone), 'peek' (the best one "
        "against the true masks) or a number",
    )
    command.add_argument(
        "--crf",
        default="auto",
        choices=["auto", "none", *CRF_NAMES],
        help="let the photo's edges correct the masks, with published settings; auto: "
        "voc-cam if pydensecrf2 is installed",
    )
    command.add_argument(
        "--ignore-band",
        type=argument(Annotated[float, Range(0, 0.5)]),
        default=0.0,
        help="label with threshold - BAND and + BAND, write 255 where they differ",
    )


def make_labels_command(arguments: argparse.Namespace) -> None:
    """CAM files, palette masks, an overview sheet, and scores where masks exist."""
    from weaktr_core.data.retagged import DECISIONS, read_decisions
    from weaktr_core.labels.making import fingerprint, make_cams, make_masks
    from weaktr_core.labels.recipe import LabelRecipe
    from weaktr_core.networks.inference import fast_inference
    from weaktr_core.runtime import is_first, locked
    from weaktr_core.scores.labels import measure_masks

    model, config, data = open_run(arguments)
    if not isinstance(config, CamConfig):
        raise UsageError(f"{arguments.run}: a segmentation network makes no CAMs")
    out = Path(arguments.out or Path(arguments.run) / "labels")
    masks = spare_masks(out / "masks", arguments.data, "cams", "labels.json")
    cams = Path(arguments.cams or out / "cams")
    crf, views = crf_settings(arguments.crf, "voc-cam"), views_of(arguments, config)
    with locked(out):
        with fast_inference(model, config.precision):
            make_cams(model, data, cams, views=views, eval_size=config.eval_size)
        threshold = choose_threshold(arguments.threshold, data, cams)
        recipe = LabelRecipe(threshold, crf, arguments.ignore_band)
        (out / "labels.json").unlink(missing_ok=True)  # of other masks
        said = read_decisions(Path(arguments.run) / DECISIONS, data.classes)
        make_masks(data, cams, masks, recipe, said=said)
        if is_first():
            write_overview(data, out)
            matrix = measure_masks(data, masks)
            made = dict(network=fingerprint(model), scales=[*{v.scale: 0 for v in views}])
            write_label_scores(out, recipe, arguments.threshold, matrix, made)


def choose_threshold(wanted: str | float, data, cams: Path) -> float:
    """A number as it is; 'otsu' and 'peek' computed, and said what they are."""
    from weaktr_core.labels.files import read_cams
    from weaktr_core.labels.recipe import label_free_threshold
    from weaktr_core.scores.labels import sweep_cams

    if wanted == "peek":
        sweep = sweep_cams(data, cams)
        if sweep is None:
            raise UsageError(
                "--threshold peek: no mask of this data shows a class; doctor says more"
            )
        return float(sweep.thresholds[sweep.best])
    if wanted == "otsu":
        return label_free_threshold(scores for scores, _ in read_cams(data, cams))
    return float(wanted)


def write_overview(data, out: Path) -> None:
    """The first photos and their masks as one picture."""
    from weaktr_core.data.files import read_mask
    from weaktr_core.data.sample import without_masks
    from weaktr_core.figures.sheet import save_sheet

    samples = itertools.islice(without_masks(data), 24)
    pairs = ((s.image, read_mask(out / "masks" / f"{s.name}.png")) for s in samples)
    save_sheet(pairs, out / "sheet.jpg")


def write_label_scores(out: Path, recipe, chosen: str | float, matrix, made: dict) -> None:
    """Say what was made and how good it is; labels.json keeps it."""
    from dataclasses import asdict

    from weaktr_core.runtime import write_json

    values = dict(chosen=chosen, **asdict(recipe), **made)
    values["miou"] = None if matrix is None else matrix.miou
    write_json(out / "labels.json", values)
    crf = "no CRF" if recipe.crf is None else "CRF"
    line = f"threshold {recipe.threshold:.3f} ({chosen}), {crf}"
    if matrix is not None:
        line += f", mIoU {100 * matrix.miou:.1f} % against the true masks"
    else:
        line += ", not measured: no true mask shows a class"
    sys.stdout.write(f"{line}\n")
    log(f"done: {out / 'masks'}, overview {out / 'sheet.jpg'}")
