"""How many photos are needed? The same training with 25, 50, 100, 200, 400 of a folder.

``python benchmarks/curve.py FOLDER --classes cat horse sheep`` trains the CAM network anew
for each number of photos, with the settings for a folder and equally many steps, and
measures it on the photos that never train: the average precision of the tags and, where
these photos have masks, the mIoU of the maps at the threshold that the settings fix. Every
seed draws other photos and trains anew; means and standard deviations are shown.
Smaller numbers are part of larger ones. Interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from machine import measured
from part import Part, in_turns, tags_of
from tabulate import tabulate

from weaktr_core.commands.common import parse_setting
from weaktr_core.config import CamConfig, preset
from weaktr_core.data import open_dataset
from weaktr_core.labels.views import make_views
from weaktr_core.runtime import write_json
from weaktr_core.scores.cams import evaluate_cams, miou_at, or_none
from weaktr_core.train import train_cam
from weaktr_core.train.order import steps_of

STAGE = "fine_cam"


def main() -> None:
    """Train and measure each number of photos; a JSON file and a table."""
    asked = arguments()
    train = open_dataset(asked.data, asked.split)
    val = open_dataset(asked.data, asked.val)
    classes = asked.classes or list(train.classes)
    orders = {seed: in_turns(tags_of(train, classes), seed) for seed in asked.seeds}
    shown = np.flatnonzero(tags_of(val, classes).any(axis=1))
    measuring = Part(val, classes, shown)
    glance = Part(val, classes, shown[:1])  # measured in the end only
    counts = [n for n in asked.counts if n <= len(orders[asked.seeds[0]])]
    rows = []
    for count in counts:
        found = []
        for seed in asked.seeds:
            part = Part(train, classes, orders[seed][:count])
            folder = asked.runs / f"{Path(asked.data).name}-{count}-{seed}"
            config = settings(asked, count, seed)
            run = train_cam(config, part, glance, folder, resume=True)
            seconds = sum(line["seconds"] for line in run.history)
            found.append({"seconds": round(seconds), **measure(run, measuring)})
        rows.append({"photos": count, **summary(found)})
        print(tabulate([shown_row(row) for row in rows], "keys", "github"), flush=True)
    about = dict(
        classes=classes, measured_on=len(measuring), steps=asked.steps, seeds=asked.seeds,
        settings=settings(asked, counts[-1], 0).as_dict(), where=measured(), rows=rows,
    )  # fmt: skip
    write_json(asked.json, about)


def summary(found: list[dict]) -> dict:
    """The mean over seeds of each score, its standard deviation, and all the values."""
    row = {}
    for name in found[0]:
        values = [it[name] for it in found if it[name] is not None]
        if values:
            spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
            row |= {name: float(np.mean(values)), f"{name}_sd": spread}
            row[f"{name}_seeds"] = values
    return row


def shown_row(row: dict) -> dict[str, str]:
    """Scores in %, mean ± sd."""
    names = {"tag_ap": "tag AP", "miou": "mIoU, fixed threshold", "best_miou": "best mIoU"}
    cells = {"photos": str(row["photos"])}
    for name, title in names.items():
        if name in row:
            spread = row[f"{name}_sd"]
            more = "" if spread is None else f" ± {100 * spread:.1f}"
            cells[title] = f"{100 * row[name]:.1f}{more}"
    return cells


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder of photos, of any layout")
    parser.add_argument("--split", default="train", help="photos to train on")
    parser.add_argument("--val", default="val", help="photos to measure with")
    parser.add_argument("--classes", nargs="+", help="keep these only; default: all")
    parser.add_argument("--counts", nargs="+", type=int, default=[25, 50, 100, 200, 400])
    parser.add_argument("--steps", type=int, default=100, help="of each training")
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[0, 1, 2], help="of photos and trainings"
    )
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")
    parser.add_argument("--runs", type=Path, default=Path("build/runs/curve"))
    parser.add_argument(
        "--json", type=Path, default=Path("data/results/curve.json"), help="result"
    )
    return parser.parse_args()


def settings(asked: argparse.Namespace, count: int, seed: int) -> CamConfig:
    """The preset for folders, with as many epochs as make the steps asked for."""
    config = preset("photos", **dict(parse_setting(text) for text in asked.set))
    epochs = max(1, round(asked.steps / steps_of(count, config.batch_size, 1)))
    return config.changed(
        epochs=epochs, eval_every=epochs, warmup_epochs=epochs / 10, seed=seed
    )


def measure(run, photos: Part) -> dict[str, float | None]:
    """AP of the tags, and mIoU of the maps at the fixed threshold, where masks exist."""
    path = run.folder / "scores.json"
    if not path.exists():
        config = run.settings
        views = make_views(config.scales)
        scores = evaluate_cams(run.load(), photos, views=views, eval_size=config.eval_size)
        sweep = scores.sweeps.get(STAGE)
        ap = or_none(scores.mean_ap["coarse_logits"])
        miou = None if sweep is None else miou_at(sweep, config.threshold)
        best = None if sweep is None else sweep.best_miou
        write_json(path, dict(tag_ap=ap, miou=miou, best_miou=best))
    return json.loads(path.read_text("utf8"))


if __name__ == "__main__":
    main()
