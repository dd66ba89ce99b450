"""``train-cam`` and ``train-seg``."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from weaktr_core.commands.common import (
    DATA_HELP,
    UsageError,
    add_command,
    is_scenes,
    log,
    open_data,
    parse_setting,
)
from weaktr_core.config import PRESETS, SEG_PRESETS, preset, seg_preset


def add_train_cam(commands) -> None:
    """``train-cam``."""
    command = add_command(
        commands,
        "train-cam",
        train_cam_command,
        "Train the CAM network on image tags.",
        "No mask is read for training. Where the validation images have masks, the "
        "maps are measured with them as the training goes on. RUN gets config.json, "
        "history.jsonl (a line per epoch), the checkpoints best and last and report.html.",
        [
            "--preset smoke --run build/runs/try   # seconds, means nothing",
            "                                      # generated scenes, minutes",
            "--data my_photos --run my_run --set epochs=30 img_size=224",
        ],
    )
    add_training_arguments(command, "build/runs/laptop", PRESETS)


def train_cam_command(arguments: argparse.Namespace) -> None:
    """Train, and say where the result is."""
    from weaktr_core.train.cam import train_cam

    config = configure(preset, arguments)
    train, val = open_training_data(arguments, config.img_size)
    about = about_data(arguments)
    run = train_cam(config, train, val, arguments.run, resume=arguments.resume, about=about)
    finish(run, val, arguments)


def add_train_seg(commands) -> None:
    """``train-seg``."""
    command = add_command(
        commands,
        "train-seg",
        train_seg_command,
        "Train a segmentation network on pseudo-masks.",
        "It learns from the masks in --labels only. The true masks of the validation "
        "images, where there are some, pick the best epoch: that peeks; the last epoch "
        "is kept too.",
        ["--labels my_run/labels/masks --data my_photos --run my_run_2"],
    )
    command.add_argument(
        "--labels",
        required=True,
        help="folder of masks from make-labels, usually RUN/labels/masks; 'true' for the "
        "data's own (upper bound)",
    )
    add_training_arguments(command, "build/runs/laptop-seg", SEG_PRESETS)


def train_seg_command(arguments: argparse.Namespace) -> None:
    """Train, and say where the result is."""
    from weaktr_core.data.masked import Relabelled
    from weaktr_core.train.seg import train_seg

    config = configure(seg_preset, arguments)
    train, val = open_training_data(arguments, config.img_size)
    if arguments.labels != "true":
        train = Relabelled(train, arguments.labels)
    about = {**about_data(arguments), "labels": whole_path(arguments.labels)}
    run = train_seg(config, train, val, arguments.run, resume=arguments.resume, about=about)
    finish(run, val, arguments)


def add_training_arguments(command, run: str, presets: dict) -> None:
    """What both training commands share."""
    command.add_argument("--run", default=run, help="folder to write")
    command.add_argument("--data", default="scenes", help=DATA_HELP)
    command.add_argument("--split", default="train", help="images to train on")
    command.add_argument("--val", default="val", help="images to measure with")
    command.add_argument(
        "--preset",
        choices=[*presets],
        help="settings to start from. smoke: random weights, seconds, to try the path; "
        "laptop: scenes, minutes; photos: a folder of some hundred photos, adapters; colab: one "
        "GPU; voc12, coco14: the published schedules. Default: laptop for scenes, photos "
        "for a folder",
    )
    command.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="change settings of the preset; a wrong name lists them all",
    )
    command.add_argument("--open", action="store_true", help="show the report at the end")
    command.add_argument(
        "--resume", action="store_true", help="continue a run that was interrupted"
    )


def finish(run, val, arguments: argparse.Namespace) -> None:
    """The report, by one process; what hinders it takes nothing from the training."""
    from weaktr_core.commands.report import report_run
    from weaktr_core.errors import WeakTrError
    from weaktr_core.runtime import is_first

    if not is_first():
        return
    log(f"done: {run.best}")
    try:
        report_run(run, val, show=arguments.open)
    except WeakTrError as error:
        log(f"no report: {error}")


def about_data(arguments: argparse.Namespace) -> dict[str, str]:
    """What a run is told of its data: whole paths, the same from any folder."""
    where = arguments.data if is_scenes(arguments.data) else whole_path(arguments.data)
    return dict(data=where, split=arguments.split, val=arguments.val)


def whole_path(where: str) -> str:
    """The whole path of a folder; "true" of ``--labels`` is none."""
    return where if where == "true" else str(Path(where).expanduser().resolve())


def open_training_data(arguments: argparse.Namespace, scene_size: int):
    """The images to train on and those to measure with, and a line that says so."""
    from weaktr_core.data.files import shorten
    from weaktr_core.runtime import is_first

    train = open_data(arguments.data, arguments.split, scene_size)
    val = open_data(arguments.data, arguments.val, scene_size)
    if train.classes != val.classes:
        ours, theirs = (shorten(it.classes, 4) for it in (train, val))
        raise UsageError(
            f"{arguments.data}: expected the same classes in {arguments.split} and "
            f"{arguments.val}, came {ours} and {theirs}"
        )
    if is_first():
        log(f"{len(train)} images to train on, {len(val)} to measure with, "
            f"{len(train.classes)} classes")  # fmt: skip
    return train, val


def configure(make: Callable[..., Any], arguments: argparse.Namespace) -> Any:
    """The preset asked for, or the one that fits the data, with ``--set`` applied."""
    name = arguments.preset or ("laptop" if is_scenes(arguments.data) else "photos")
    try:
        config = make(name, **dict(parse_setting(text) for text in arguments.set))
    except ValueError as error:
        raise UsageError(f"--set: {error}") from None
    check_backbone(config.backbone)
    return config


def check_backbone(name: str) -> None:
    """Complain about a name that timm lacks, or that is no plain ViT, before any work."""
    import timm

    from weaktr_core.networks.pretrained import ALIASES

    base = ALIASES.get(name, name).partition(".")[0]
    families = ("vision_transformer", "eva", "deit")
    known = [it for family in families for it in timm.list_models(module=family)]
    if base not in known:
        near = difflib.get_close_matches(base, known, 3) or ["dinov2-s", "deit-s", "vit-s"]
        raise UsageError(
            f"--set backbone: expected a ViT of timm, such as {', '.join(near)}, "
            f"came {name!r}"
        )
