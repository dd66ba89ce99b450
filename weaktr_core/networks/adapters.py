"""Low-rank adapters: a frozen transformer learns through thin additions to its layers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weaktr_core.method.attention import TimmViT

ADAPTED = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
"""The linear layers of a block that get one."""


class LowRank(nn.Linear):
    """A linear layer W that computes W x + U D x; only U and D learn.

    U starts at zero, so a fresh adapter changes nothing. Weight and bias keep the names
    they had.

    Args:
        linear: whose weight and bias are taken over, frozen.
        rank: rows of D (rank, in), columns of U (out, rank).

    Source: LoRA, arXiv 2106.09685.
    """

    def __init__(self, linear: nn.Linear, rank: int):
        super().__init__(linear.in_features, linear.out_features, linear.bias is not None)
        self.weight, self.bias = linear.weight, linear.bias
        self.requires_grad_(False)
        start = torch.randn(rank, self.in_features) * self.in_features**-0.5
        self.down = nn.Parameter(start)
        self.up = nn.Parameter(torch.zeros(self.out_features, rank))

    def forward(self, input: Tensor) -> Tensor:
        """W x + b + U D x."""
        return super().forward(input) + F.linear(F.linear(input, self.down), self.up)


def adapt(vit: TimmViT, rank: int) -> None:
    """Freeze a ViT and give each block low-rank adapters; class tokens go on learning.

    Args:
        vit: timm's; changed in place. Its blocks need the layers of ``ADAPTED``.
        rank: of the additions; 0 leaves the ViT as it is.

    Raises:
        ValueError: where a block lacks one of these layers.
    """
    if not rank:
        return
    vit.requires_grad_(False)
    vit.cls_token.requires_grad_(True)
    for block in vit.blocks:
        for name in ADAPTED:
            room, _, last = name.partition(".")
            parent = getattr(block, room)
            linear = getattr(parent, last, None)
            if not isinstance(linear, nn.Linear):
                raise ValueError(
                    f"{type(vit).__name__}: its blocks have no {name} to adapt"
                )
            setattr(parent, last, LowRank(linear, rank))
