"""Store what runs on real photos reached: ``python data/results/photos.py NAME [NAME …]``.

Reads the runs that ``data/results/photos.sh NAME …`` left in build/runs, writes
photos.json beside this file and prints a table for README.md. A step that was not run is
left out of the JSON, a dash in the table.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

RUNS = Path("build/runs")
STAGES = ("coarse_cam", "cross_attention", "cam", "fine_cam")


def main(names: list[str]) -> None:
    """Read all runs, write the JSON, print the table."""
    found = {name: read(name) for name in names}
    path = Path(__file__).with_name("photos.json")
    path.write_text(json.dumps(found, indent=1) + "\n", "utf8")
    sys.stdout.write(table(found))


def read(name: str) -> dict:
    """Scores of both steps as fractions, and seconds of training."""
    cam = load(name, "scores.json")
    row: dict = {
        "epochs": load(name, "config.json")["epochs"],
        "seconds": seconds(name),
        "ap_patches": cam["mean_ap"]["coarse_logits"],
    }
    row |= {f"{stage}_miou": cam["stages"][stage]["best_miou"] for stage in STAGES}
    if (RUNS / name / "labels" / "labels.json").exists():
        row["pseudo_masks_miou"] = load(name, "labels/labels.json")["miou"]
    if (RUNS / f"{name}-seg" / "scores.json").exists():
        row["retrained_miou"] = load(f"{name}-seg", "scores.json")["miou"]
        row["retraining_seconds"] = seconds(f"{name}-seg")
    return row


def load(run: str, file: str) -> dict:
    """A JSON file of a run."""
    return json.loads((RUNS / run / file).read_text("utf8"))


def seconds(run: str) -> int:
    """What the epochs of a run took together."""
    lines = (RUNS / run / "history.jsonl").read_text("utf8").splitlines()
    return round(sum(json.loads(line)["seconds"] for line in lines))


def table(found: dict[str, dict]) -> str:
    """One row per dataset, in %."""
    head = ["photos", "seconds", "AP patches", *STAGES, "pseudo-masks", "retrained"]
    lines = [head, ["---"] * len(head)]
    for name, row in found.items():
        keys = [f"{name}_miou" for name in (*STAGES, "pseudo_masks", "retrained")]
        scores = [row["ap_patches"], *map(row.get, keys)]
        shown = ["–" if score is None else f"{100 * score:.1f}" for score in scores]
        lines.append([name, str(row["seconds"]), *shown])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


if __name__ == "__main__":
    main(sys.argv[1:])
