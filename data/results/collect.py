"""Store what a few runs reached: ``python data/results/collect.py NAME RUN [RUN …]``.

Writes NAME.json beside this file and prints a table for README.md. Each RUN is a folder
of ``train-cam`` or ``train-seg`` in which ``evaluate RUN --split test --json
RUN/test.json`` has written its scores.
"""

from __future__ import annotations

import json
import math
import platform
import sys
from pathlib import Path

import numpy as np
import timm
import torch

STAGES = ("coarse_cam", "cam", "fine_cam")


def main(name: str, folders: list[str]) -> None:
    """Read all runs, write the JSON, print the table."""
    runs = [read(Path(folder)) for folder in folders]
    machine = {
        "torch": torch.__version__,
        "timm": timm.__version__,
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
    }
    path = Path(__file__).with_name(f"{name}.json")
    path.write_text(json.dumps({"machine": machine, "runs": runs}, indent=1) + "\n", "utf8")
    sys.stdout.write(table(runs))


def read(folder: Path) -> dict:
    """Settings, losses and scores of one run."""
    config = json.loads((folder / "config.json").read_text("utf8"))
    lines = (folder / "history.jsonl").read_text("utf8").splitlines()
    history = [json.loads(line) for line in lines]
    return {
        "config": config,
        "training_seconds": round(sum(line["seconds"] for line in history), 1),
        "losses": history[-1]["losses"],
        "val_one_view": {key: history[-1].get(key) for key in ("mean_ap", "miou")},
        "test": json.loads((folder / "test.json").read_text("utf8")),
    }


def table(runs: list[dict]) -> str:
    """One row per run, and the mean with its spread."""
    rows = [columns(run) for run in runs]
    head = ["seed", "seconds", *rows[0]]
    lines = [head, ["---"] * len(head)]
    for run, row in zip(runs, rows, strict=True):
        about = [str(run["config"]["seed"]), f"{run['training_seconds']:.0f}"]
        lines.append([*about, *(f"{v:.1f}" for v in row.values())])
    if len(rows) > 1:
        spreads = [spread([row[key] for row in rows]) for key in rows[0]]
        lines.append(["mean ± sd", "", *spreads])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


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


def spread(values: list[float]) -> str:
    """Mean and standard deviation."""
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
