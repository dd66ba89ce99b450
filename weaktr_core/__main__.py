"""The command line: ``python -m weaktr_core COMMAND --help``."""

from __future__ import annotations

import argparse
import ast
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from weaktr_core.config import (
    PRESETS,
    SEG_PRESETS,
    CamConfig,
    SegConfig,
    preset,
    seg_preset,
)

EPILOG = """\
From tags to masks:
  python -m weaktr_core doctor    FOLDER                   is the data in order?
  python -m weaktr_core train-cam --data FOLDER --run RUN  learn from image tags
  python -m weaktr_core make-labels RUN                    photos -> CAMs and masks
  python -m weaktr_core train-seg --labels RUN/labels/masks --run RUN2
                                                           learn from those masks
  python -m weaktr_core evaluate  RUN                      how good, against true masks

FOLDER is laid out like VOC 2012 or COCO. Without --data the built-in generated scenes
are used, so everything can be tried at once, without a download.
"""


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 if all went well, 1 with one line on stderr if not."""
    arguments = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for noisy in ("timm", "matplotlib", "accelerate"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        arguments.run_command(arguments)
    except KeyboardInterrupt:
        complain("interrupted; finished epochs and files are kept, --resume continues")
        return 130
    except known_errors() as error:
        complain(str(error))
        return 1
    return 0


def complain(message: str) -> None:
    """One clear line for the user."""
    sys.stderr.write(f"weaktr: {message}\n")


def known_errors() -> tuple[type[Exception], ...]:
    """Errors whose text is meant for the user; anything else is a bug and traced."""
    from weaktr_core.checkpoints import CheckpointError
    from weaktr_core.crf import CrfUnavailableError
    from weaktr_core.data import DataError
    from weaktr_core.pretrained import WeightsUnavailableError
    from weaktr_core.runs import RunError

    return (
        CheckpointError,
        CrfUnavailableError,
        DataError,
        RunError,
        WeightsUnavailableError,
        FloatingPointError,
        UsageError,
    )


class UsageError(Exception):
    """A request that cannot be met: one line."""


def build_parser() -> argparse.ArgumentParser:
    """All commands."""
    parser = argparse.ArgumentParser(
        prog="python -m weaktr_core",
        description="WeakTr: pixel masks from image tags.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_train_cam(commands)
    add_make_labels(commands)
    add_train_seg(commands)
    add_evaluate(commands)
    add_doctor(commands)
    return parser


def add_command(commands, name: str, function, summary: str, details: str):
    """A subcommand whose help shows its defaults."""
    command = commands.add_parser(
        name,
        help=summary,
        description=f"{summary} {details}",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    command.set_defaults(run_command=function)
    return command


def add_train_cam(commands) -> None:
    """``train-cam``."""
    command = add_command(
        commands,
        "train-cam",
        train_cam_command,
        "Train the CAM network on image tags.",
        "No mask is read for training. Where the validation images have masks, the "
        "maps are measured with them after each epoch.",
    )
    add_training_arguments(command, "build/runs/laptop", PRESETS)


def add_training_arguments(command, run: str, presets: dict) -> None:
    """What both training commands share."""
    command.add_argument("--run", default=run, help="folder to write")
    command.add_argument("--data", default="scenes", help="folder, or 'scenes'")
    command.add_argument("--split", default="train", help="images to train on")
    command.add_argument("--val", default="val", help="images to measure with")
    command.add_argument(
        "--preset",
        choices=[*presets],
        help="settings to start from; default: laptop for scenes, photos for a folder",
    )
    command.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="change settings, e.g. epochs=10 img_size=224; a wrong name lists all",
    )
    command.add_argument("--resume", action="store_true", help="continue the run")


def train_cam_command(arguments: argparse.Namespace) -> None:
    """Train, and say where the result is."""
    from weaktr_core.training_cam import train_cam

    config = configure(preset, arguments)
    train, val = open_training_data(arguments, config.img_size)
    about = dict(data=arguments.data, split=arguments.split, val=arguments.val)
    run = train_cam(config, train, val, arguments.run, resume=arguments.resume, about=about)
    log(f"done: {run.best}")


def open_training_data(arguments: argparse.Namespace, scene_size: int):
    """The images to train on and those to measure with, and a line that says so."""
    train = open_data(arguments.data, arguments.split, scene_size)
    val = open_data(arguments.data, arguments.val, scene_size)
    log(f"{len(train)} images to train on, {len(val)} to measure with, "
        f"{len(train.classes)} classes")  # fmt: skip
    return train, val


def open_data(where: str, split: str, scene_size: int):
    """A dataset; built-in scenes at the size that the settings ask for."""
    from weaktr_core.data import open_dataset

    size = {"size": scene_size} if is_scenes(where) else {}
    return open_dataset(where, split, **size)


def is_scenes(where: str) -> bool:
    """Whether the built-in scenes are meant."""
    return where.partition(":")[0] == "scenes"


def configure(make: Callable[..., Any], arguments: argparse.Namespace) -> Any:
    """The preset asked for, or the one that fits the data, with ``--set`` applied."""
    name = arguments.preset or ("laptop" if is_scenes(arguments.data) else "photos")
    try:
        return make(name, **dict(parse_setting(text) for text in arguments.set))
    except ValueError as error:
        raise UsageError(f"--set: {error}") from None


def parse_setting(text: str) -> tuple[str, Any]:
    """``name=value`` with Python literals; anything else is a string."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set wants NAME=VALUE, got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def add_run_arguments(command, split: str) -> None:
    """What every command that uses a trained run shares."""
    command.add_argument("run", help="folder written by train-cam")
    command.add_argument("--data", help="folder or 'scenes'; default: the run's own")
    command.add_argument("--split", default=split, help="which images")
    command.add_argument(
        "--scales", nargs="+", type=float, help="default: the run's setting"
    )


