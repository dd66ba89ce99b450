"""The class-token explorer: where each class's token looks, before and after training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from weaktr_core.widgets.host import explorer
from weaktr_core.widgets.pack import check_photo, find_grid, jpeg, pack, per_photo, quantise

PerPhoto = np.ndarray | Sequence[np.ndarray]
"""One array for each photo: a list, or stacked along the first axis."""


def explore_class_tokens(
    photos: PerPhoto,
    attention: PerPhoto,
    classes: Sequence[str],
    *,
    stages: Sequence[str] = ("before", "after"),
    tags: PerPhoto | None = None,
    cover: PerPhoto | None = None,
    weights: PerPhoto | None = None,
    names: Sequence[str] | None = None,
    grid: tuple[int, int] | Sequence[tuple[int, int]] | None = None,
    host: str | None = None,
) -> Any:
    """Compare where class tokens look: stages side by side, all classes and layers.

    Small maps show the square root of the attention; every map has its own scale.

    Every argument marked "each" is a list with one entry for each photo.

    Args:
        photos: (height, width, 3) uint8 each.
        attention: of the K class tokens to the N patches: (S, L, H, K, N) each, or
            (S, L, K, N) with the heads averaged.
        classes: K names.
        stages: S names, 1 or more, for instance of a network before and after training.
        tags: (K,) each, 1 where the class is in the photo. Default: none is known.
        cover: (K, N) each, the share of each patch that a class covers, from a mask.
            With it, every map says how its attention is divided.
        weights: (S, L, H) each, head weights; adds the mean of all heads so weighted.
        names: what each photo shows; default "photo 1", …
        grid: (h, w) of all photos, or one for each; default: square.
        host: "live", "html", or None to find out, see `host.choose_host`.

    Returns:
        A live widget with the integer traits ``photo``, ``token`` (index of the class),
        ``layer`` (L: mean of all layers, L + 1: heads weighted) and ``stage`` (of the
        small maps) and the bool ``apart`` (show what sets a class apart from the
        others), or a `host.Page`.

    Raises:
        ValueError: where shapes or counts do not fit.
    """
    if grid is None or isinstance(grid[0], int):
        grid = [grid] * len(photos)  # type: ignore[list-item]
    each = per_photo(
        len(photos), photo=photos, attention=attention, tags=tags, cover=cover,
        weights=weights, name=names, grid=grid,
    )  # fmt: skip
    shown = [describe(n, len(stages), len(classes), **one) for n, one in enumerate(each)]
    layers = attention[0].shape[1]
    rows = [f"layer {n + 1}" for n in range(layers)] + ["the mean of all layers"]
    rows += [] if weights is None else ["the mean of all heads, weighted"]
    data = dict(
        classes=[str(c) for c in classes],
        stages=[str(s) for s in stages],
        rows=rows,
        layers=layers,
        photos=shown,
    )
    first = int(np.argmax(shown[0]["tags"]))
    state = dict(photo=0, token=first, layer=layers - 1, stage=len(stages) - 1, apart=False)
    sentence = f"{shown[0]['name']}: where each of {len(classes)} class tokens looks."
    return explorer(
        "class_tokens", data, state, sentence=sentence, poster=shown[0]["jpeg"], host=host
    )


def describe(
    number: int,
    stages: int,
    num_classes: int,
    *,
    photo: np.ndarray,
    attention: np.ndarray,
    tags: np.ndarray | None,
    cover: np.ndarray | None,
    weights: np.ndarray | None,
    name: str | None,
    grid: tuple[int, int] | None,
) -> dict[str, Any]:
    """A photo, its maps and what is measured on them, as the page keeps them."""
    check_photo(photo)
    check_rows(attention, stages, num_classes)
    h, w = find_grid(attention.shape[-1], grid)
    rows = layer_rows(attention, weights)  # (S, R, K, N)
    shares = rows / rows.sum(axis=-1, keepdims=True)
    apart = shares - shares.mean(axis=2, keepdims=True)  # (S, R, K, N)
    elsewhere = np.abs(apart).sum(axis=-1) / 2  # (S, R, K)
    heard = np.where(elsewhere[..., None] < 5e-4, 0, apart.clip(min=0))
    known = {} if cover is None else divide(shares, np.asarray(cover, np.float32))
    return dict(
        name=str(name if name is not None else f"photo {number + 1}"),
        jpeg=jpeg(photo),
        grid=[h, w],
        tags=[int(t > 0) for t in (tags if tags is not None else [0] * num_classes)],
        # roots, since a few patches outshine the rest of a class token's map
        maps=pack(quantise(np.sqrt(np.stack([rows, heard])))),  # (2, S, R, K, N)
        elsewhere=per_mille(elsewhere),
        **known,
    )


def check_rows(attention: np.ndarray, stages: int, num_classes: int) -> None:
    """Raise ValueError unless these are class-token rows of so many stages and classes."""
    if attention.ndim not in (4, 5) or (len(attention), attention.shape[-2]) != (
        stages,
        num_classes,
    ):
        raise ValueError(
            "attention of a photo is (S, L, K, N) or (S, L, H, K, N) with "
            f"S={stages} stages and K={num_classes} classes, came {attention.shape}"
        )


def layer_rows(
    attention: np.ndarray, weights: np.ndarray | None
) -> Float[np.ndarray, "S R K N"]:
    """Every layer, the mean of all, and perhaps the mean of all heads as weighted."""
    attention = np.asarray(attention, dtype=np.float32)
    layers = attention.mean(axis=2) if attention.ndim == 5 else attention
    rows = [layers, layers.mean(axis=1, keepdims=True)]
    if weights is not None:
        if attention.shape[:3] != np.shape(weights):
            raise ValueError(
                f"weights are (S, L, H) of attention (S, L, H, K, N), came "
                f"{np.shape(weights)} for {attention.shape}"
            )
        fused = np.einsum("slh,slhkn->skn", weights, attention) / weights[0].size
        rows.append(fused[:, None].astype(np.float32))
    return np.concatenate(rows, axis=1)


def divide(
    shares: Float[np.ndarray, "S R K N"], cover: Float[np.ndarray, "K N"]
) -> dict[str, Any]:
    """How the attention is divided: on the class itself, and on other objects.

    ``even`` is what a token would have that looks at every patch alike.
    """
    own = np.einsum("srkn,kn->srk", shares, cover)
    objects = shares @ cover.sum(axis=0)  # (S, R, K)
    even = np.stack([cover.mean(axis=1), cover.sum(axis=0).mean() - cover.mean(axis=1)])
    return dict(own=per_mille(own), others=per_mille(objects - own), even=per_mille(even))


def per_mille(values: np.ndarray) -> list:
    """Shares as whole numbers of thousandths: short on the page."""
    return np.round(1000 * values).astype(int).tolist()
