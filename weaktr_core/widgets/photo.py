"""From anyone's photo to a head explorer, in one call."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from weaktr_core.data.transforms import resize_short_side, to_batch
from weaktr_core.method.attention import attention_maps, record_attention
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.checkpoints import load_checkpoint
from weaktr_core.networks.pretrained import load_vit, normalisation
from weaktr_core.train.runs import Run
from weaktr_core.widgets.heads import explore_heads

MOST_PATCHES = 1024  # their attention takes 300 MB in a network of 72 heads
MOST_VALUES = 1.6e6  # of attention in a page, which is then about 2 MB large


def open_network(name: str) -> str | WeakTr:
    """A backbone's name as it is, anything with a run inside as its CAM network.

    Args:
        name: of a backbone ("dinov2-s", …), or a folder written by train-cam.

    Raises:
        RunError, CheckpointError: the folder holds no run, or of another step.
    """
    if "/" not in name and not Run(name).folder.is_dir():
        return name
    run = Run(name)
    _ = run.config  # a missing run is said as such
    return load_checkpoint(run.best)


def photo_attention(
    photo: np.ndarray, network: str | WeakTr = "dinov2-s", size: int = 168
) -> tuple[np.ndarray, np.ndarray, tuple[int, int], tuple[str, ...]]:
    """All attention maps of a photo.

    Args:
        photo: (height, width, 3) uint8.
        network: a backbone by name, or a trained CAM network.
        size: short side in pixels at which the network sees the photo, less where a
            photo is so long that more than ``MOST_PATCHES`` would come of it; what does
            not fill a patch at the right and bottom is cut off.

    Returns:
        The photo as it was seen, attention (L, H, T, T), the grid (h, w), and the names
        of the tokens before the patches.

    Raises:
        ValueError: no whole patch fits.
    """
    backbone: Any
    if isinstance(network, WeakTr):
        backbone, name = network.backbone.vit, (network.source or {})["name"]
        tokens = tuple(f"token of {c}" for c in network.notes["classes"])
    else:
        backbone = load_vit(network, min(max(size, 32), 512)).eval()
        name, tokens = network, ("class token",)
    step = backbone.patch_embed.patch_size[0]
    resized = resize_short_side(photo, fitting_size(photo.shape, size, step))
    h, w = (side // step for side in resized.shape[:2])
    seen = np.ascontiguousarray(resized[: h * step, : w * step])
    images = to_batch([seen], normalisation(name))
    with torch.no_grad(), record_attention(backbone) as layers:
        backbone.forward_features(images)
    return seen, attention_maps(layers)[0].numpy(), (h, w), tokens


def fitting_size(shape: tuple[int, ...], size: int, step: int) -> int:
    """The short side at which a photo gives at most ``MOST_PATCHES`` patches.

    Args:
        shape: (height, width, …) of the photo.
        size: the short side that is asked for, pixels.
        step: side of a patch, pixels.
    """
    if size < step:
        raise ValueError(f"size {size}: not one patch of {step} pixels fits")
    short, long = sorted(shape[:2])
    for rows in range(size // step, 0, -1):
        side = size if rows == size // step else rows * step
        if rows * (round(long * side / short) // step) <= MOST_PATCHES:
            return side
    raise ValueError(
        f"a photo of {short} x {long} pixels is too narrow: even one row of it would be "
        f"more than {MOST_PATCHES} patches"
    )


def same_part(photo: np.ndarray, seen: np.ndarray, side: int) -> np.ndarray:
    """What ``seen`` shows of a photo, at the photo's own resolution.

    Args:
        photo: (height, width, 3).
        seen: (rows, columns, 3), the photo resized, then cut at the right and bottom.
        side: the short side to which it was resized, pixels.
    """
    factor = min(photo.shape[:2]) / side
    rows, columns = (max(round(length * factor), 1) for length in seen.shape[:2])
    return photo[:rows, :columns]


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
    layers, heads = attention.shape[:2]
    patches, every = grid[0] * grid[1], 2
    while layers * heads * patches**2 / every**2 > MOST_VALUES:
        every += 1  # ask from fewer patches
    side = fitting_size(photo.shape, size, len(seen) // grid[0])
    shown = same_part(photo, seen, side)
    return explore_heads(
        shown, attention, names=[name], tokens=tokens, grid=grid, every=every, host=host
    )
