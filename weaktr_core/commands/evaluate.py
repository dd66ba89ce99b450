"""``evaluate``: scores of either network."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from weaktr_core.commands.common import (
    CRF_NAMES,
    add_command,
    add_run_arguments,
    crf_settings,
    log,
    open_run,
    spare_masks,
    views_of,
)


def add_evaluate(commands) -> None:
    """``evaluate``."""
    command = add_command(
        commands,
        "evaluate",
        evaluate_command,
        "Score a run of either step against true masks.",
        "For train-cam's networks: average precision of the tags and mIoU of the maps of "
        "every stage, at the best threshold and at the run's own: choosing the best peeks "
        "at masks. For train-seg's: mIoU and pixel accuracy of the predictions, and a "
        "picture of what is taken for what.",
        [
            "build/runs/laptop --split test",
            "build/runs/laptop-seg --crf voc-seg --masks predictions",
        ],
    )
    add_run_arguments(command, "val", "train-cam or train-seg")
    command.add_argument("--json", help="also write the scores here")
    only = "of train-seg's networks only: "
    command.add_argument(
        "--crf", choices=["none", *CRF_NAMES], default="none", help=only + "refine with it"
    )
    command.add_argument(
        "--ensemble",
        action="store_true",
        help=only + "average both decoder blocks, as the official evaluation does",
    )
    command.add_argument(
        "--masks",
        help=only + "write palette PNGs to this folder, as VOC's test server takes them",
    )


def evaluate_command(arguments: argparse.Namespace) -> None:
    """Score whichever network the run trained."""
    from weaktr_core.train.runs import Run

    if Run(arguments.run).config.get("step") == 2:
        evaluate_seg_command(arguments)
    else:
        evaluate_cam_command(arguments)


def evaluate_cam_command(arguments: argparse.Namespace) -> None:
    """CAM network: AP, mIoU of each stage and, if asked, JSON."""
    from weaktr_core.networks.inference import fast_inference
    from weaktr_core.runtime import is_first, write_json
    from weaktr_core.scores.cams import (
        evaluate_cams,
        scores_as_json,
        scores_as_text,
    )

    model, config, data = open_run(arguments)
    with fast_inference(model, config.precision):
        scores = evaluate_cams(
            model,
            data,
            views=views_of(arguments, config),
            eval_size=config.eval_size,
            batch_size=16,
        )
    if not is_first():  # of several processes
        return
    sys.stdout.write(scores_as_text(scores, data.classes, config.threshold) + "\n")
    if arguments.json:
        values = scores_as_json(scores, data.classes, config.threshold)
        write_json(Path(arguments.json), values)


def evaluate_seg_command(arguments: argparse.Namespace) -> None:
    """Segmentation network: table, JSON, masks, and a picture of what is confused."""
    from weaktr_core.figures.segmentation import save_confusion
    from weaktr_core.networks.inference import fast_inference
    from weaktr_core.runtime import is_first, write_json
    from weaktr_core.scores.masks import evaluate_segmenter

    model, config, data = open_run(arguments)
    masks = arguments.masks and spare_masks(Path(arguments.masks), arguments.data)
    ratios = tuple(arguments.scales or config.eval_ratios)
    views = views_of(arguments, config)
    with fast_inference(model, config.precision):
        scores = evaluate_segmenter(
            model,
            data,
            views=views,
            short_side=config.short_side,
            window=config.window,
            stride=config.stride,
            use_ensemble=arguments.ensemble,
            crf=crf_settings(arguments.crf),
            folder=masks,
            batch_size=16,
        )
    if not is_first():
        return
    if scores is None:
        sys.stdout.write("no mask shows a class: nothing was measured\n")
        return
    how = dict(ratios=ratios, ensemble=arguments.ensemble, crf=arguments.crf)
    sys.stdout.write(f"{scores.as_text()}\n{how}\n")
    picture = Path(arguments.run) / f"confusion-{arguments.split}.png"
    save_confusion(scores.matrix.counts, ["background", *data.classes], picture)
    log(f"what is taken for what: {picture}")
    if arguments.json:
        write_json(Path(arguments.json), {**scores.as_json(), **how})
