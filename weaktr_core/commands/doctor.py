"""``doctor``: look through a dataset."""

from __future__ import annotations

import argparse
import sys

from weaktr_core.commands.common import (
    DATA_HELP,
    SPLIT_HELP,
    UsageError,
    add_command,
    open_data,
)
from weaktr_core.schema import Count, argument


def add_doctor(commands) -> None:
    """``doctor``."""
    command = add_command(
        commands,
        "doctor",
        doctor_command,
        "Look through a dataset and report what is in it and what is wrong.",
        "Reads every image as training will: files that are missing or cut off, tags "
        "that are no class, masks that do not fit. PROBLEMs stop a training or spoil "
        "what it learns; a note can be right as it is. Exit code 1 where there is a "
        "problem.",
        ["my_photos", "my_photos --split val", "scenes:20"],
    )
    command.add_argument("data", help=DATA_HELP)
    command.add_argument("--split", default="train", help=SPLIT_HELP)
    command.add_argument(
        "--limit", type=argument(Count), help="look at the first LIMIT images only"
    )


def doctor_command(arguments: argparse.Namespace) -> None:
    """Print the report."""
    from weaktr_core.data.doctor import examine

    report = examine(open_data(arguments.data, arguments.split), arguments.limit)
    sys.stdout.write(report.text() + "\n")
    if not report.ready:
        raise UsageError(f"{arguments.data}: {report.verdict}")
