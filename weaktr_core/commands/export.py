"""``export``: a trained network for programs that know nothing of this package."""

from __future__ import annotations

import argparse
from pathlib import Path

from weaktr_core.commands.common import UsageError, add_command, load_run, log
from weaktr_core.config import CamConfig
from weaktr_core.schema import Pixels, argument

ENDINGS = (".onnx", ".pt2")


def add_export(commands) -> None:
    """``export``."""
    command = add_command(
        commands,
        "export",
        export_command,
        "Write a trained network as ONNX or as a PyTorch program.",
        "The file takes an RGB photo from 0 to 1, of any size in whole patches, and "
        "normalises it itself. Its outputs are compared with the network's at two sizes "
        "before the command ends and may differ by 0.001. Beside it, a JSON file names "
        "input, outputs and classes, and a card in Markdown says what it learned from.",
        ["my_run -o cracks.onnx", "my_run_2 -o cracks.pt2 --size 224 320"],
    )
    command.add_argument("run", help="folder written by train-cam or train-seg")
    command.add_argument("-o", "--out", required=True, help="file, .onnx or .pt2")
    command.add_argument(
        "--size",
        nargs=2,
        type=argument(Pixels),
        metavar=("HEIGHT", "WIDTH"),
        help="make a file for this size only, pixels; default: any size",
    )


def export_command(arguments: argparse.Namespace) -> None:
    """Load, export, compare, say."""
    from weaktr_core.networks.exporting import export_network, write_card
    from weaktr_core.runtime import write_json
    from weaktr_core.train.runs import Run

    out = Path(arguments.out)
    if out.suffix not in ENDINGS:
        raise UsageError(f"{out}: expected a file name that ends in .onnx or .pt2")
    network, config = load_run(arguments.run)
    size = tuple(arguments.size) if arguments.size else None
    about, worst = export_network(network, out, size)
    step = 1 if isinstance(config, CamConfig) else 2
    write_json(out.with_suffix(".json"), dict(step=step, **about))
    run = Run(arguments.run)
    write_card(out.with_suffix(".md"), about, run.config, (run.history or [{}])[-1])
    compared = "not compared: onnxruntime is not installed"
    if worst is not None:
        compared = f"outputs differ by {worst:.1e} at most"
    log(f"done: {out}, {out.stat().st_size / 1e6:.1f} MB; {compared}")
