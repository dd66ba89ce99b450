"""Mask transformer: class embeddings and patches attend; a mask is where they agree."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from weaktr_core.method.grid import Size, tokens_to_map


class MaskTransformer(nn.Module):
    """Patch tokens → one mask per class, by attention among patches and classes.

    C class embeddings join the N patch tokens in a few transformer blocks. Then both
    are projected, scaled to length 1 and multiplied: the mask of a class is the cosine
    of every patch with it, and a LayerNorm over classes makes logits of it.

    Args:
        num_outputs: C, background included.
        encoder_width: D of the patch tokens.
        width: of the decoder.
        layers: transformer blocks.
        num_heads: default: heads 64 wide.
        dropout: in the blocks' projections and MLPs.
        drop_path: rate of the last block, rising from 0 at the first.
        class_std: of the class embeddings at the start. Published: 0.02, so small that
            after the first block all classes are nearly the same token and a short
            training spends itself on telling them apart; 1 makes them distinct at once.

    Source: Segmenter, arXiv 2105.05633, section 3.3, as WeakTr uses it.
    """

    def __init__(
        self,
        num_outputs: int,
        encoder_width: int,
        *,
        width: int | None = None,
        layers: int = 2,
        num_heads: int | None = None,
        dropout: float = 0.1,
        drop_path: float = 0.0,
        class_std: float = 0.02,
    ):
        super().__init__()
        width = width or encoder_width
        self.num_outputs = num_outputs
        rates = torch.linspace(0, drop_path, layers).tolist()
        self.proj_dec = nn.Linear(encoder_width, width)
        self.cls_emb = nn.Parameter(torch.randn(1, num_outputs, width) * class_std)
        self.blocks = nn.ModuleList(
            Block(
                width,
                num_heads or width // 64,
                qkv_bias=True,
                proj_drop=dropout,
                drop_path=rate,
                norm_layer=nn.LayerNorm,
            )
            for rate in rates
        )
        self.decoder_norm = nn.LayerNorm(width)
        scale = width**-0.5
        self.proj_patch = nn.Parameter(scale * torch.randn(width, width))
        self.proj_classes = nn.Parameter(scale * torch.randn(width, width))
        self.mask_norm = nn.LayerNorm(num_outputs)

    def forward(
        self, tokens: Float[Tensor, "B N D"], grid: Size
    ) -> Float[Tensor, "B C h w"]:
        """Masks after the last block, one value per patch."""
        return self.masks_of_blocks(tokens, grid)[-1]

    def masks_of_blocks(
        self, tokens: Float[Tensor, "B N D"], grid: Size
    ) -> list[Float[Tensor, "B C h w"]]:
        """Masks read after each block; all are read through the same last layers."""
        classes = self.cls_emb.expand(len(tokens), -1, -1)
        x = torch.cat([self.proj_dec(tokens), classes], dim=1)  # (B, N + C, width)
        masks = []
        for block in self.blocks:
            x = block(x)
            masks.append(self.read_masks(x, grid))
        return masks

    def read_masks(
        self, x: Float[Tensor, "B M width"], grid: Size
    ) -> Float[Tensor, "B C h w"]:
        """Cosine of patches (B, N, width) and classes (B, C, width), normed over C."""
        x = self.decoder_norm(x)
        patches = F.normalize(x[:, : -self.num_outputs] @ self.proj_patch, dim=-1)
        classes = F.normalize(x[:, -self.num_outputs :] @ self.proj_classes, dim=-1)
        masks = patches @ classes.transpose(1, 2)  # (B, N, C)
        return tokens_to_map(self.mask_norm(masks), grid)
