"""Patch geometry: image sizes, patch grids and token lists, always (height, width)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Size = tuple[int, int]
"""(height, width), in pixels or in patches."""


def grid_size(image_size: Size, patch_size: Size) -> Size:
    """Patches down and across that cover an image, the last ones perhaps in part."""
    height, width = image_size
    return -(-height // patch_size[0]), -(-width // patch_size[1])


def pad_to_patches(
    images: Float[Tensor, "B C height width"], patch_size: Size
) -> Float[Tensor, "B C padded_height padded_width"]:
    """Pad right and bottom with zeros (the mean colour) up to whole patches."""
    height, width = images.shape[-2:]
    h, w = grid_size((height, width), patch_size)
    below, beside = h * patch_size[0] - height, w * patch_size[1] - width
    return F.pad(images, (0, beside, 0, below)) if below or beside else images


def tokens_to_map(tokens: Float[Tensor, "B N C"], grid: Size) -> Float[Tensor, "B C h w"]:
    """Lay N = h·w tokens out as an image, row by row."""
    return tokens.transpose(1, 2).unflatten(2, grid)


def map_to_tokens(maps: Float[Tensor, "B C h w"]) -> Float[Tensor, "B N C"]:
    """Undo `tokens_to_map`."""
    return maps.flatten(2).transpose(1, 2)


def map_to_image(
    maps: Float[Tensor, "B C h w"], image_size: Size, patch_size: Size | None = None
) -> Float[Tensor, "B C height width"]:
    """Upsample patch maps bilinearly to the pixels they describe.

    Args:
        maps: one value per patch.
        image_size: (height, width) to return.
        patch_size: if given, the maps describe an image padded to whole patches:
            upsample by exactly the patch size and cut the padding off. If not, the
            maps are stretched over the image.
    """
    h, w = maps.shape[-2:]
    size = (h * patch_size[0], w * patch_size[1]) if patch_size else image_size
    large = F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
    return large[..., : image_size[0], : image_size[1]]


def official_position_table(
    table: Float[Tensor, "1 P D"], new: Size
) -> Float[Tensor, "1 Q D"]:
    """Resample a square grid of P position rows to Q = new patches, the official way.

    Bicubic, but sampled with step √P / (new + 0.1) instead of √P / new, which stretches
    the table by a hair, and without antialiasing. A table of that very size is returned
    as it is. Everywhere else this project lets timm resize, exactly and antialiased.

    Source: the official WeakTr code.
    """
    side = math.isqrt(table.shape[1])
    if new == (side, side):
        return table
    scale = tuple((n + 0.1) / side for n in new)
    rows = tokens_to_map(table, (side, side))
    return map_to_tokens(F.interpolate(rows, scale_factor=scale, mode="bicubic"))


def flip(maps: Tensor) -> Tensor:
    """Mirror left and right: the last axis is the width."""
    return torch.flip(maps, dims=(-1,))
