"""``doctor``: look through a dataset."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path

from weaktr_core.commands.common import (
    DATA_HELP,
    SPLIT_HELP,
    UsageError,
    add_command,
    is_scenes,
    log,
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
        "that are no class, masks that do not fit, photos that are in train and in val. "
        "PROBLEMs stop a training or spoil what it learns; a note can be right as it is. "
        "Exit code 1 where there is a problem.",
        ["my_photos", "my_photos --probe --json report.json", "scenes:20"],
    )
    command.add_argument("data", help=DATA_HELP)
    command.add_argument("--split", default="train", help=SPLIT_HELP)
    command.add_argument("--json", help="also write the report here")
    command.add_argument("--sheet", help="also write a contact sheet here, a JPEG")
    command.add_argument(
        "--probe",
        action="store_true",
        help="also say how well a frozen DINOv2-S finds the tags, by the number of photos; "
        "a tenth of a second a photo",
    )
    command.add_argument(
        "--limit", type=argument(Count), help="look at the first LIMIT images only"
    )


def doctor_command(arguments: argparse.Namespace) -> None:
    """Print the report."""
    from weaktr_core.data.doctor import examine
    from weaktr_core.runtime import write_json

    data = open_data(arguments.data, arguments.split)
    of_ones_own = not is_scenes(arguments.data)
    others = other_splits(arguments) if of_ones_own else {}
    splits = {arguments.split: data, **others}.items()
    report = examine(data, arguments.limit, others=others, advise=of_ones_own)
    counts = ", ".join(f"{len(it)} {name}" for name, it in splits)
    sys.stdout.write(f"splits  {counts}\n{report.text()}\n")
    content = report.as_json()
    if arguments.probe:
        val = others.get("val") or open_data(arguments.data, "val")
        content["probe"] = probe_command(data, val)
    if arguments.json:
        write_json(Path(arguments.json), content)
    if arguments.sheet:
        write_contacts(data, Path(arguments.sheet))
    if not report.ready:
        raise UsageError(f"{arguments.data}: {report.verdict}")
    sys.stdout.flush()
    log(f"next: weaktr train-cam --data {arguments.data} --run my_run --open")


def probe_command(train, val) -> dict:
    """Print how learnable the tags are; the numbers behind it."""
    from weaktr_core.networks.pretrained import load_vit
    from weaktr_core.scores.probe import SIDE, embed, probe, probe_text

    vit = load_vit("dinov2-s", SIDE)
    seen, unseen = embed(vit, train, "train"), embed(vit, val, "val")
    total = len(seen.names)
    counts = [n for n in (10, 25, 50, 100, 200, 400, 800) if n < total] + [total]
    found = probe(seen, unseen, counts)
    sys.stdout.write(probe_text(seen, train.classes, counts, found) + "\n")
    rows = [[None if v != v else float(v) for v in row] for row in found.tolist()]
    return dict(photos=counts, classes=list(train.classes), average_precision=rows)


def other_splits(arguments: argparse.Namespace) -> dict:
    """The photos that measure, beside any that train; beside them those of train."""
    from weaktr_core.data import DataError

    other = "train" if arguments.split == "val" else "val"
    with suppress(DataError):
        return {other: open_data(arguments.data, other)}
    return {}


def write_contacts(data, path: Path) -> None:
    """The first photos with their names and tags, broken ones left out."""
    from weaktr_core.data import DataError
    from weaktr_core.figures.sheet import CONTACTS, save_contacts

    samples = []
    for index in range(min(CONTACTS, len(data))):
        with suppress(DataError):
            samples.append(data[index])
    save_contacts(samples, data.classes, path)
    log(f"contact sheet: {path}")
