"""``train-cam`` and ``train-seg``."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weaktr_core.commands.common import (
    DATA_HELP,
    UsageError,
    add_command,
    is_scenes,
    load_run,
    log,
    open_data,
    parse_setting,
    retag,
    reviewed_table,
)
from weaktr_core.config import PRESETS, SEG_PRESETS, CamConfig, preset, seg_preset

if TYPE_CHECKING:
    from weaktr_core.networks.cam import WeakTr
    from weaktr_core.train.runs import Run

SAMPLED = 25
"""Photos whose sizes are looked at before a training."""


def add_train_cam(commands) -> None:
    """``train-cam``."""
    command = add_command(
        commands,
        "train-cam",
        train_cam_command,
        "Train the CAM network on image tags.",
        "No mask is read for training. Where the validation images have masks, the "
        "maps are measured with them as the training goes on. Each epoch's line says how "
        "well the tags of these images are found, as average precision (AP) in %: by the "
        "patches (coarse_logits, which picks the best epoch), the class tokens "
        "(class_logits) and the maps (fine_logits). RUN gets config.json, history.jsonl "
        "(a line per epoch), the checkpoints best and last and report.html.",
        [
            "--preset smoke --run build/runs/try   # seconds, means nothing",
            "                                      # generated scenes, minutes",
            "--data my_photos --run my_run --set epochs=30 img_size=224",
            "--data my_photos --tags my_run/tags.csv --start my_run --run my_run_b",
        ],
    )
    add_training_arguments(command, "build/runs/laptop", PRESETS)


def train_cam_command(arguments: argparse.Namespace) -> None:
    """Train, and say where the result is."""
    from weaktr_core.train.cam import train_cam

    train_command(train_cam, configure(preset, arguments), arguments)


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
    from weaktr_core.train.seg import train_seg

    if arguments.labels != "true" and not arguments.tags:  # make-labels went by it, too
        labels = Path(whole_path(arguments.labels))
        arguments.tags = reviewed_table(labels.parent.parent)
    train_command(train_seg, configure(seg_preset, arguments), arguments)


def train_command(
    train_step: Callable[..., Run], config: Any, arguments: argparse.Namespace
) -> None:
    """Open the data, train, write the report."""
    from weaktr_core.data.masked import Relabelled
    from weaktr_core.runtime import is_first, write_json

    train, val = open_training_data(arguments, config.img_size)
    config = fitted(config, arguments, train)
    about = about_data(arguments)
    if about.get("labels", "true") != "true":
        train = Relabelled(train, arguments.labels)
    counts = count_tags(train) if is_first() else {}
    run = train_step(
        config,
        train,
        val,
        arguments.run,
        start=load_start(arguments.start, train.classes) if arguments.start else None,
        resume=arguments.resume,
        track=arguments.track,
        about=about,
    )
    if is_first():
        told = dict(photos=len(train), tag_counts=counts)  # for the card of an export
        write_json(run.folder / "config.json", run.config | told)
        finish(run, val, show=arguments.open)


def count_tags(train: Any) -> dict[str, int]:
    """Photos of each class; what such numbers cannot teach is said."""
    from weaktr_core.data.remarks import count_remarks
    from weaktr_core.train.cam import all_tags

    counts = all_tags(train).sum(dim=0).int().tolist()
    found = dict(zip(train.classes, counts, strict=True))
    for remark in count_remarks(found, len(train)):
        log(f"advice: {remark}")
    return found


def fitted(config: Any, arguments: argparse.Namespace, train: Any) -> Any:
    """Settings for the number and size of the photos, said with their reasons.

    What was asked for stays, and so do a preset that was named and a run that goes on.
    """
    from weaktr_core.data.remarks import advise_settings
    from weaktr_core.runtime import is_first
    from weaktr_core.train.runs import Run

    begun = arguments.resume and (Path(arguments.run) / "config.json").exists()
    asked = dict(parse_setting(text) for text in arguments.set)
    if is_scenes(arguments.data) or arguments.preset or not isinstance(config, CamConfig):
        return config
    if begun:
        return Run(arguments.run).settings.changed(**asked)
    some = range(0, len(train), max(1, len(train) // SAMPLED))
    sides = [min(train[index].image.shape[:2]) for index in some]
    for text, reason in advise_settings(len(train), sides, asked.get("img_size")):
        wanted = dict(parse_setting(part) for part in text.split())
        config = config.changed(**{k: v for k, v in wanted.items() if k not in asked})
        if is_first() and not wanted.keys() <= asked.keys():
            log(f"setting: {text}, {reason}")
    return config


def load_start(run: str, classes: Sequence[str]) -> WeakTr:
    """The CAM network of a run that knows these classes."""
    model, config = load_run(run)
    if not isinstance(config, CamConfig):
        raise UsageError(
            f"--start: expected a run of train-cam, came one of train-seg: {run}"
        )
    if model.notes["classes"] != list(classes):
        raise UsageError(f"--start {run}: that run knows other classes")
    return model.cpu()


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
        "laptop: scenes, minutes; photos: adapters, for a folder of some hundred photos; "
        "colab: one GPU; voc12, coco14: the published schedules. Default: laptop for "
        "scenes, photos for a folder",
    )
    command.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="change settings of the preset; a wrong name lists them all",
    )
    command.add_argument(
        "--tags", help="table of review, RUN/tags.csv, whose tags are taken instead"
    )
    command.add_argument(
        "--start",
        metavar="RUN",
        help="begin with what a run of train-cam has learned, of the same backbone and "
        "adapters: all of it or, for train-seg, its transformer; default: the backbone's "
        "own weights, as published",
    )
    command.add_argument(
        "--track",
        choices=["tensorboard", "wandb"],
        help="show losses and scores as they come; RUN/tensorboard or Weights & Biases",
    )
    command.add_argument("--open", action="store_true", help="show the report at the end")
    command.add_argument(
        "--resume", action="store_true", help="continue a run that was interrupted"
    )


def finish(run, val, show: bool) -> None:
    """The report; what hinders it takes nothing from the training."""
    from weaktr_core.commands.report import report_run
    from weaktr_core.errors import WeakTrError

    log(f"done: {run.best}")
    try:
        report_run(run, val, show=show)
    except WeakTrError as error:
        log(f"no report: {error}")


def about_data(arguments: argparse.Namespace) -> dict[str, str]:
    """What a run is told of its data: whole paths, the same from any folder."""
    where = arguments.data if is_scenes(arguments.data) else whole_path(arguments.data)
    told = dict(data=where, split=arguments.split, val=arguments.val)
    more = {name: getattr(arguments, name, None) for name in ("tags", "start", "labels")}
    return told | {name: whole_path(path) for name, path in more.items() if path}


def whole_path(where: str | Path) -> str:
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
    train, val = (retag(it, arguments.tags) for it in (train, val))
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
