"""Look into a network: a photo goes in, plain arrays or an explorer come out.

Explorers take arrays only; the way from a network and a photo to those arrays is here.
"""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from weaktr_core.data.photos import PHOTOS, photo
from weaktr_core.data.transforms import resize_short_side
from weaktr_core.method import cams
from weaktr_core.method.attention import attention_maps, record_attention
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.checkpoints import load_checkpoint
from weaktr_core.networks.network import prepare
from weaktr_core.networks.pretrained import load_vit
from weaktr_core.runtime import write_atomically
from weaktr_core.train.runs import Run
from weaktr_core.widgets.heads import explore_heads
from weaktr_core.widgets.host import choose_host
from weaktr_core.widgets.live import LiveExplorer

MOST_PATCHES = 1024  # their attention takes 300 MB in a network of 72 heads
MOST_VALUES = 1.6e6  # of attention in a page, which is then about 2 MB large


def open_run(folder: str) -> WeakTr:
    """The best CAM network of a folder written by train-cam.

    Raises:
        WeakTrError: the folder holds no run, or one of another step.
    """
    run = Run(folder)
    _ = run.config  # a missing run is said as such
    return load_checkpoint(run.best)


def open_network(name: str) -> str | WeakTr:
    """A backbone's name as it is, anything that may be a folder as a run, see `open_run`.

    Args:
        name: of a backbone ("dinov2-s", …), or a folder written by train-cam.
    """
    return open_run(name) if "/" in name or Path(name).is_dir() else name


# ---- photo → attention


class PhotoAttention(NamedTuple):
    """All attention maps of a photo.

    Attributes:
        seen: (h·patch, w·patch, 3) uint8, the photo as the network saw it.
        attention: (L, H, T, T), rows after the softmax.
        grid: (h, w) of the patches, the last h·w tokens.
        tokens: names of those before.
    """

    seen: np.ndarray
    attention: np.ndarray
    grid: tuple[int, int]
    tokens: tuple[str, ...]


