"""The trial runs that the recipe was found by, as a table; python search.py

One seed a row, from ``search`` in data/results/photographs.json.
"""

import json
from pathlib import Path

from tabulate import tabulate

RESULTS = Path(__file__).parents[3] / "data/results/photographs.json"
POOLED = {
    "mean": "mean, as published",
    "top": "mean of the top 30 %",
    "object": "mean over the prior's objects",
    "em": "prior and background",
}
MAPS = {"raw": "the map", "relu": "positive part", "soft": "softmax", "soft_feat": "softmax, by features", "fine_learned": "fine"}


def row(run):
    o = run["options"]
    parts = [POOLED[o["pool"]]]
    parts += ["no adapters"] * (not o["rank"]) + ["patches blind to class tokens"] * o["isolate"]
    parts.append("layer " + " and ".join(map(str, o["layers"])))
    return [", ".join(parts), run["held_out_ap"]["pool"], *(run["dev"][m]["otsu"] for m in MAPS)]


if __name__ == "__main__":
    found = sorted((row(r) for r in json.loads(RESULTS.read_text("utf8"))["search"].values()))
    print(tabulate(found, ["evidence pooled by", "tag AP", *MAPS.values()], tablefmt="github", floatfmt=".1f"))
