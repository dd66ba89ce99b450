"""The clip map: which pixels stop teaching, for any start value and window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from weaktr_core.data.sample import IGNORE
from weaktr_core.widgets.host import explorer
from weaktr_core.widgets.pack import (
    check_photo,
    jpeg,
    label_key,
    pack,
    per_photo,
    photo_names,
    unpack,
)

STEP = 1000
"""Steps per nat in which losses are kept; 65.535 nats are the most."""


def explore_clipping(
    photos: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    losses: Sequence[np.ndarray],
    truths: Sequence[np.ndarray] | None = None,
    *,
    class_names: Sequence[str],
    names: Sequence[str] | None = None,
    start: float = 1.2,
    window: int = 120,
    host: str | None = None,
) -> Any:
    """Move start value and window of the gradient-clipping loss, see who stops teaching.

    The photos are one batch. The threshold λ is computed in the page as
    `losses.clipping_threshold` does: over the batch or within each image, windows cut
    at the border, ignored pixels counted with their loss of 0 as published. Losses are
    kept in thousandths of a nat.

    Args:
        photos: (height, width, 3) uint8 each; B of them.
        labels: (h, w) each, what is learned from: 0, k + 1, or 255 for ignored.
        losses: (h, w) each, the unclipped loss of every pixel, nats. All of one size.
        truths: (h, w) each, true labels, to tell which labels are wrong.
        class_names: K names.
        names: what the photos show; default "photo 1", …
        start: mean loss above which nothing is clipped, nats.
        window: side of the windows, pixels.
        host: "live", "html", or None to find out, see `host.choose_host`.

    Returns:
        A live widget with the traits ``photo`` and ``window`` (int), ``start`` (float),
        ``per_image`` and ``truth`` (bool: mark which clipped labels are wrong), or a
        `host.Page`.

    Raises:
        ValueError: where shapes do not fit.
    """
    names = photo_names(names, len(photos))
    size = losses[0].shape
    each = per_photo(
        len(photos), photo=photos, label=labels, loss=losses, truth=truths, name=names
    )
    shown = [describe(size=size, **one) for one in each]
    top = float(np.ceil(np.quantile(np.stack(losses), 0.995)))
    data = dict(
        photos=shown,
        grid=list(size),
        step=STEP,
        top=max(top, 1.0),
        **label_key(class_names),
    )
    window = min(int(window), max(size))
    state = dict(photo=0, start=float(start), window=window, per_image=False, truth=False)
    sentence = f"{names[0]}: its partly wrong label, the loss of every pixel, the pixels "
    sentence += f"that do not teach at a window of {window} pixels."
    return explorer(
        "clipping", data, state, sentence=sentence, poster=shown[0]["jpeg"], host=host
    )


def describe(
    photo: np.ndarray,
    label: np.ndarray,
    loss: np.ndarray,
    truth: np.ndarray | None,
    name: str,
    size: tuple[int, ...],
) -> dict[str, Any]:
    """A photo, its label, its loss in steps, and its true mask."""
    check_photo(photo)
    given = {"label": label, "loss": loss, "truth": label if truth is None else truth}
    for what, values in given.items():
        if values.ndim != 2 or values.shape != size:
            raise ValueError(f"all maps of a batch are {size}, {what} is {values.shape}")
    ids = np.unique(label[label != IGNORE])
    return dict(
        name=str(name),
        jpeg=jpeg(photo),
        present=[int(i) for i in ids],
        label=pack(label.astype(np.uint8)),
        loss=pack_loss(loss),
        truth=None if truth is None else pack(truth.astype(np.uint8)),
    )


def pack_loss(loss: np.ndarray) -> dict[str, Any]:
    """Losses (h, w) in steps of 1/1000: high bytes, then low bytes, (2, h, w)."""
    steps = np.round(np.clip(loss, 0, 65535 / STEP) * STEP).astype(np.uint16)
    return pack(np.stack([steps >> 8, steps & 255]).astype(np.uint8))


def unpack_loss(packed: dict[str, Any]) -> np.ndarray:
    """Undo `pack_loss`, up to half a step: (h, w) float64."""
    high, low = unpack(packed).astype(np.float64)
    return (256 * high + low) / STEP
