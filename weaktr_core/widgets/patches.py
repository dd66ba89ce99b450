"""The patch explorer: one row of an attention matrix, for the patch that is clicked."""

from __future__ import annotations

from typing import Any

import numpy as np

from weaktr_core.widgets.heads import check_attention
from weaktr_core.widgets.host import explorer
from weaktr_core.widgets.pack import check_photo, jpeg, pack, quantise


def explore_patches(
    photo: np.ndarray,
    attention: np.ndarray,
    *,
    name: str = "photo",
    prefix: int = 1,
    grid: tuple[int, int] | None = None,
    heads: tuple[int, ...] = (),
    host: str | None = None,
) -> Any:
    """Click a patch of a photo: which patches does it attend to?

    Args:
        photo: (height, width, 3) uint8.
        attention: (L, H, T, T), rows after the softmax, of any ViT.
        name: what the photo shows.
        prefix: how many tokens come before the h·w patches; they are left out.
        grid: (h, w); default: square.
        heads: which heads can be chosen beside the mean of all; few keep the page
            small.
        host: "live", "html", or None to find out, see `host.choose_host`.

    Returns:
        A live widget with the integer traits ``layer``, ``head`` (-1: mean of all, else
        an index into ``heads``) and ``query`` (index of the patch), or a `host.Page`.

    Raises:
        ValueError: where shapes do not fit.
    """
    check_photo(photo)
    h, w = check_attention(attention, prefix, grid)
    patches = attention[:, :, prefix:, prefix:].astype(np.float32)
    shown = np.concatenate([patches[:, list(heads)], patches.mean(axis=1)[:, None]], axis=1)
    layers = len(attention)
    poster = jpeg(photo)
    data = dict(
        name=str(name),
        jpeg=poster,
        grid=[h, w],
        shape=[layers, len(heads)],
        heads=[int(k) for k in heads],
        attention=pack(quantise(shown)),
    )
    state = dict(layer=layers - 1, head=-1, query=(h // 2) * w + w // 2)
    sentence = f"{name}: what one of its {h} x {w} patches attends to."
    return explorer("patches", data, state, sentence=sentence, poster=poster, host=host)
