"""What the network says of some photos, small enough to come with the page."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image

from weaktr_core.method.cams import refine_by_features
from weaktr_core.networks.backbone import Tokens
from weaktr_core.networks.cam import WeakTr
from weaktr_core.widgets.pack import jpeg, pack_rows

PATCHES = 108
"""At most so many: 72 heads' attention between them is most of the page."""

PATCH_LEVELS, TOKEN_LEVELS, AFFINITY_LEVELS = 8, 32, 256
"""Steps of attention between patches and from class tokens, and of alikeness."""


def patch_grid(height: int, width: int, most: int = PATCHES) -> tuple[int, int]:
    """(h, w) patches whose shape is a photo's, at most ``most``; as picture.js has it."""

    def cost(h: int) -> float:
        w = columns(h)
        shape = abs(np.log((w * height) / (h * width)))
        return shape + 0.5 * abs(np.log(h * w / most))

    def columns(h: int) -> int:
        return max(1, min(most // h, int(h * width / height + 0.5)))

    rows = min(range(1, most + 1), key=cost)
    return rows, columns(rows)


@torch.no_grad()
def sample(
    model: WeakTr, photo: np.ndarray, *, name: str, credit: str, most_classes: int = 3
) -> dict[str, Any]:
    """One photo as the page's `photos.js` opens it.

    Args:
        model: in eval mode.
        photo: (height, width, 3) uint8.
        name, credit: shown with it.
        most_classes: so many, the likeliest, can be looked at.
    """
    grid, patch = patch_grid(*photo.shape[:2]), model.backbone.patch_size[0]
    size = (grid[1] * patch, grid[0] * patch)
    seen = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC))
    tokens = model.encode(model.prepare(seen))
    output = model.read_out(tokens)
    likely = output.coarse_logits[0].sigmoid()
    classes = likely.argsort(descending=True)[:most_classes].tolist()
    maps = torch.stack([layer.rows()[0] for layer in tokens.layers])  # (L, H, T, T)
    rows = maps.flatten(0, 1)[..., -len(tokens.patches[0]) :].numpy()  # (L·H, T, N)
    return dict(
        name=name,
        credit=credit,
        jpeg=jpeg(photo),
        grid=list(grid),
        probabilities=rounded_list(likely),
        learned=rounded_list(output.head_weights[0].flatten()),
        classes=classes,
        tokenRows=pack_rows(rows[:, classes].swapaxes(0, 1), TOKEN_LEVELS),
        patchRows=pack_rows(rows[:, model.num_classes :], PATCH_LEVELS),
        evidence=rounded_list(output.coarse_cam[0, classes].flatten()),
        affinity=affinity(model, tokens),
        colours=rounded_list(patch_colours(tokens).flatten(), 0),
    )


def affinity(model: WeakTr, tokens: Tokens) -> dict[str, Any] | None:
    """How alike patches are (N, N), where the network refines by that."""
    if model.options["refine"] != "features":
        return None
    patches = tokens.patches
    one_each = torch.eye(patches.shape[1])[None].unflatten(2, tokens.grid)  # (1, N, h, w)
    columns = refine_by_features(one_each, patches)[0].flatten(1)  # (N, N)
    return pack_rows(columns.T.numpy(), AFFINITY_LEVELS)


def rounded_list(values: torch.Tensor, digits: int = 4) -> list[float]:
    """Numbers as JSON has them, no longer than they are worth."""
    return [round(v, digits) if digits else round(v) for v in values.tolist()]


def patch_colours(tokens: Tokens) -> torch.Tensor:
    """(N, 3), 0 to 255: three principal components of the last layer's patches."""
    rows = tokens.layers[-1].block[0, -len(tokens.patches[0]) :]
    rows = rows - rows.mean(dim=0)
    _, _, axes = torch.linalg.svd(rows, full_matrices=False)
    axes = axes[:3] * torch.where(axes[:3].sum(dim=1) < 0, -1, 1)[:, None]
    along = rows @ axes.T
    low, high = along.quantile(0.01, dim=0), along.quantile(0.99, dim=0)
    return (255 * (along - low) / (high - low)).clamp(0, 255)
