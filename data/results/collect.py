"""Store what a few runs reached: ``python data/results/collect.py NAME RUN [RUN …]``.

Writes NAME.json beside this file and prints a table for README.md. Each RUN is a folder
of ``train-cam`` with, where it was run, what ``evaluate RUN --json RUN/scores.json`` wrote.
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
    """Settings, last epoch and scores of one run."""
    config = json.loads((folder / "config.json").read_text("utf8"))
    lines = (folder / "history.jsonl").read_text("utf8").splitlines()
    history = [json.loads(line) for line in lines]
    stored = folder / "scores.json"
    scores = json.loads(stored.read_text("utf8")) if stored.exists() else None
    return {
        "config": config,
        "training_seconds": round(sum(line["seconds"] for line in history), 1),
        "losses": history[-1]["losses"],
        "single_scale": {"mean_ap": history[-1]["mean_ap"], "miou": history[-1]["miou"]},
        "multi_scale": scores,
    }


def table(runs: list[dict]) -> str:
    """One row per run, and the mean with its spread."""
    rows = []
    for run in runs:
        ap, miou = (run["single_scale"][key] for key in ("mean_ap", "miou"))
        row = [ap["class_logits"], ap["coarse_logits"], *(miou[s] for s in STAGES)]
        many = [math.nan] * len(STAGES)
        if run["multi_scale"]:
            stages = run["multi_scale"]["stages"]
            many = [stages[s]["best_miou"] for s in STAGES]
        rows.append([100 * v for v in [*row, *many]])
    text = "| seed | seconds | AP tokens | AP patches | coarse | cross-weighted | fine "
    text += (
        "| coarse, scales | cross-weighted, scales | fine, scales |\n|" + "---|" * 10 + "\n"
    )
    for run, row in zip(runs, rows, strict=True):
        cells = [str(run["config"]["seed"]), f"{run['training_seconds']:.0f}"]
        text += (
            "| "
            + " | ".join(cells + ["–" if math.isnan(v) else f"{v:.1f}" for v in row])
            + " |\n"
        )
    if len(rows) > 1:
        columns = list(zip(*rows, strict=True))
        cells = [spread(c) for c in columns]
        text += "| mean ± sd | | " + " | ".join(cells) + " |\n"
    return text


def spread(values: tuple[float, ...]) -> str:
    """Mean and standard deviation; a dash where a run is missing."""
    if any(math.isnan(v) for v in values):
        return "–"
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
