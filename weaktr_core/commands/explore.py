"""``explore``: a head explorer of anyone's photo, as one file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Annotated

from weaktr_core.commands.common import UsageError, add_command, in_utf8, log, output_page
from weaktr_core.schema import Range, argument


def add_explore(commands) -> None:
    """``explore``."""
    command = add_command(
        commands,
        "explore",
        explore_command,
        "Write a head explorer of a photo: one HTML file that needs no server.",
        "The heads are those of a CAM network, and each class has a token to look from: "
        "the network that comes with the package (VOC's 20 classes), or one of yours. "
        "--run dinov2-s shows the backbone before it learned any class.",
        ["holiday.jpg", "holiday.jpg --run build/runs/laptop -o heads.html"],
    )
    command.add_argument("photo", help="any photo; EXIF orientation is respected")
    command.add_argument(
        "--run",
        help="folder written by train-cam, or the name of a backbone; default: the network "
        "that comes with the package",
    )
    command.add_argument("-o", "--out", default="explore.html", help="file to write")
    command.add_argument(
        "--size",
        type=argument(Annotated[int, Range(1, 8192)]),
        default=168,
        help="short side the network sees, pixels",
    )


def explore_command(arguments: argparse.Namespace) -> None:
    """Read the photo, run the network, write the page."""
    from weaktr_core.data.files import read_image
    from weaktr_core.look import open_run, write_explorer
    from weaktr_core.networks.cam import WeakTr

    out = output_page(arguments.out)
    network = open_run(arguments.run) if arguments.run else WeakTr.pretrained("voc")
    photo = read_image(arguments.photo, upright=True)
    stem = in_utf8(Path(arguments.photo).stem)
    try:
        count = write_explorer(out, photo, network, name=stem, size=arguments.size)
    except ValueError as error:  # too narrow, or a size without a patch
        raise UsageError(f"{arguments.photo}: {error}") from None
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror or error}") from None
    log(f"done: {out}, {count / 1e6:.1f} MB; open it in a browser")
