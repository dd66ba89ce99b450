"""Store what step 2 reached on scenes: ``python book/experiments/step2.py SEED [SEED …]``.

Reads the runs that ``book/experiments/laptop.sh SEED …`` left in build/runs, writes
data/results/laptop-seg.json and prints a table for its README.md. What a seed has not
run yet is null, a dash in the table.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from weaktr_core.train.runs import Run

from tables import RESULTS, percent, spread, table, training_seconds

RUNS = Path("build/runs")
COLUMNS = {
    "threshold": ("laptop-{seed}/labels-otsu-none/labels.json", "pseudo_masks_no_crf"),
    "and CRF": ("laptop-{seed}/labels/labels.json", "pseudo_masks"),
    "peeked, and CRF": (
        "laptop-{seed}/labels-peek-voc-cam/labels.json",
        "pseudo_masks_peeked",
    ),
    "clipped, one view": ("seg-{seed}/plain.json", "clipped_one_view"),
    "clipped": ("seg-{seed}/test.json", "clipped"),
    "not clipped, one view": ("seg-unclipped-{seed}/plain.json", "cross_entropy_one_view"),
    "not clipped": ("seg-unclipped-{seed}/test.json", "cross_entropy"),
    "true masks": ("seg-true-{seed}/test.json", "true_masks"),
}
"""Heading → file of a seed that holds its mIoU, and the name in the JSON."""


def main(seeds: list[str]) -> None:
    """Read all runs, write the JSON, print the table."""
    rows = [read(int(seed)) for seed in seeds]
    path = RESULTS / "laptop-seg.json"
    path.write_text(json.dumps({"rows": rows}, indent=1) + "\n", "utf8")
    sys.stdout.write(show(rows))


def read(seed: int) -> dict:
    """Scores of a seed as fractions, and the seconds that retraining took."""
    row: dict = {"seed": seed}
    for pattern, key in COLUMNS.values():
        path = RUNS / pattern.format(seed=seed)
        row[key] = json.loads(path.read_text("utf8"))["miou"] if path.exists() else None
    row["retraining_seconds"] = round(training_seconds(Run(RUNS / f"seg-{seed}")))
    return row


def show(rows: list[dict]) -> str:
    """One row per seed, in %, and the mean with its spread."""
    keys = [key for _, key in COLUMNS.values()]
    lines = []
    for row in rows:
        about = [str(row["seed"]), str(row["retraining_seconds"])]
        lines.append([*about, *(percent(row[key]) for key in keys)])
    if len(rows) > 1:
        lines.append(["mean ± sd", "", *(spread_of(rows, key) for key in keys)])
    return table(["seed", "seconds", *COLUMNS], lines)


def spread_of(rows: list[dict], key: str) -> str:
    """Over the seeds that have run; one alone has none."""
    there = [100 * row[key] for row in rows if row[key] is not None]
    return spread(there) if len(there) > 1 else percent(None)


if __name__ == "__main__":
    main(sys.argv[1:])
