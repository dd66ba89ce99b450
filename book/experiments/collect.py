"""Store what a few runs reached: ``python book/experiments/collect.py NAME RUN [RUN …]``.

Writes NAME.json into data/results and prints a table for its README.md. Each RUN is a
folder of ``train-cam`` or ``train-seg`` in which ``evaluate RUN --split test --json
RUN/test.json`` has written its scores.
"""

from __future__ import annotations

import json
import math
import platform
import sys
from pathlib import Path

import timm
import torch
from weaktr_core.train.runs import Run

from tables import RESULTS, spread, table, training_seconds


def main(name: str, folders: list[str]) -> None:
    """Read all runs, write the JSON, print the table."""
    runs = [read(Path(folder)) for folder in folders]
    machine = {
        "torch": torch.__version__,
        "timm": timm.__version__,
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
    }
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine, "runs": runs}, indent=1) + "\n", "utf8")
    sys.stdout.write(show(runs))


def read(folder: Path) -> dict:
    """Settings, losses and scores of one run."""
    run = Run(folder)
    last = run.history[-1]
    return {
        "config": run.config,
        "training_seconds": round(training_seconds(run), 1),
        "losses": last["losses"],
        "val_one_view": {key: last.get(key) for key in ("mean_ap", "miou")},
        "test": json.loads((folder / "test.json").read_text("utf8")),
    }


def show(runs: list[dict]) -> str:
    """One row per run, and the mean with its spread."""
    rows, lines = [columns(run) for run in runs], []
    for run, row in zip(runs, rows, strict=True):
        about = [str(run["config"]["seed"]), f"{run['training_seconds']:.0f}"]
        lines.append([*about, *(f"{v:.1f}" for v in row.values())])
    if len(rows) > 1:
        spreads = [spread([row[key] for row in rows]) for key in rows[0]]
        lines.append(["mean ± sd", "", *spreads])
    return table(["seed", "seconds", *rows[0]], lines)


def columns(run: dict) -> dict[str, float]:
    """The scores to show, in %: of step 1 each stage, of step 2 the network."""
    test = run["test"]
    if "stages" not in test:
        return {"mIoU": 100 * test["miou"], "pixel accuracy": 100 * test["pixel_accuracy"]}
    one_view = (run["val_one_view"]["miou"] or {}).get("fine_cam", math.nan)
    shown = {
        "AP tokens": test["mean_ap"]["class_logits"],
        "AP patches": test["mean_ap"]["coarse_logits"],
        "coarse": test["stages"]["coarse_cam"]["best_miou"],
        "cross-weighted": test["stages"]["cam"]["best_miou"],
        "fine": test["stages"]["fine_cam"]["best_miou"],
        "fine, one view of val": one_view,
    }
    return {name: 100 * value for name, value in shown.items()}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
