"""The vote explorer: what every patch votes, and how the votes add up to a logit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from weaktr_core.widgets.host import explorer
from weaktr_core.widgets.pack import check_photo, jpeg, per_photo, photo_names


def explore_votes(
    photos: np.ndarray | Sequence[np.ndarray],
    votes: np.ndarray | Sequence[np.ndarray],
    *,
    class_names: Sequence[str],
    tags: np.ndarray | Sequence[np.ndarray] | None = None,
    names: Sequence[str] | None = None,
    host: str | None = None,
) -> Any:
    """Count the votes of the patches one by one: their mean is the logit of a class.

    A page keeps three decimals of each vote.

    Args:
        photos: (height, width, 3) uint8 each.
        votes: (K, h, w) each, the signed map of a patch classifier.
        class_names: K names.
        tags: (K,) each, more than 0 where the class is in the photo; the explorer opens
            on the first of them.
        names: what the photos show; default "photo 1", …
        host: "live", "html", or None to find out, see `host.choose_host`.

    Returns:
        A live widget with the traits ``photo``, ``shown`` (index of the class),
        ``patch`` and ``counted`` (how many votes), int, and ``order`` ("strongest" or
        "reading"), or a `host.Page`.

    Raises:
        ValueError: where shapes do not fit.
    """
    names = photo_names(names, len(photos))
    each = per_photo(len(photos), photo=photos, votes=votes, tags=tags, name=names)
    shown = [describe(num_classes=len(class_names), **one) for one in each]
    top = max(float(np.abs(one).max()) for one in votes)
    data = dict(photos=shown, classes=[str(c) for c in class_names], top=top)
    first = int(np.argmax(shown[0]["tags"]))
    strongest = int(np.argmax(votes[0][first]))
    counted = votes[0][first].size // 4
    state = dict(photo=0, shown=first, patch=strongest, counted=counted, order="strongest")
    sentence = f"{names[0]}: which patches vote for {class_names[first]}, which against it."
    return explorer(
        "votes", data, state, sentence=sentence, poster=shown[0]["jpeg"], host=host
    )


def describe(
    photo: np.ndarray,
    votes: np.ndarray,
    tags: np.ndarray | None,
    name: str,
    *,
    num_classes: int,
) -> dict[str, Any]:
    """A photo and the votes of its patches, class by class."""
    check_photo(photo)
    if votes.ndim != 3 or len(votes) != num_classes:
        raise ValueError(f"votes are ({num_classes}, h, w), came {votes.shape}")
    flat = votes.reshape(num_classes, -1).astype(float)
    return dict(
        name=str(name),
        jpeg=jpeg(photo),
        grid=list(votes.shape[1:]),
        votes=np.round(flat, 3).tolist(),
        tags=[int(t > 0) for t in (tags if tags is not None else [0] * num_classes)],
    )
