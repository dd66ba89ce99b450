"""``doctor``: look through a dataset."""

from __future__ import annotations

import argparse
import sys

from weaktr_core.commands.common import UsageError, add_command


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