def add_make_labels(commands) -> None:
    """``make-labels``."""
    command = add_command(
        commands,
        "make-labels",
        make_labels_command,
        "Write CAMs and pseudo-masks of tagged images.",
        "Interrupted, it continues where it stopped.",
    )
    add_run_arguments(command, "train")
    command.add_argument("--out", help="folder to write; default: RUN/labels")
    command.add_argument(
        "--threshold",
        default="otsu",
        help="background score: 'otsu' (from the scores alone), 'peek' (the best one "
        "against the true masks) or a number",
    )
    command.add_argument(
        "--crf",
        default="voc-cam",
        choices=["none", *CRF_NAMES],
        help="published settings to refine with; none to leave it",
    )
    command.add_argument(
        "--ignore-band",
        type=float,
        default=0.0,
        help="label with threshold - BAND and + BAND, write 255 where they differ",
    )


CRF_NAMES = ("voc-cam", "coco-cam", "voc-seg", "coco-seg")  # of weaktr_core.crf


def make_labels_command(arguments: argparse.Namespace) -> None:
    """CAM files, palette masks, an overview sheet, and scores where masks exist."""
    from weaktr_core.pseudo_labels import LabelRecipe, make_cams, make_masks

    model, config, data, statistics = open_run(arguments)
    out = Path(arguments.out or Path(arguments.run) / "labels")
    crf = crf_settings(arguments.crf)
    make_cams(
        model,
        data,
        statistics,
        out / "cams",
        views=views_of(arguments, config),
        eval_size=config.eval_size,
    )
    threshold = choose_threshold(arguments.threshold, data, out / "cams")
    recipe = LabelRecipe(threshold, crf, arguments.ignore_band)
    matrix = make_masks(data, out / "cams", out / "masks", recipe)
    write_label_scores(out, recipe, arguments.threshold, matrix)


