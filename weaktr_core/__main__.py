"""The command line: ``python -m weaktr_core COMMAND --help``."""

from __future__ import annotations

import argparse
import logging
import sys

from weaktr_core.commands.common import UsageError
from weaktr_core.commands.doctor import add_doctor
from weaktr_core.commands.evaluate import add_evaluate
from weaktr_core.commands.explore import add_explore
from weaktr_core.commands.labels import add_make_labels
from weaktr_core.commands.segment import add_segment
from weaktr_core.commands.train import add_train_cam, add_train_seg

EPILOG = """\
From tags to masks:
  python -m weaktr_core doctor    FOLDER                   is the data in order?
  python -m weaktr_core train-cam --data FOLDER --run RUN  learn from image tags
  python -m weaktr_core make-labels RUN                    photos -> CAMs and masks
  python -m weaktr_core train-seg --labels RUN/labels/masks --run RUN2
                                                           learn from those masks
  python -m weaktr_core evaluate  RUN                      how good, against true masks
  python -m weaktr_core segment   PHOTO --run RUN          masks of your own photos
  python -m weaktr_core explore   PHOTO                    what every head looks at

FOLDER holds photos and a table tags.csv (photo,tags,split), or is laid out like VOC 2012
or COCO. Without --data the built-in generated scenes are used, so everything can be tried
at once, without a download.
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
    from weaktr_core.data import DataError
    from weaktr_core.labels.crf import CrfUnavailableError
    from weaktr_core.networks.checkpoints import CheckpointError
    from weaktr_core.networks.pretrained import WeightsUnavailableError
    from weaktr_core.train.runs import RunError

    return (
        CheckpointError,
        CrfUnavailableError,
        DataError,
        RunError,
        WeightsUnavailableError,
        FloatingPointError,
        UsageError,
    )


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
    add_segment(commands)
    add_explore(commands)
    add_doctor(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
