"""``report``: a training as one page."""

from __future__ import annotations

import argparse
import webbrowser
from pathlib import Path

from weaktr_core.commands.common import (
    DATA_HELP,
    SPLIT_HELP,
    add_command,
    log,
    open_data,
    output_page,
)


def add_report(commands) -> None:
    """``report``."""
    command = add_command(
        commands,
        "report",
        report_command,
        "Write a training as one HTML page that needs no server.",
        "Curves, head weights, the best, typical and worst masks of each class, the "
        "threshold explorer, and what to try next. Every training writes it at its end.",
        ["my_run --open", "my_run --split test -o my_run.html"],
    )
    command.add_argument("run", help="folder written by train-cam or train-seg")
    command.add_argument("--data", help=DATA_HELP + "; default: what the run trained on")
    command.add_argument("--split", help=SPLIT_HELP + "; default: the run's own val")
    command.add_argument("-o", "--out", help="file to write; default: RUN/report.html")
    command.add_argument("--open", action="store_true", help="show it in the browser")


def report_command(arguments: argparse.Namespace) -> None:
    """Open the run and its data, write, perhaps show."""
    from weaktr_core.train.runs import Run

    out = output_page(arguments.out) if arguments.out else None
    run = Run(arguments.run)
    stored, size = run.config, run.settings.img_size
    where = arguments.data or stored["data"]
    val = open_data(where, arguments.split or stored.get("val", "val"), size)
    report_run(run, val, out, show=arguments.open)


def report_run(run, val, path: Path | None = None, show: bool = False) -> None:
    """Write the report of a run, say where it is, open it if asked to."""
    from weaktr_core.run_report import write_report

    path = write_report(run, val, path)
    log(f"report: {path}")
    if show and not webbrowser.open(path.resolve().as_uri()):
        log("no browser could be started here; open the file yourself")
