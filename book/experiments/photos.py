"""Store what real photos reached: ``python book/experiments/photos.py NAME [NAME …]``.

Reads the runs that ``book/experiments/photos.sh NAME …`` left in build/runs, writes
data/results/photos.json and prints a table for its README.md. A step that was not run is
left out of the JSON, a dash in the table.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from weaktr_core.train.runs import Run, RunError

from tables import RESULTS, percent, table, training_seconds

RUNS = Path("build/runs")
STAGES = ("coarse_cam", "cross_attention", "cam", "fine_cam")


def main(names: list[str]) -> None:
    """Read all runs, write the JSON, print the table."""
    try:
        found = {name: read(name) for name in names}
    except RunError as error:
        sys.exit(str(error))
    path = RESULTS / "photos.json"
    path.write_text(json.dumps(found, indent=1) + "\n", "utf8")
    sys.stdout.write(show(found))


def read(name: str) -> dict:
    """Scores of both steps as fractions, and seconds of training."""
    run, second = Run(RUNS / name), Run(RUNS / f"{name}-seg")
    row: dict = {"epochs": run.config["epochs"], "seconds": round(training_seconds(run))}
    cam = load(run, "scores.json")
    row["ap_patches"] = cam["mean_ap"]["coarse_logits"]
    row |= {f"{stage}_miou": cam["stages"][stage]["best_miou"] for stage in STAGES}
    if (run.folder / "labels" / "labels.json").exists():
        row["pseudo_masks_miou"] = load(run, "labels/labels.json")["miou"]
    if (second.folder / "scores.json").exists():
        row["retrained_miou"] = load(second, "scores.json")["miou"]
        row["retraining_seconds"] = round(training_seconds(second))
    return row


def load(run: Run, file: str) -> dict:
    """A JSON file of a run."""
    path = run.folder / file
    if not path.exists():
        raise RunError(f"{path} is missing: photos.sh writes it")
    return json.loads(path.read_text("utf8"))


def show(found: dict[str, dict]) -> str:
    """One row per dataset, in %."""
    keys = [f"{name}_miou" for name in (*STAGES, "pseudo_masks", "retrained")]
    lines = []
    for name, row in found.items():
        scores = [row["ap_patches"], *map(row.get, keys)]
        lines.append([name, str(row["seconds"]), *map(percent, scores)])
    head = ["photos", "seconds", "AP patches", *STAGES, "pseudo-masks", "retrained"]
    return table(head, lines)


if __name__ == "__main__":
    main(sys.argv[1:])
