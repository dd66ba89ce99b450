"""The command line: ``weaktr COMMAND --help``, or ``python -m weaktr_core``."""

from __future__ import annotations

import argparse
import io
import logging
import os
import signal
import sys

from weaktr_core.commands.common import Parser, UsageError
from weaktr_core.commands.doctor import add_doctor
from weaktr_core.commands.evaluate import add_evaluate
from weaktr_core.commands.explore import add_explore
from weaktr_core.commands.export import add_export
from weaktr_core.commands.labels import add_make_labels
from weaktr_core.commands.report import add_report
from weaktr_core.commands.review import add_review
from weaktr_core.commands.segment import add_segment
from weaktr_core.commands.train import add_train_cam, add_train_seg
from weaktr_core.errors import WeakTrError

EPILOG = """\
From tags to masks:
  weaktr doctor      FOLDER                     is the data in order?
  weaktr train-cam   --data FOLDER --run RUN    learn from image tags
  weaktr review      RUN                        correct the tags it doubts
  weaktr make-labels RUN                        photos -> CAMs and masks
  weaktr train-seg   --data FOLDER --labels RUN/labels/masks --run RUN2
                                                learn from those masks
  weaktr evaluate    RUN2                       how good, against true masks
  weaktr report      RUN                        how it went, as a page
  weaktr segment     PHOTO --run RUN2           masks of your own photos
  weaktr explore     PHOTO                      what every head looks at
  weaktr export      RUN2 -o FILE.onnx          for other programs

FOLDER holds a folder of photos for each class, or photos and a table tags.csv
(photo,tags,split), or is laid out like VOC 2012 or COCO. Without --data the built-in
generated scenes are used, so everything can be tried at once, without a download. Where
weaktr is not found: python -m weaktr_core.
"""


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 if all went well, else one line on stderr.

    Returns:
        1 for an error, 2 for arguments that make no sense, 130 for Ctrl-C.
    """
    sys.stdout = sys.stdout or io.StringIO()  # None: whoever called closed it
    sys.stderr = sys.stderr or io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name may hold what the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    given = sys.argv[1:] if argv is None else argv
    try:
        if "" in given:
            raise UsageError("an argument is empty; perhaps a variable that is not set")
        arguments, more = build_parser().parse_known_args(given or ["--help"])
        if more:
            name = arguments.command
            raise UsageError(f"{name} takes no {' '.join(more)} (weaktr {name} --help)")
    except UsageError as error:
        complain(str(error))
        return 2
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for noisy in ("timm", "matplotlib", "accelerate"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return run(arguments)


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and say in one line what went wrong; ``--debug`` traces it."""
    try:
        arguments.run_command(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt as error:  # training says itself what it kept
        complain(str(error) or "interrupted; finished files are kept")
        return 128 + getattr(error, "signal", signal.SIGINT)
    except Exception as error:
        if arguments.debug:
            raise
        complain(in_one_line(error))
        return 1
    return 0


def in_one_line(error: Exception) -> str:
    """What is said about an error: all of it if it is meant for the user."""
    if isinstance(error, (WeakTrError, FloatingPointError)):
        return str(error)
    if isinstance(error, BrokenPipeError):
        # whatever is still buffered must not raise again when Python shuts down
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return "the program that read the output has gone"
    if isinstance(error, OSError):
        return ": ".join(str(part) for part in (error.filename, error.strerror) if part)
    kind = type(error).__name__
    return f"{kind}: {error} (this should have been caught; --debug shows where it was)"


def complain(message: str) -> None:
    """One clear line for the user."""
    sys.stderr.write(f"weaktr: {' '.join(message.split())}\n")


def build_parser() -> argparse.ArgumentParser:
    """All commands."""
    parser = Parser(
        prog="weaktr",
        description="WeakTr: pixel masks from image tags.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    add_train_cam(commands)
    add_make_labels(commands)
    add_train_seg(commands)
    add_evaluate(commands)
    add_report(commands)
    add_review(commands)
    add_segment(commands)
    add_explore(commands)
    add_export(commands)
    add_doctor(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