def crf_settings(name: str):
    """Published settings by name; complains at once where the library is missing."""
    from weaktr_core.crf import CRF_PRESETS, require_crf

    if name == "none":
        return None
    require_crf()
    return CRF_PRESETS[name]


def choose_threshold(wanted: str, data, cams: Path) -> float:
    """A number as it is; 'otsu' and 'peek' computed, and said what they are."""
    from weaktr_core.pseudo_labels import label_free_threshold, read_cams, sweep_cams

    if wanted == "peek":
        sweep = sweep_cams(data, cams)
        if sweep is None:
            raise UsageError("--threshold peek: this data has no masks to peek at")
        return float(sweep.thresholds[sweep.best])
    if wanted == "otsu":
        return label_free_threshold(scores for scores, _ in read_cams(data, cams))
    try:
        return float(wanted)
    except ValueError:
        raise UsageError(
            f"--threshold is 'otsu', 'peek' or a number, got {wanted!r}"
        ) from None


def write_label_scores(out: Path, recipe, chosen: str, matrix) -> None:
    """Say what was made and how good it is; labels.json keeps it."""
    from dataclasses import asdict

    from weaktr_core.runtime import write_json

    values = dict(chosen=chosen, **asdict(recipe))
    values["miou"] = None if matrix is None else matrix.miou
    write_json(out / "labels.json", values)
    crf = "no CRF" if recipe.crf is None else "CRF"
    line = f"threshold {recipe.threshold:.3f} ({chosen}), {crf}"
    if matrix is not None:
        line += f", mIoU {100 * matrix.miou:.1f} % against the true masks"
    sys.stdout.write(f"{line}\n")
    log(f"done: {out / 'masks'}, overview {out / 'sheet.jpg'}")


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
    )
    command.add_argument(
        "--labels",
        required=True,
        help="folder of masks from make-labels; 'true' for the data's own (upper bound)",
    )
    add_training_arguments(command, "build/runs/laptop-seg", SEG_PRESETS)


def train_seg_command(arguments: argparse.Namespace) -> None:
    """Train, and say where the result is."""
    from weaktr_core.data.masked import Relabelled
    from weaktr_core.training_seg import train_seg

    config = configure(seg_preset, arguments)
    train, val = open_training_data(arguments, config.img_size)
    if arguments.labels != "true":
        train = Relabelled(train, arguments.labels)
    keys = ("data", "split", "val", "labels")
    about = {key: getattr(arguments, key) for key in keys}
    run = train_seg(config, train, val, arguments.run, resume=arguments.resume, about=about)
    log(f"done: {run.best}")


def add_evaluate(commands) -> None:
    """``evaluate``."""
    command = add_command(
        commands,
        "evaluate",
        evaluate_command,
        "Score a run: AP of the tags, mIoU of every stage.",
        "mIoU is swept over all thresholds and the best is shown beside the run's own: "
        "choosing the best peeks at masks.",
    )
    add_run_arguments(command, "val")
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
    command.add_argument("--masks", help=only + "write palette PNGs to this folder")


def evaluate_command(arguments: argparse.Namespace) -> None:
    """Score whichever network the run trained."""
    from weaktr_core.runs import Run

    if Run(arguments.run).config.get("step") == 2:
        evaluate_seg_command(arguments)
    else:
        evaluate_cam_command(arguments)