def photo_attention(
    photo: np.ndarray, network: str | WeakTr = "dinov2-s", size: int = 168
) -> PhotoAttention:
    """All attention maps of a photo.

    Args:
        photo: (height, width, 3) uint8.
        network: a backbone by name, or a trained CAM network.
        size: short side in pixels at which the network sees the photo, less where a
            photo is so long that more than ``MOST_PATCHES`` would come of it; what does
            not fill a patch at the right and bottom is cut off.

    Raises:
        ValueError: no whole patch fits.
    """
    owner: Any
    if isinstance(network, WeakTr):
        owner, vit = network, network.backbone.vit
        tokens = tuple(f"token of {c}" for c in network.notes["classes"])
    else:
        owner = vit = load_vit(network, min(max(size, 32), 512)).eval()
        tokens = ("class token",)
    step = vit.patch_embed.patch_size[0]
    resized = resize_short_side(photo, fitting_size(photo.shape, size, step))
    h, w = (side // step for side in resized.shape[:2])
    seen = np.ascontiguousarray(resized[: h * step, : w * step])
    with torch.no_grad(), record_attention(vit) as layers:
        vit.forward_features(prepare(owner, seen))
    attention = attention_maps(layers)[0].numpy()
    others = attention.shape[-1] - h * w - len(tokens)  # registers, a distillation token
    tokens += tuple(f"extra token {n + 1}" for n in range(others))
    return PhotoAttention(seen, attention, (h, w), tokens)


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


# ---- attention → explorer


def explore_photo(
    photo: np.ndarray,
    network: str | WeakTr = "dinov2-s",
    *,
    name: str = "photo",
    size: int = 168,
    host: str | None = None,
) -> Any:
    """The head explorer of a photo; arguments as in `photo_attention`."""
    found = photo_attention(photo, network, size)
    layers, heads = found.attention.shape[:2]
    (h, w), every = found.grid, 2
    while layers * heads * (h * w) ** 2 / every**2 > MOST_VALUES:
        every += 1  # ask from fewer patches
    side = fitting_size(photo.shape, size, len(found.seen) // h)
    return explore_heads(
        same_part(photo, found.seen, side), found.attention, names=[name],
        tokens=found.tokens, grid=found.grid, every=every, host=host,
    )  # fmt: skip


def write_explorer(
    path: Path, photo: np.ndarray, network: str | WeakTr, *, name: str, size: int
) -> int:
    """Write the head explorer of a photo as one HTML file → its size in bytes.

    Args:
        path: of the file; its folder is made if need be.
        photo, network, size: see `photo_attention`.
        name: what the photo shows.
    """
    page = explore_photo(photo, network, name=name, size=size, host="html")
    text = page.document(f"Attention heads on {name}").encode()
    write_atomically(path, lambda part: part.write_bytes(text))
    return len(text)


def explore_live(
    network: str = "dinov2-s", *, size: int = 168, host: str | None = None
) -> Any:
    """The head explorer with controls: choose or upload a photo, choose a network.

    Without a kernel nobody could run the network on another photo: then it is the
    explorer of the first built-in photo, see `widgets.host.choose_host`.

    Args:
        network: a backbone by name, or a folder written by train-cam.
        size: short side in pixels at which the network sees a photo.
        host: "live", "html", or None to find out.

    Returns:
        A `widgets.live.LiveExplorer`, or a `widgets.host.Page`.
    """
    opened = lru_cache(maxsize=1)(open_network)

    where = choose_host(host)

    def explore(name: str, pixels: np.ndarray, wanted: str) -> Any:
        return explore_photo(pixels, opened(wanted), name=name, size=size, host=where)

    if where == "html":
        return explore(PHOTOS[0], photo(PHOTOS[0]), network)
    photos = {name: partial(photo, name) for name in PHOTOS}
    return LiveExplorer(explore, photos, network)


# ---- what the fusion weighs, and what comes of it


@torch.no_grad()
def fusion_inputs(
    model: WeakTr, images: Float[Tensor, "B 3 height width"], tags: np.ndarray
) -> list[dict[str, np.ndarray]]:
    """What `explore_fusion` wants of each image, from a trained CAM network.

    Args:
        model: in eval mode.
        images: normalised.
        tags: (B, K), more than 0 where a class is in the image.

    Returns:
        For each image a dictionary: ``classes`` (P,) indices of its tagged classes,
        ``class_rows`` (L, H, P, N), ``patch_rows`` (L, H, N, N), ``coarse`` (P, h, w)
        and the ``learned`` head weights (L, H).
    """
    tokens = model.encode(images)
    output = model.read_out(tokens)
    patches = tokens.grid[0] * tokens.grid[1]
    found = []
    for index, present in enumerate(tags):
        classes = np.flatnonzero(present)
        layers = [layer.rows()[index] for layer in tokens.layers]  # L of (H, T, T)
        rows = torch.stack(layers).cpu().numpy()[..., -patches:]  # (L, H, T, N)
        one = dict(
            classes=classes,
            class_rows=rows[:, :, classes],
            patch_rows=rows[:, :, -patches:],
            coarse=output.coarse_cam[index].cpu().numpy()[classes],
            learned=output.head_weights[index].cpu().numpy(),
        )
        found.append(one)
    return found


@torch.no_grad()
def stage_inputs(
    model: WeakTr, images: Float[Tensor, "B 3 height width"], tags: np.ndarray
) -> list[dict[str, np.ndarray]]:
    """What `explore_stages` wants of each image: its maps before cap, product and jumps.

    Args:
        model: in eval mode.
        images: normalised.
        tags: (B, K), more than 0 where a class is in the image.

    Returns:
        For each image a dictionary: ``classes`` (P,) indices of its tagged classes,
        ``coarse`` and ``cross`` (P, h, w), the latter without a cap, and ``affinity``
        (N, N), patch → patch attention, heads weighted.
    """
    tokens = model.encode(images)
    output = model.read_out(tokens)
    fused = cams.fused_attention(tokens.layers, output.head_weights).cpu()  # (B, T, T)
    patches = tokens.grid[0] * tokens.grid[1]
    found = []
    for index, present in enumerate(tags):
        classes = np.flatnonzero(present)
        rows = fused[index, :, -patches:].numpy()  # (T, N)
        one = dict(
            classes=classes,
            coarse=output.coarse_cam[index].cpu().numpy()[classes],
            cross=rows[classes].reshape(-1, *tokens.grid),
            affinity=rows[-patches:],
        )
        found.append(one)
    return found
