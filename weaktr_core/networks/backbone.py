"""A timm Vision Transformer with one class token per class.

No transformer is written here: a timm model gets K class tokens in place of its one,
its position table grows K - 1 copies of the class row, and everything else, layer
scale, rotary positions, SwiGLU, stays what timm made it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from timm.layers.format import Format
from torch import Tensor, nn

from weaktr_core.method.attention import LayerRecord, TimmViT, record_attention
from weaktr_core.method.grid import (
    Size,
    grid_size,
    official_position_table,
    pad_to_patches,
)


@dataclass
class Tokens:
    """What the transformer makes of a batch.

    Attributes:
        classes: (B, K, D), the class tokens.
        patches: (B, N, D), the patch tokens, row by row.
        grid: (h, w) with h·w = N.
        layers: one `LayerRecord` per block.
    """

    classes: Float[Tensor, "B K D"]
    patches: Float[Tensor, "B N D"]
    grid: Size
    layers: list[LayerRecord]


class ClassTokenViT(nn.Module):
    """K class tokens on a timm ``VisionTransformer`` or ``Eva``: [K class | N patch].

    The model is changed in place and owned from then on. Register tokens, where it
    has some, stay between class and patch tokens.

    We differ: images that are no multiple of the patch are padded to whole patches,
    and the final LayerNorm is applied (``final_norm``). ``official=True`` cuts
    incomplete patches off, resizes the position table as the official code does
    and never calls the final norm.

    Args:
        vit: any timm ViT with a class token.
        num_classes: K.
        final_norm: apply the transformer's last LayerNorm to the tokens. Backbones
            trained with one (DINOv2, IN-21k ViTs) speak through it.
        official: reproduce the official code.

    Raises:
        ValueError: where the model has no class token, or has rotary positions and
            was built without ``dynamic_img_size=True``.
    """

    def __init__(
        self,
        vit: TimmViT,
        num_classes: int,
        *,
        final_norm: bool = True,
        official: bool = False,
    ):
        super().__init__()
        if getattr(vit, "cls_token", None) is None:
            raise ValueError(f"{type(vit).__name__} has no class token to multiply")
        self.num_classes, self.official = num_classes, official
        last_norm = take_final_norm(vit)
        self.norm = last_norm if final_norm else nn.Identity()
        accept_any_size(vit)
        multiply_class_token(vit, num_classes)
        self.vit: Any = vit

    @property
    def patch_size(self) -> Size:
        """(height, width) of a patch in pixels."""
        return tuple(self.vit.patch_embed.patch_size)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(L, H, D/H): layers, heads per layer, width of a head."""
        attention = self.vit.blocks[0].attn
        return len(self.vit.blocks), attention.num_heads, attention.head_dim

    def grid(self, images: Tensor) -> Size:
        """Patches down and across for a batch."""
        height, width = images.shape[-2:]
        if self.official:
            return height // self.patch_size[0], width // self.patch_size[1]
        return grid_size((height, width), self.patch_size)

    def forward(self, images: Float[Tensor, "B 3 height width"]) -> Tokens:
        """Run the transformer and record its attention."""
        h, w = grid = self.grid(images)
        if self.official:
            images = images[..., : h * self.patch_size[0], : w * self.patch_size[1]]
        else:
            images = pad_to_patches(images, self.patch_size)
        # timm resizes the position table to the grid; only its way differs if official
        positions = official_positions(self.vit, grid) if self.official else nullcontext()
        with record_attention(self.vit) as layers, positions:
            tokens = self.norm(self.vit.forward_features(images))
        classes, patches = tokens[:, : self.num_classes], tokens[:, -h * w :]
        return Tokens(classes, patches, grid, layers)


@contextmanager
def official_positions(vit: TimmViT, grid: Size) -> Iterator[None]:
    """Swap in a position table resized as the official code does, for one pass."""
    table, old_grid = vit.pos_embed, vit.patch_embed.grid_size
    patches = math.prod(old_grid)
    resized = official_position_table(table[:, -patches:], grid)
    # A plain tensor cannot replace a registered parameter: take that out meanwhile.
    del vit._parameters["pos_embed"]
    vit.pos_embed = torch.cat([table[:, :-patches], resized], dim=1)
    vit.patch_embed.grid_size = grid
    try:
        yield
    finally:
        del vit.pos_embed
        vit.register_parameter("pos_embed", table)
        vit.patch_embed.grid_size = old_grid


def multiply_class_token(vit: TimmViT, num_classes: int) -> None:
    """Give a ViT K class tokens: copies of its own, position row included."""
    vit.cls_token = nn.Parameter(vit.cls_token.detach().repeat(1, num_classes, 1))
    if vit.pos_embed is not None and not vit.no_embed_class:
        table = vit.pos_embed.detach()
        first = table[:, :1].repeat(1, num_classes, 1)
        learns = vit.pos_embed.requires_grad
        whole = torch.cat([first, table[:, 1:]], dim=1)
        vit.pos_embed = nn.Parameter(whole, requires_grad=learns)
    vit.num_prefix_tokens += num_classes - 1
    for block in vit.blocks:
        if hasattr(block.attn, "num_prefix_tokens"):  # rotary positions skip these
            block.attn.num_prefix_tokens = vit.num_prefix_tokens


def take_final_norm(vit: TimmViT) -> nn.Module:
    """Take the last LayerNorm off a ViT, and its classifier with it."""
    norm = vit.norm if not isinstance(vit.norm, nn.Identity) else vit.fc_norm
    vit.norm, vit.fc_norm, vit.head = nn.Identity(), nn.Identity(), nn.Identity()
    return norm


def accept_any_size(vit: TimmViT) -> None:
    """Let a ViT that was built for one image size take any."""
    if vit.dynamic_img_size:
        return
    if getattr(vit, "rope", None) is not None:
        raise ValueError(
            f"{type(vit).__name__} has rotary positions fixed to one image size; "
            "build it with timm.create_model(..., dynamic_img_size=True)"
        )
    vit.dynamic_img_size = True
    embed = vit.patch_embed
    embed.flatten, embed.output_fmt, embed.strict_img_size = False, Format.NHWC, False
