"""``review``: correct by hand what a network doubts."""

from __future__ import annotations

import argparse
import webbrowser
from typing import Annotated

from weaktr_core.commands.common import add_command, log
from weaktr_core.schema import Count, Range, argument


def add_review(commands) -> None:
    """``review``."""
    command = add_command(
        commands,
        "review",
        review_command,
        "Look at the masks that a network is least sure of, and correct its tags.",
        "Opens a page of this machine. For each photo: keep it, correct its tags, set a "
        "background score or a point for it, or leave it out. Each choice is written to "
        "RUN/review.jsonl at once, so nothing is lost when the browser closes, and "
        "RUN/tags.csv holds the corrected tags. Ctrl-C ends it.",
        [
            "my_run",
            "my_run --limit 200",
        ],
    )
    command.add_argument("run", help="folder written by train-cam")
    command.add_argument(
        "--limit", type=argument(Count), default=60, help="how many photos to show"
    )
    command.add_argument(
        "--port",
        type=argument(Annotated[int, Range(0, 65535)]),
        default=0,
        help="of the page; 0 takes a free one",
    )
    command.add_argument(
        "--no-open", action="store_true", help="only say the address, start no browser"
    )


def review_command(arguments: argparse.Namespace) -> None:
    """Judge the photos, serve the page, say how to go on."""
    from weaktr_core.data.retagged import TABLE
    from weaktr_core.reviewing import open_review, serve, splits_of
    from weaktr_core.train.runs import Run

    run = Run(arguments.run)
    shown = open_review(run, *splits_of(run), arguments.limit)
    shown.write()

    def ready(address: str) -> None:
        log(f"{len(shown.photos)} photos at {address} (Ctrl-C ends)")
        if not arguments.no_open:
            webbrowser.open(address)

    serve(shown, arguments.port, ready)
    table, data = run.folder / TABLE, run.config["data"]
    log(
        f"corrected tags: {table}; to go on training from here:\n  weaktr train-cam "
        f"--data {data} --tags {table} --start {run.folder} --run {run.folder}-2"
    )