def evaluate_seg_command(arguments: argparse.Namespace) -> None:
    """Segmentation network: table, JSON, masks, and a picture of what is confused."""
    from weaktr_core.evaluation_seg import evaluate_segmenter
    from weaktr_core.figures.segmentation import save_confusion
    from weaktr_core.runtime import write_json

    model, config, data, statistics = open_run(arguments)
    ratios = tuple(arguments.scales or config.eval_ratios)
    views = views_of(arguments, config)
    scores = evaluate_segmenter(
        model,
        data,
        statistics,
        views=views,
        short_side=config.short_side,
        window=config.window,
        stride=config.stride,
        use_ensemble=arguments.ensemble,
        crf=crf_settings(arguments.crf),
        folder=Path(arguments.masks) if arguments.masks else None,
        batch_size=16,
    )
    if scores is None:
        sys.stdout.write("no masks: nothing was measured\n")
        return
    how = dict(ratios=ratios, ensemble=arguments.ensemble, crf=arguments.crf)
    sys.stdout.write(f"{scores.as_text()}\n{how}\n")
    picture = Path(arguments.run) / f"confusion-{arguments.split}.png"
    save_confusion(scores.matrix.counts, ["background", *data.classes], picture)
    log(f"what is taken for what: {picture}")
    if arguments.json:
        write_json(Path(arguments.json), {**scores.as_json(), **how})


def evaluate_cam_command(arguments: argparse.Namespace) -> None:
    """CAM network: AP, mIoU of each stage and, if asked, JSON."""
    from weaktr_core.evaluation import (
        evaluate_cams,
        scores_as_json,
        scores_as_text,
    )
    from weaktr_core.runtime import write_json

    model, config, data, statistics = open_run(arguments)
    scores = evaluate_cams(
        model,
        data,
        statistics,
        views=views_of(arguments, config),
        eval_size=config.eval_size,
        batch_size=16 if config.eval_size is None else 1,
    )
    sys.stdout.write(scores_as_text(scores, data.classes, config.threshold) + "\n")
    if arguments.json:
        values = scores_as_json(scores, data.classes, config.threshold)
        write_json(Path(arguments.json), values)


def add_doctor(commands) -> None:
    """``doctor``."""
    command = add_command(
        commands,
        "doctor",
        doctor_command,
        "Look through a dataset and report what is in it and what is wrong.",
        "Exit code 1 where something is wrong.",
    )
    command.add_argument("data", help="folder, or 'scenes'")
    command.add_argument("--split", default="train", help="which images")
    command.add_argument("--limit", type=int, help="look at the first LIMIT only")


def doctor_command(arguments: argparse.Namespace) -> None:
    """Print the report."""
    from weaktr_core.data import open_dataset
    from weaktr_core.data.doctor import examine

    report = examine(open_dataset(arguments.data, arguments.split), arguments.limit)
    sys.stdout.write(report.text() + "\n")
    if not report.ready:
        raise UsageError(f"{arguments.data}: {report.verdict}")


def open_run(arguments: argparse.Namespace) -> tuple[Any, Any, Any, Any]:
    """Model, settings, dataset and input statistics of a run of either step."""
    from weaktr_core.checkpoints import CheckpointError, load_checkpoint, load_segmenter
    from weaktr_core.pretrained import normalisation
    from weaktr_core.runs import Run
    from weaktr_core.runtime import default_device

    run = Run(arguments.run)
    settings = run.config
    is_seg = settings.get("step") == 2
    config = (SegConfig if is_seg else CamConfig).from_dict(settings)
    model: Any = (load_segmenter if is_seg else load_checkpoint)(run.best)
    data = open_data(arguments.data or settings["data"], arguments.split, config.img_size)
    if list(data.classes) != model.notes["classes"]:
        raise CheckpointError(
            f"{arguments.run}: trained on {len(model.notes['classes'])} classes "
            f"({model.notes['classes'][0]}, …), the data has {len(data.classes)} "
            f"({data.classes[0]}, …)"
        )
    return model.to(default_device()), config, data, normalisation(config.backbone)


def views_of(arguments: argparse.Namespace, config: CamConfig | SegConfig):
    """Scales asked for, or those of the run; each also mirrored."""
    from weaktr_core.inference import make_views

    scales = config.eval_ratios if isinstance(config, SegConfig) else config.scales
    return make_views(arguments.scales or scales)


def log(message: str) -> None:
    """Progress for the user, on stderr so that stdout holds results only."""
    logging.getLogger("weaktr").info(message)


if __name__ == "__main__":
    sys.exit(main())
