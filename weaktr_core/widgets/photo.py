"""From anyone's photo to a head explorer, in one call."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from weaktr_core.attention import attention_maps, record_attention
from weaktr_core.data.transforms import resize_short_side, to_batch
from weaktr_core.model import WeakTr
from weaktr_core.pretrained import load_vit, normalisation
from weaktr_core.widgets.heads import explore_heads


def photo_attention(
    photo: np.ndarray, network: str | WeakTr = "dinov2-s", size: int = 168
) -> tuple[np.ndarray, np.ndarray, tuple[int, int], tuple[str, ...]]:
    """All attention maps of a photo.

    Args:
        photo: (height, width, 3) uint8.
        network: a backbone by name, or a trained CAM network.
        size: short side in pixels at which the network sees the photo; what does not
            fill a patch at the right and bottom is cut off.

    Returns:
        The photo as it was seen, attention (L, H, T, T), the grid (h, w), and the names
        of the tokens before the patches.
    """
    backbone: Any
    if isinstance(network, WeakTr):
        backbone, name = network.backbone.vit, (network.source or {})["name"]
        tokens = tuple(f"token of {c}" for c in network.notes["classes"])
    else:
        backbone, name, tokens = load_vit(network, size).eval(), network, ("class token",)
    step = backbone.patch_embed.patch_size[0]
    seen = resize_short_side(photo, size)
    h, w = (side // step for side in seen.shape[:2])
    seen = np.ascontiguousarray(seen[: h * step, : w * step])
    images = to_batch([seen], normalisation(name))
    with torch.no_grad(), record_attention(backbone) as layers:
        backbone.forward_features(images)
    return seen, attention_maps(layers)[0].numpy(), (h, w), tokens


def explore_photo(
    photo: np.ndarray,
    network: str | WeakTr = "dinov2-s",
    *,
    name: str = "photo",
    size: int = 168,
    host: str | None = None,
) -> Any:
    """The head explorer of a photo; arguments as in `photo_attention`."""
    seen, attention, grid, tokens = photo_attention(photo, network, size)
    # a page holds about 1.6 million values at 2 MB; ask from fewer patches if need be
    layers, heads = attention.shape[:2]
    every = 2
    while layers * heads * grid[0] ** 2 * grid[1] ** 2 / every**2 > 1.6e6:
        every += 1
    return explore_heads(
        seen, attention, names=[name], tokens=tokens, grid=grid, every=every, host=host
    )
