"""The command line: ``python -m weaktr_core COMMAND --help``."""

from __future__ import annotations

import argparse
import ast
import logging
import sys
from pathlib import Path
from typing import Any

from weaktr_core.config import PRESETS, CamConfig, preset

EPILOG = """\
From tags to masks:
  python -m weaktr_core doctor    FOLDER                   is the data in order?
  python -m weaktr_core train-cam --data FOLDER --run RUN  learn from image tags
  python -m weaktr_core make-labels RUN                    photos -> CAMs and masks
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
    from weaktr_core.data import DataError
    from weaktr_core.pretrained import WeightsUnavailableError
    from weaktr_core.runs import RunError

    return (
        CheckpointError,
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
    command.add_argument("--run", default="build/runs/laptop", help="folder to write")
    command.add_argument("--data", default="scenes", help="folder, or 'scenes'")
    command.add_argument("--split", default="train", help="images to train on")
    command.add_argument("--val", default="val", help="images to measure with")
    command.add_argument(
        "--preset",
        choices=[*PRESETS],
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
    from weaktr_core.data import open_dataset
    from weaktr_core.training import train_cam

    scenes = arguments.data.partition(":")[0] == "scenes"
    config = configure(arguments.preset or ("laptop" if scenes else "photos"), arguments)
    size = {"size": config.img_size} if scenes else {}
    train = open_dataset(arguments.data, arguments.split, **size)
    val = open_dataset(arguments.data, arguments.val, **size)
    about = dict(data=arguments.data, split=arguments.split, val=arguments.val)
    log(f"{len(train)} images to train on, {len(val)} to measure with, "
        f"{len(train.classes)} classes")  # fmt: skip
    run = train_cam(config, train, val, arguments.run, resume=arguments.resume, about=about)
    log(f"done: {run.best}")


def configure(name: str, arguments: argparse.Namespace) -> CamConfig:
    """The preset with ``--set`` applied."""
    try:
        return preset(name, **dict(parse_setting(text) for text in arguments.set))
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
        "--threshold", type=float, help="background score; default: the run's setting"
    )


def make_labels_command(arguments: argparse.Namespace) -> None:
    """CAM files, palette masks and an overview sheet."""
    from weaktr_core.pseudo_labels import make_cams, make_masks

    model, config, data, statistics = open_run(arguments)
    out = Path(arguments.out or Path(arguments.run) / "labels")
    make_cams(
        model,
        data,
        statistics,
        out / "cams",
        views=views_of(arguments, config),
        eval_size=config.eval_size,
    )
    threshold = config.threshold if arguments.threshold is None else arguments.threshold
    make_masks(data, out / "cams", out / "masks", threshold)
    log(f"done: {out / 'masks'} (threshold {threshold})")


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


def evaluate_command(arguments: argparse.Namespace) -> None:
    """Print a table and, if asked, write JSON."""
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


def open_run(arguments: argparse.Namespace):
    """Model, settings, dataset and input statistics of a run."""
    from weaktr_core.checkpoints import CheckpointError, load_checkpoint
    from weaktr_core.data import open_dataset
    from weaktr_core.pretrained import normalisation
    from weaktr_core.runs import Run
    from weaktr_core.runtime import default_device

    run = Run(arguments.run)
    settings = run.config
    names = CamConfig.__dataclass_fields__
    config = CamConfig.from_dict({k: v for k, v in settings.items() if k in names})
    model = load_checkpoint(run.best).to(default_device())
    where = arguments.data or settings["data"]
    scenes = where.partition(":")[0] == "scenes"
    size = {"size": config.img_size} if scenes else {}
    data = open_dataset(where, arguments.split, **size)
    if list(data.classes) != model.notes["classes"]:
        raise CheckpointError(
            f"{arguments.run}: trained on {len(model.notes['classes'])} classes "
            f"({model.notes['classes'][0]}, …), the data has {len(data.classes)} "
            f"({data.classes[0]}, …)"
        )
    return model, config, data, normalisation(config.backbone)


def views_of(arguments: argparse.Namespace, config: CamConfig):
    """Scales asked for, or those of the run; each also mirrored."""
    from weaktr_core.inference import make_views

    return make_views(arguments.scales or config.scales)


def log(message: str) -> None:
    """Progress for the user, on stderr so that stdout holds results only."""
    logging.getLogger("weaktr").info(message)


if __name__ == "__main__":
    sys.exit(main())
