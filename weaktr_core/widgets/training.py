"""The training explorer: head weights, maps and curves, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weaktr_core.figures.style import colour_of
from weaktr_core.widgets.host import explorer
from weaktr_core.widgets.pack import check_photo, jpeg, pack_rows, photo_names

Curves = Mapping[str, Mapping[str, Sequence[float | None]]]


def explore_training(
    weights: np.ndarray,
    maps: np.ndarray,
    photos: np.ndarray | Sequence[np.ndarray],
    curves: Curves | None = None,
    *,
    names: Sequence[str] | None = None,
    stages: Sequence[str] = ("map",),
    host: str | None = None,
) -> Any:
    """Play a training: the table of head weights and a map of each stage follow.

    Args:
        weights: (E, L, H), or (E, images, L, H) of each photo; E moments, the first
            before training.
        maps: (E, images, stages, h, w), not negative, of one class of each photo.
        photos: each (height, width, 3) uint8.
        curves: panels of named curves, ``{"mIoU, %": {"fine CAM": E numbers}}``; None
            where an epoch has no number.
        names: what is mapped on each photo; default "photo 1", …
        stages: names of the stages.
        host: "live", "html", or None to find out, see `host.choose_host`.

    Returns:
        A live widget with the integer traits ``epoch``, ``photo`` and ``stage`` and the
        boolean ``common`` (one scale of a map for all epochs), or a `host.Page`.

    Raises:
        ValueError: where shapes do not fit.
    """
    if weights.ndim == 3:
        weights = np.repeat(weights[:, None], len(photos), axis=1)
    check_training(weights, maps, photos, stages, curves or {})
    for photo in photos:
        check_photo(photo)
    names = photo_names(names, len(photos))
    images = [jpeg(photo) for photo in photos]
    h, w = maps.shape[3:]
    data = dict(
        shape=list(weights.shape),
        weights=np.round(weights.astype(float), 4).ravel().tolist(),
        top=float(weights.max()),
        maps=pack_rows(maps.reshape(*maps.shape[:3], h * w).astype(np.float32), 64),
        grid=[h, w],
        photos=[dict(name=str(n), jpeg=j) for n, j in zip(names, images, strict=True)],
        stages=[str(s) for s in stages],
        epochs=["before training", *(f"epoch {n}" for n in range(1, len(weights)))],
        panels=[describe_panel(*panel) for panel in (curves or {}).items()],
    )
    state = dict(epoch=len(weights) - 1, photo=0, stage=len(stages) - 1, common=False)
    sentence = f"{names[0]}: head weights and maps through a training."
    return explorer("training", data, state, sentence=sentence, poster=images[0], host=host)


def describe_panel(
    title: str, curves: Mapping[str, Sequence[float | None]]
) -> dict[str, Any]:
    """Curves of one panel, each with its colour; what is not a number becomes null."""
    lines = []
    for number, (name, values) in enumerate(curves.items()):
        known = [None if v is None or not np.isfinite(v) else float(v) for v in values]
        line = dict(name=str(name), values=known, colour=colour_of(name, number))
        lines.append(line)
    return dict(title=str(title), curves=lines)


def check_training(
    weights: np.ndarray,
    maps: np.ndarray,
    photos: np.ndarray | Sequence[np.ndarray],
    stages: Sequence[str],
    curves: Curves,
) -> None:
    """Raise ValueError unless all have the same epochs, photos and stages."""
    expected = (weights.shape[0], len(photos), len(stages))
    if weights.ndim != 4 or weights.shape[1] != len(photos):
        raise ValueError(
            f"weights are (E, L, H) or (E, {len(photos)} photos, L, H), "
            f"came {weights.shape}"
        )
    if maps.ndim != 5 or maps.shape[:3] != expected:
        raise ValueError(f"maps are {expected} and (h, w), came {maps.shape}")
    for panel in curves.values():
        for name, values in panel.items():
            if len(values) != len(weights):
                raise ValueError(
                    f"curve {name!r}: {len(values)} numbers, {expected[0]} epochs"
                )
