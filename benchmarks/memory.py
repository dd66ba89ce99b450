"""How much memory does a photo of a batch need? The rule that sets the size of batches.

``python benchmarks/memory.py`` trains the preset for folders on generated scenes, float32,
for two steps and the evaluations around them, in a process each: photos of several sizes,
batches of two sizes. What a photo more costs is the difference of the peaks, over the
photos. The rule takes the dearest of the sizes, by patch.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from machine import measured
from tabulate import tabulate

from weaktr_core.config import preset
from weaktr_core.data import open_dataset
from weaktr_core.runtime import write_json

SIDES = (112, 168, 224, 336)
BATCHES = (2, 8)


def main() -> None:
    """Measure each size of photos; a table and a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=2, type=int, metavar=("SIDE", "BATCH"))
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/memory.json"))
    asked = parser.parse_args()
    if asked.one:
        print(peak(*asked.one))
        return
    rows = []
    for side in SIDES:
        few, many = (in_a_process(side, batch) for batch in BATCHES)
        each = (many - few) / (BATCHES[1] - BATCHES[0])
        rows.append(dict(side=side, patches=(side // 14) ** 2, mib_a_photo=each,
                         mib_besides=few - BATCHES[0] * each))  # fmt: skip
        print(tabulate(rows, "keys", floatfmt=".1f"), flush=True)
    rule = rule_of(rows)
    print(rule)
    write_json(asked.json, dict(rule=rule, rows=rows, where=measured()))


def rule_of(rows: list[dict[str, float]]) -> dict[str, float]:
    """What is enough for every size that was measured."""
    return dict(
        mib_a_patch=max(row["mib_a_photo"] / row["patches"] for row in rows),
        mib_besides=max(row["mib_besides"] for row in rows),
    )


def in_a_process(side: int, batch: int) -> float:
    """The peak of a process of its own, MiB."""
    command = [sys.executable, __file__, "--one", str(side), str(batch)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[-1])


def peak(side: int, batch: int) -> float:
    """Most memory that a training of two steps held, MiB."""
    from weaktr_core.train import train_cam

    config = preset("photos", epochs=1, img_size=side, eval_size=side * 4 // 3 // 14 * 14,
                    batch_size=batch, precision="no")  # fmt: skip
    train, val = (
        open_dataset("scenes", split, size=config.eval_size, count=2 * batch)
        for split in ("train", "val")
    )
    with TemporaryDirectory() as name:
        train_cam(config, train, val, Path(name) / "run")
    kib = 1024 if sys.platform == "darwin" else 1  # of the unit there, bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / kib / 1024


if __name__ == "__main__":
    main()
