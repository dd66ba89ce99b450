"""The review: mask after mask, the least sure first, and what a person says of each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weaktr_core.widgets.host import Page, choose_host, live_class
from weaktr_core.widgets.pack import label_key
from weaktr_core.widgets.thresholds import describe


def explore_review(
    photos: Sequence[np.ndarray],
    scores: Sequence[np.ndarray],
    classes: Sequence[np.ndarray],
    probabilities: Sequence[np.ndarray],
    *,
    class_names: Sequence[str],
    threshold: float,
    names: Sequence[str],
    decisions: Mapping[str, Mapping[str, Any]] | None = None,
    host: str | None = None,
) -> Any:
    """Go through photos: keep, correct tags, set a threshold or a point, leave out.

    Args:
        photos: (height, width, 3) uint8 each.
        scores: (P, h, w) each, in [0, 1], of the P tags.
        classes: (P,) each, the indices of the tags.
        probabilities: (K,) each: how sure the network is of every class.
        class_names: K names.
        threshold: background score of all photos.
        names: of the photos, by which decisions know them.
        decisions: what was said before, by name, as `retagged.Decision` has it; give
            one for every photo, so that an undone one is heard of.
        host: "live", "html", or None to find out, see `host.choose_host`.

    Returns:
        A live widget with the traits ``photo`` (int) and ``decisions`` (JSON of all, by
        name), or a `host.Page`.
    """
    shown = []
    for photo, mine, tags, sure, name in zip(
        photos, scores, classes, probabilities, names, strict=True
    ):
        one = describe(photo, mine, tags, None, None, name, count=0)
        one |= dict(tags=tags.tolist(), sure=np.round(sure.astype(float), 3).tolist())
        shown.append(one)
    data = dict(
        photos=shown,
        threshold=float(threshold),
        **label_key(class_names),
    )
    state = dict(photo=0, decisions=json.dumps(decisions or {}))
    if choose_host(host) == "live":
        return live_class("review", state)(data=data, **state)
    sentence = f"{len(shown)} photos to review, beginning with {names[0]}."
    return Page("review", {"data": data, **state}, sentence, shown[0]["jpeg"])
