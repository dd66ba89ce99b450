"""A training as one page: how it went, what it found, what to try next."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from jinja2 import Environment, PackageLoader
from matplotlib.axes import Axes

from weaktr_core.config import CamConfig
from weaktr_core.data.files import shorten
from weaktr_core.data.remarks import FEW
from weaktr_core.data.sample import TaggedDataset
from weaktr_core.figures.fonts import drawable_names, plain_text
from weaktr_core.figures.maps import show_mask
from weaktr_core.figures.style import NAMES, new_grid
from weaktr_core.figures.training import (
    show_cam_curve,
    show_curves,
    show_head_weights,
    show_losses,
)
from weaktr_core.labels.recipe import label_free_threshold, label_map
from weaktr_core.runtime import write_text
from weaktr_core.scores.judging import Judged, judge
from weaktr_core.scores.metrics import ScoredImage, threshold_sweep
from weaktr_core.train.runs import Run
from weaktr_core.widgets.thresholds import explore_thresholds

PHOTOS = 96
"""How many photos that measure are looked at, evenly chosen among them."""

SHOWN = 12
"""Classes with pictures, and photos in the explorer."""

MOMENTS = 5
"""Tables of head weights."""


def write_report(run: Run, val: TaggedDataset, path: Path | None = None) -> Path:
    """Write ``report.html``: one file that needs nothing else.

    Args:
        run: of either step, trained.
        val: photos that did not train; masks, if any, are only measured with.
        path: the file; default: in the run's folder.

    Raises:
        WeakTrError: the run or a photo cannot be read.
    """
    path = path or run.folder / "report.html"
    config, history = run.settings, run.history
    numbers = np.unique(np.linspace(0, len(val) - 1, min(PHOTOS, len(val))).astype(int))
    seen = list(judge(run.load(), config, val, numbers.tolist()))
    threshold, labels = labelled(seen)
    told = dict(
        title=f"{run.folder.name}: {'tags to maps' if threshold else 'masks to masks'}",
        summary=summary(run, len(val)),
        curves=curves(history, isinstance(config, CamConfig)),
        heads=head_weights(run) if threshold else None,
        count=len(seen),
        measure=measure_text(seen, threshold),
        classes=pictures(seen, labels, val.classes),
        explorer=explorer(seen, threshold, val.classes) if threshold else None,
        **class_table(seen, labels, history, val.classes),
    )
    told["advice"] = advise(run, seen, val.classes)
    loader = PackageLoader("weaktr_core", "")
    template = Environment(loader=loader, autoescape=True).get_template("run_report.html")
    text = template.render(told)
    write_text(path, text)
    return path


def labelled(seen: Sequence[Judged]) -> tuple[float | None, list[np.ndarray]]:
    """The background score (None for step 2, which needs none), and label maps by it."""
    if seen[0].labels is not None:
        return None, [it.labels for it in seen if it.labels is not None]
    threshold = label_free_threshold(it.scores for it in seen)
    return threshold, [label_map(it.scores, it.classes, threshold) for it in seen]


def summary(run: Run, count: int) -> str:
    """What was trained on what, in two sentences."""
    config, stored, history = run.settings, run.config, run.history
    seconds = sum(line["seconds"] for line in history)
    return (
        f"{config.backbone}, {len(stored['classes'])} classes of {stored['data']}; "
        f"{config.epochs} epochs of {config.batch_size} photos a step, "
        f"{config.img_size} pixels, {seconds / 60:.1f} minutes. "
        f"Measured on {count} photos that did not train."
    )


# ---- pictures as data


def picture(axes: Axes, kind: str = "svg") -> str:
    """A figure as a data URI; it is closed."""
    buffer = io.BytesIO()
    figure: Any = axes.figure
    with plain_text():
        figure.savefig(buffer, format=kind, dpi=90)
    plt.close(figure)
    mime = "image/svg+xml" if kind == "svg" else f"image/{kind}"
    return f"data:{mime};base64," + base64.b64encode(buffer.getvalue()).decode()


def curves(history: list[dict[str, Any]], of_tags: bool) -> list[tuple[str, str]]:
    """Losses and scores by epoch, each with a sentence for those who do not see it."""
    trained = [line for line in history if line["losses"]]
    if not trained:
        return []
    last = trained[-1]["losses"]["total"]
    told = (
        f"Loss by epoch; it was {trained[0]['losses']['total']:.3f} and ended at {last:.3f}"
    )
    if of_tags:
        found = [(picture(show_losses(history)), told)]
    else:
        losses = {"loss": [line["losses"]["total"] for line in trained]}
        epochs = [line["epoch"] for line in trained]
        found = [(picture(show_curves(losses, x=epochs, ylabel="mean loss")), told)]
    measured = [line for line in history if line.get("miou") or line.get("mean_ap")]
    if of_tags and any(line.get("miou") for line in measured):
        text = "mIoU of the maps and average precision of the tags by epoch"
        return [*found, (picture(show_cam_curve(history)[0]), text)]
    for group, text in (("miou", "mIoU, %"), ("mean_ap", "average precision, %")):
        lines = [line for line in measured if line.get(group)]
        if lines:
            values = {
                NAMES.get(name, name): [percent_or_nan(it[group][name]) for it in lines]
                for name in lines[-1][group]
            }
            epochs = [line["epoch"] for line in lines]
            axes = show_curves(values, x=epochs, ylabel=text)
            found.append((picture(axes), f"{text} by epoch"))
    return found


def percent_or_nan(value: float | None) -> float:
    """A fraction in per cent; a gap in the curve where there was none."""
    return float("nan") if value is None else 100 * value


def head_weights(run: Run) -> str:
    """Tables of head weights, from before the training to its end."""
    weights = run.head_weights().mean(axis=1)  # (moments, L, H)
    epochs = [*run.files("head_weights")]
    chosen = np.unique(np.linspace(0, len(weights) - 1, MOMENTS).round().astype(int))
    axes = new_grid(1, len(chosen), 2.2, aspect=1.6)[0]
    for one, index in zip(axes, chosen.tolist(), strict=True):
        title = f"epoch {epochs[index]}" if epochs[index] else "before"
        show_head_weights(weights[index], title, one, float(weights.max()))
    return picture(axes[0])


def pictures(
    seen: Sequence[Judged], labels: Sequence[np.ndarray], classes: Sequence[str]
) -> list[tuple[str, str]]:
    """A row of three photos for each class: best, typical, worst."""
    found: list[tuple[str, str]] = []
    pairs = [*zip(seen, labels, strict=True)]
    for k, name in enumerate(drawable_names(classes)):
        rows = [(it.quality(k, mine), it, mine) for it, mine in pairs if it.tags[k]]
        if not rows or len(found) == SHOWN:
            continue
        rows.sort(key=lambda row: -row[0])
        axes = new_grid(1, 3, 3.0, aspect=0.8)[0]
        places = {"best": 0, "typical": len(rows) // 2, "worst": len(rows) - 1}
        for one, (word, place) in zip(axes, places.items(), strict=True):
            quality, it, mine = rows[place]
            with plain_text():
                shown = np.where(mine == k + 1, k + 1, 0)
                show_mask(it.image, shown, f"{name}, {word}: {100 * quality:.0f} %", one)
        found.append((classes[k], picture(axes[0], "jpeg")))
    return found


def measure_text(seen: Sequence[Judged], threshold: float | None) -> str:
    """What the numbers above the pictures mean."""
    masks = any(it.mask is not None and (it.mask > 0).any() for it in seen)
    word = "IoU with the true mask" if masks else "how sure the network is of the tag"
    where = f", at Otsu's background score of {threshold:.2f}" if threshold else ""
    return f"The number is the {word}{where}." if masks else f"The number says {word}."


def explorer(seen: Sequence[Judged], threshold: float, classes: Sequence[str]) -> str:
    """The threshold explorer of photos from all over the range of doubt."""
    tagged = sorted((it for it in seen if len(it.classes)), key=lambda it: it.doubt)
    if not tagged:
        return ""
    places = np.unique(np.linspace(0, len(tagged) - 1, SHOWN).astype(int))
    some = [tagged[place] for place in places.tolist()]
    scored = [ScoredImage(it.scores, it.classes, it.mask) for it in seen
              if it.mask is not None]  # fmt: skip
    sweep = threshold_sweep(scored, num_classes=len(classes)) if scored else None
    if sweep is not None and not sweep.counts[:, 1:].any():
        sweep = None
    masks = [it.mask for it in some if it.mask is not None]
    page = explore_thresholds(
        [it.image for it in some],
        [it.scores for it in some],
        [it.classes for it in some],
        masks if sweep is not None and len(masks) == len(some) else None,
        class_names=classes,
        iou=None if sweep is None else sweep.iou,
        otsu=threshold,
        peeked=None if sweep is None else float(sweep.thresholds[sweep.best]),
        names=[it.name for it in some],
        host="html",
    )
    return page._repr_html_()


# ---- numbers and advice


def class_table(
    seen: Sequence[Judged],
    labels: Sequence[np.ndarray],
    history: list[dict[str, Any]],
    classes: Sequence[str],
) -> dict[str, list]:
    """One row a class: photos, mean quality and, of step 1, average precision."""
    ap = class_precision(history, len(classes))
    columns = ["class", "photos", "mean of the numbers below, %"]
    columns += ["average precision of the tag, %"] if ap else []
    rows = []
    for k, name in enumerate(classes):
        pairs = zip(seen, labels, strict=True)
        values = [it.quality(k, mine) for it, mine in pairs if it.tags[k]]
        numbers = [float(np.mean(values)) if values else None, *ap[k : k + 1]]
        cells = ["–" if it is None else f"{100 * it:.0f}" for it in numbers]
        rows.append([name, str(len(values)), *cells])
    return dict(columns=columns, table=rows)


def class_precision(history: list[dict[str, Any]], count: int) -> list[float | None]:
    """Average precision of each class in the last epoch that has it."""
    lines = [line["ap"]["coarse_logits"] for line in history if line.get("ap")]
    return lines[-1] if lines and len(lines[-1]) == count else []


def advise(
    run: Run, seen: Sequence[Judged], classes: Sequence[str]
) -> list[tuple[str, str]]:
    """What the numbers suggest, most urgent first, each with a command where one helps."""
    folder, of_tags = run.folder, isinstance(run.settings, CamConfig)
    found = [*weak_classes(run, seen, classes), *still_falling(run)]
    if not of_tags:
        text = "Try it on photos that nobody has tagged."
        return [*found, (text, f"weaktr segment PHOTO --run {folder}")]
    review = "See what the network doubts, and correct tags."
    masks = "Make masks of the tagged photos, then train a network that needs no tags."
    return [
        *found,
        (review, f"weaktr review {folder}"),
        (masks, f"weaktr make-labels {folder}"),
    ]


def weak_classes(
    run: Run, seen: Sequence[Judged], classes: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Classes that nothing measures, and those whose tag is hardly found."""
    shown = np.sum([it.tags for it in seen], axis=0).tolist()
    if absent := [name for name, n in zip(classes, shown, strict=True) if not n]:
        yield f"No photo that measures shows {shorten(absent)}: add some.", ""
    precision = class_precision(run.history, len(classes))
    weak = [
        f"{name} ({100 * ap:.0f} %{f', only {n} photos measure it' if n < FEW else ''})"
        for name, ap, n in zip(classes, precision, shown, strict=False)
        if ap is not None and ap < 0.5 and n < len(seen) / 2
    ]
    if weak:
        yield (
            f"The tag is found with an average precision below 50 %: {shorten(weak)}. "
            "Look at these tags first, then add photos.",
            f"weaktr review {run.folder}",
        )


def still_falling(run: Run) -> Iterator[tuple[str, str]]:
    """Whether a longer training would help."""
    totals = [line["losses"]["total"] for line in run.history if line["losses"]]
    if len(totals) > 1 and totals[-1] < 0.97 * totals[-2]:
        share = 100 * (1 - totals[-1] / totals[-2])
        yield (
            f"The loss still fell by {share:.0f} % in the last epoch: train for longer.",
            f"the same command with --resume --set epochs={2 * run.settings.epochs}",
        )
