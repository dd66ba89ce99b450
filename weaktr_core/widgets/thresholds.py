"""The threshold explorer: one background score, and the labels that it makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from weaktr_core.labels.recipe import best_class
from weaktr_core.scores.metrics import THRESHOLDS
from weaktr_core.widgets.host import explorer
from weaktr_core.widgets.pack import (
    check_photo,
    jpeg,
    label_key,
    pack,
    per_photo,
    photo_names,
)


def explore_thresholds(
    photos: Sequence[np.ndarray],
    scores: Sequence[np.ndarray],
    classes: Sequence[np.ndarray],
    masks: Sequence[np.ndarray] | None = None,
    *,
    class_names: Sequence[str],
    iou: np.ndarray | None = None,
    otsu: float | None = None,
    peeked: float | None = None,
    crf: Sequence[np.ndarray] | None = None,
    crf_thresholds: Sequence[float] = (),
    names: Sequence[str] | None = None,
    host: str | None = None,
) -> Any:
    """Move the background score and see the labels it makes, and how good they are.

    A page keeps two bytes per pixel: the label of the best class, and how many of the
    101 thresholds its score beats strictly. So every threshold gives exactly the labels
    of `labels.label_map`. A CRF cannot run in a browser: its label maps are made
    before, at a few thresholds, and the one nearest to the slider is shown.

    Args:
        photos: (height, width, 3) uint8 each.
        scores: (P, h, w) each, in [0, 1], of the P classes in the photo.
        classes: (P,) each, their indices k.
        masks: (h, w) each, true labels 0, k + 1 or 255; None where there are none.
        class_names: K names.
        iou: (101, K + 1) of a whole dataset, background first, as `metrics.Sweep.iou`.
        otsu: a background score chosen without masks.
        peeked: one chosen with masks.
        crf: (M, h, w) uint8 each, labels after a CRF at each of ``crf_thresholds``.
        crf_thresholds: (M,) background scores.
        names: what the photos show; default "photo 1", …
        host: "live", "html", or None to find out, see `host.choose_host`.

    Returns:
        A live widget with the traits ``photo`` (int), ``threshold`` (float), ``crf``
        and ``truth`` (bool: the true mask's outline) and ``curve`` (-1: mean of all
        classes, else a label), or a `host.Page`.

    Raises:
        ValueError: where shapes do not fit.
    """
    check_curves(iou, len(class_names) + 1)
    names = photo_names(names, len(photos))
    each = per_photo(
        len(photos), photo=photos, scores=scores, classes=classes, mask=masks, crf=crf,
        name=names,
    )  # fmt: skip
    count = len(crf_thresholds)
    shown = [describe(count=count, **one) for one in each]
    data = dict(
        photos=shown,
        thresholds=np.round(THRESHOLDS, 6).tolist(),
        marks=named_marks(otsu, peeked),
        curves=describe_curves(iou),
        crf=[float(t) for t in crf_thresholds],
        **label_key(class_names),
    )
    start = next((t for t in (otsu, peeked) if t is not None), 0.5)
    state = dict(photo=0, threshold=float(start), crf=False, truth=False, curve=-1)
    sentence = f"{names[0]}: the labels that a background score of {start:.2f} makes."
    return explorer(
        "thresholds", data, state, sentence=sentence, poster=shown[0]["jpeg"], host=host
    )


def describe(
    photo: np.ndarray,
    scores: np.ndarray,
    classes: np.ndarray,
    mask: np.ndarray | None,
    crf: np.ndarray | None,
    name: str,
    *,
    count: int,
) -> dict[str, Any]:
    """A photo, the order of its scores among the thresholds, and its label maps."""
    check_photo(photo)
    if scores.ndim != 3 or len(scores) != len(classes):
        raise ValueError(
            f"scores are (P, h, w) of P classes, came {scores.shape} of {len(classes)}"
        )
    size = scores.shape[1:]
    if mask is not None and mask.shape != size:
        raise ValueError(f"mask is {mask.shape}, scores are {size}")
    if crf is not None and crf.shape != (count, *size):
        raise ValueError(
            f"crf is {(count, *size)} for {count} thresholds, came {crf.shape}"
        )
    best, score = best_class(scores, classes)
    return dict(
        name=str(name),
        jpeg=jpeg(photo),
        grid=list(size),
        present=[int(k) + 1 for k in classes],
        best=pack(best.astype(np.uint8)),
        beaten=pack(np.searchsorted(THRESHOLDS, score, side="left").astype(np.uint8)),
        mask=None if mask is None else pack(mask.astype(np.uint8)),
        crf=None if crf is None else pack(crf.astype(np.uint8)),
    )


def check_curves(iou: np.ndarray | None, labels: int) -> None:
    """Raise ValueError unless there is an IoU for each threshold and label."""
    expected = (len(THRESHOLDS), labels)
    if iou is not None and iou.shape != expected:
        raise ValueError(f"iou is {expected}, came {iou.shape}")


def describe_curves(iou: np.ndarray | None) -> list[list[float | None]]:
    """The mean over classes, then each label's IoU, by threshold; None where none."""
    if iou is None:
        return []
    curves = np.concatenate([np.nanmean(iou, axis=1, keepdims=True), iou], axis=1).T
    return [
        [None if np.isnan(v) else round(float(v), 4) for v in curve] for curve in curves
    ]


def named_marks(otsu: float | None, peeked: float | None) -> list[list[Any]]:
    """What the buttons jump to."""
    marks = [["Otsu, no mask", otsu], ["peeked at masks", peeked]]
    return [[name, float(value)] for name, value in marks if value is not None]
