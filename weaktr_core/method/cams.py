"""From a patch classifier's map to an object's shape: one pure function per stage.

::

    coarse map ── ReLU ──> coarse CAM ─┐
                                       ⊙ ──> CAM ──┐
    head weights · class→patch rows ───┘           @ ──> fine CAM
    head weights · patch→patch rows ───────────────┘

The fused attention P = 1/(L·H) Σ w·A is linear in the maps A, so P @ CAM is the sum of
A @ CAM over heads, and each of those is attention with CAM as its values: P itself, N×N
numbers, is never built. `fused_attention` builds it all the same, for looking.

Source: WeakTr, arXiv 2304.01184, section III-B, equations 3 to 7.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from weaktr_core.method.attention import LayerRecord
from weaktr_core.method.grid import Size, map_to_tokens, tokens_to_map


def coarse_cam(
    patch_map: Float[Tensor, "B C h w"], background: bool = False
) -> Float[Tensor, "B K h w"]:
    """Evidence *for* each class, detached: the positive part of the classifier's map.

    With a background (channel 0, C = K + 1) it is the class's probability in a patch: what
    the background claims is no evidence, so a map cannot flood a sky.
    """
    if background:
        return patch_map.detach().softmax(dim=1)[:, 1:]
    return patch_map.detach().relu()


def pooled_logits(
    patch_map: Float[Tensor, "B C h w"], background: bool = False
) -> Float[Tensor, "B K"]:
    """One logit per class and image from the patch classifier's signed map.

    The published mean rewards a class for being everywhere. With a background, the mean
    probability of the best three tenths of the patches is taken, as log-odds.
    """
    if not background:
        return patch_map.mean(dim=(2, 3))
    shares = patch_map.softmax(dim=1)[:, 1:].flatten(2)  # (B, K, N)
    # round(0.3 * N), halves to the even number, in terms that every exporter knows
    threefold = 3 * shares.shape[2]
    best = shares.topk(max(1, (threefold + 4 + threefold // 10 % 2) // 10), dim=2).values
    return torch.logit(best.mean(dim=2), eps=1e-4)


def cross_attention(
    layers: list[LayerRecord],
    head_weights: Float[Tensor, "B L H"],
    num_classes: int,
    grid: Size,
    cap: float = math.inf,
) -> Float[Tensor, "B K h w"]:
    """How much each class token looks at each patch, heads weighted and averaged.

    ``cap`` limits each map to that many times its own mean; the paper has none. Some
    backbones, DINOv2 among them, put most of a class token's attention on a few
    patches; uncapped, such a patch outshines the rest of its object.

    Token order is [K class | registers | N patch]. The attention is detached, the
    weights are not: this is one of the two ways in which the fusion learns.
    """
    patches = grid[0] * grid[1]
    total = head_weights.new_zeros(())
    for layer, weights in zip(layers, head_weights.unbind(1), strict=True):
        rows = layer.rows(slice(0, num_classes))[..., -patches:]  # (B, H, K, N)
        total = total + torch.einsum("bh,bhkn->bkn", weights, rows)
    total = total / head_weights[0].numel()
    if cap < math.inf:
        total = torch.minimum(total, cap * total.mean(dim=2, keepdim=True))
    return total.unflatten(2, grid)


def refine(
    cam: Float[Tensor, "B K h w"],
    layers: list[LayerRecord],
    head_weights: Float[Tensor, "B L H"],
) -> Float[Tensor, "B K h w"]:
    """Let each patch gather the CAM of the patches it attends to: P[patch, patch] @ CAM.

    Memory is T·K a head instead of T·T.
    """
    patches = cam.shape[-2] * cam.shape[-1]
    values = map_to_tokens(cam)  # (B, N, K)
    prefix = layers[0].query.shape[2] - patches
    values = torch.nn.functional.pad(values, (0, 0, prefix, 0))  # class rows give none
    total = head_weights.new_zeros(())
    for layer, weights in zip(layers, head_weights.unbind(1), strict=True):
        heads = weights.shape[1]
        gathered = layer.gather(
            values[:, None].expand(-1, heads, -1, -1), slice(prefix, None)
        )  # (B, H, N, K)
        total = total + torch.einsum("bh,bhnk->bnk", weights, gathered.float())
    return tokens_to_map(total / head_weights[0].numel(), (cam.shape[-2], cam.shape[-1]))


def refine_by_features(
    cam: Float[Tensor, "B K h w"], patches: Float[Tensor, "B N D"], power: float = 8
) -> Float[Tensor, "B K h w"]:
    """Let each patch gather the CAM of the patches that look like it.

    We differ: instead of attention, which also links what belongs to different things,
    the positive part of the cosine of two patches' features, to a power, rows summing
    to 1. Head weights then speak through the cross-attention map alone.
    """
    features = torch.nn.functional.normalize(patches, dim=-1)
    affinity = (features @ features.transpose(1, 2)).clamp(min=0) ** power  # (B, N, N)
    affinity = affinity / affinity.sum(dim=-1, keepdim=True)
    return tokens_to_map(affinity @ map_to_tokens(cam), (cam.shape[-2], cam.shape[-1]))


def fused_attention(
    layers: list[LayerRecord], head_weights: Float[Tensor, "B L H"]
) -> Float[Tensor, "B T T"]:
    """P = 1/(L·H) Σ w·A, summed layer by layer; not renormalised."""
    total = head_weights.new_zeros(())
    for layer, weights in zip(layers, head_weights.unbind(1), strict=True):
        total = total + torch.einsum("bh,bhts->bts", weights, layer.rows())
    return total / head_weights[0].numel()


def normalise(
    cam: Float[Tensor, "*K height width"],
) -> Float[Tensor, "*K height width"]:
    """Min-max over each map, so that one threshold serves all classes and images."""
    low = cam.amin(dim=(-2, -1), keepdim=True)
    high = cam.amax(dim=(-2, -1), keepdim=True)
    return (cam - low) / (high - low + 1e-8)
