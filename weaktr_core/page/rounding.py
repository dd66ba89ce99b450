"""Weights in bytes: every row of a matrix in whole steps of its own size."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn

from weaktr_core.networks.adapters import LowRank
from weaktr_core.networks.cam import WeakTr

LEVELS = 120
"""Steps on either side of 0. A byte has room for 127; so many keep DINOv2-S below 20 MB."""


def to_steps(
    weight: Float[Tensor, "M ..."], levels: int = LEVELS
) -> tuple[Int8[Tensor, "M ..."], Float[Tensor, " M"]]:
    """Round a matrix: weight ≈ steps · scale, one scale a row.

    The largest value of a row becomes ``levels``, so no value is off by more than half
    a step. A row of zeros keeps its zeros.
    """
    rows = weight.detach().float().flatten(1)
    scale = rows.abs().amax(dim=1).clamp(min=1e-30) / levels
    steps = (rows / scale[:, None]).round().to(torch.int8)
    return steps.view(weight.shape), scale


def from_steps(
    steps: Int8[Tensor, "M ..."], scale: Float[Tensor, " M"]
) -> Float[Tensor, "M ..."]:
    """Undo `to_steps`, up to its rounding."""
    return steps.float() * scale.view(-1, *[1] * (steps.ndim - 1))


@torch.no_grad()
def merged(model: WeakTr) -> WeakTr:
    """A copy whose low-rank additions are part of the weights, and zero beside them."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, LowRank):
            module.weight += module.up @ module.down
            module.up.zero_()
    return model


def matrices(model: WeakTr) -> dict[str, Tensor]:
    """Name in the state dict → what is rounded: most of the network.

    The position table is a matrix, too, of one row a token. The fusion and the readouts
    are small; theirs stay as they are.
    """
    kinds = (nn.Linear, nn.Conv2d)
    found = {
        f"{name}.weight": module.weight
        for name, module in model.named_modules()
        if isinstance(module, kinds) and not name.startswith("fusion.")
    }
    return found | {"backbone.vit.pos_embed": model.backbone.vit.pos_embed}


@torch.no_grad()
def rounded(model: WeakTr, levels: int = LEVELS) -> WeakTr:
    """A copy of a network whose weights are what a page's network computes with."""
    model = merged(model)
    for weight in matrices(model).values():
        rows = weight[0] if len(weight) == 1 else weight
        rows.copy_(from_steps(*to_steps(rows, levels)))
    return model
