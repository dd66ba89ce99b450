"""Look inside any timm Vision Transformer while it runs, without editing it.

Every attention layer of timm calls ``scaled_dot_product_attention`` once, on queries
and keys that are final: split into heads, normalised and rotated as the model wants
it. `record_attention` listens to that call, so it sees ViT, DeiT, DINOv2 and EVA-02
alike, with the fast kernels on. What it keeps is small, T·D numbers a layer; the T×T
attention maps are computed from it only when, and only as far as, somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.overrides import TorchFunctionMode

TimmViT = Any
"""A timm ``VisionTransformer`` or ``Eva``; they share attributes, not a base class."""


@dataclass
class LayerRecord:
    """What one transformer block did to a batch; everything is detached.

    Attributes:
        query, key: (B, H, T, D/H), ready for the dot product.
        scale: factor of the dot product, (D/H)^-0.5.
        head_output: (B, H, T, D/H), what each head gathered: A_h V_h.
        branch: (B, T, D), output o of the attention branch, after the output
            projection, before layer scale, drop-path and residual.
        block: (B, T, D), output x of the whole block.
    """

    query: Float[Tensor, "B H T dim"]
    key: Float[Tensor, "B H T dim"]
    scale: float
    head_output: Float[Tensor, "B H T dim"]
    branch: Float[Tensor, "B T D"]
    block: Float[Tensor, "B T D"]

    def rows(self, queries: slice = slice(None)) -> Float[Tensor, "B H R T"]:
        """Rows of the attention matrix A = softmax(scale · q kᵀ) of some tokens."""
        scores = self.query[:, :, queries] @ self.key.transpose(-2, -1)
        return (scores.float() * self.scale).softmax(dim=-1)

    def gather(
        self, values: Float[Tensor, "B H T C"], queries: slice = slice(None)
    ) -> Float[Tensor, "B H R C"]:
        """A @ values for some rows, without ever holding A.

        This is attention with the values swapped. The fused kernels want values as
        wide as the queries, so channels go through in slices of D/H, zero-padded.
        """
        width = self.query.shape[-1]
        gathered = []
        for part in values.split(width, dim=-1):
            padded = F.pad(part, (0, width - part.shape[-1])).to(self.query.dtype)
            out = F.scaled_dot_product_attention(
                self.query[:, :, queries], self.key, padded, scale=self.scale
            )
            gathered.append(out[..., : part.shape[-1]])
        return torch.cat(gathered, dim=-1)


@contextmanager
def record_attention(vit: TimmViT) -> Iterator[list[LayerRecord]]:
    """Record every block of a timm ViT while the context lasts, then let go.

    Example:
        >>> with record_attention(vit) as layers:
        ...     vit.forward_features(images)
        >>> layers[-1].rows().shape  # (B, H, T, T)

    Yields:
        A list that holds, after a forward pass, one `LayerRecord` per block. It is
        emptied by the next forward pass, so a long context does not grow.

    Raises:
        RuntimeError: where a pass ends and some block's attention was not seen, for
            instance because a timm release computes it in another way.
    """
    layers: list[LayerRecord] = []
    listener = _AttentionListener()
    was_fused = [block.attn.fused_attn for block in vit.blocks]
    handles = []

    def begin(module, args):
        layers.clear()
        listener.calls.clear()

    def after_branch(module, args, output):
        listener.branches.append(output.detach())

    def after_block(module, args, output):
        if len(listener.calls) != 1 or len(listener.branches) != 1:
            raise RuntimeError(
                f"saw {len(listener.calls)} attention calls in block {len(layers)} of "
                f"{type(vit).__name__}, expected 1: this model computes its attention "
                "outside scaled_dot_product_attention and cannot be recorded"
            )
        (query, key, scale, heads), branch = listener.calls[0], listener.branches[0]
        layers.append(LayerRecord(query, key, scale, heads, branch, output.detach()))
        listener.calls.clear()
        listener.branches.clear()

    try:
        handles.append(vit.patch_embed.register_forward_pre_hook(begin))
        for block in vit.blocks:
            block.attn.fused_attn = True
            handles.append(block.attn.register_forward_hook(after_branch))
            handles.append(block.register_forward_hook(after_block))
        with listener:
            yield layers
    finally:
        for handle in handles:
            handle.remove()
        for block, fused in zip(vit.blocks, was_fused, strict=True):
            block.attn.fused_attn = fused


class _AttentionListener(TorchFunctionMode):
    """Notes the operands of each ``scaled_dot_product_attention`` call."""

    def __init__(self):
        super().__init__()
        self.calls: list[tuple[Tensor, Tensor, float, Tensor]] = []
        self.branches: list[Tensor] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            query, key = args[0].detach(), args[1].detach()
            scale = kwargs.get("scale") or query.shape[-1] ** -0.5
            self.calls.append((query, key, scale, output.detach()))
        return output


def attention_maps(layers: list[LayerRecord]) -> Float[Tensor, "B L H T T"]:
    """Every attention matrix of every head: for looking, it is large.

    A 500×375 photo through DeiT-S at 16 px patches needs about 220 MB.
    """
    return torch.stack([layer.rows() for layer in layers], dim=1)
