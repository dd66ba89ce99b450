"""Older ways to read a map out of the same network, for `ablations.py` to compare with.

Each takes what one forward pass left behind and returns maps (B, K, h, w), raw.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from weaktr_core.method.attention import LayerRecord
from weaktr_core.method.grid import Size, tokens_to_map
from weaktr_core.networks.backbone import Tokens
from weaktr_core.networks.cam import WeakTr


def rollout(
    layers: list[LayerRecord], num_classes: int, grid: Size
) -> Float[Tensor, "B K h w"]:
    """Attention rollout: how much of each patch arrives at each class token.

    The product over layers of (I + mean over heads of A) / 2; the identity stands for
    the residual connection. MLPs and values are left out of the account.

    Source: Abnar and Zuidema, arXiv 2005.00928.
    """
    joint = torch.eye(layers[0].query.shape[2])  # (T, T)
    for layer in layers:
        mixed = (torch.eye(joint.shape[-1]) + layer.rows().mean(dim=1)) / 2  # (B, T, T)
        joint = mixed @ joint
    return joint[:, :num_classes, -grid[0] * grid[1] :].unflatten(2, grid)


def coupled(
    layers: list[LayerRecord], coarse: Float[Tensor, "B K h w"]
) -> Float[Tensor, "B K h w"]:
    """One attention map for all classes, times each class's evidence, as TS-CAM couples.

    TS-CAM has one class token and sums its attention over layers, heads averaged; here
    the K class tokens are averaged as well.

    Source: TS-CAM, ICCV 2021, and its code.
    """
    num_classes, grid = coarse.shape[1], coarse.shape[2:]
    rows = [one.rows(slice(0, num_classes)).mean(dim=(1, 2)) for one in layers]  # (B, T)
    attention = torch.stack(rows).sum(dim=0)[:, -grid[0] * grid[1] :]
    return attention.unflatten(1, grid)[:, None] * coarse


@torch.enable_grad()
def grad_cam(
    model: WeakTr,
    images: Float[Tensor, "B 3 height width"],
    tags: Float[Tensor, "B K"],
) -> tuple[Float[Tensor, "B K h w"], Tokens]:
    """Grad-CAM of the logits of the tagged classes, at the input norm of the last block.

    Channels of the patch tokens there, weighted by the spatial mean of the logit's
    gradient, summed, ReLU. Logits are those of the patch classifier; maps of classes
    without a tag stay 0. The layer is the one that users of the package grad-cam name
    for Vision Transformers.

    Returns:
        The maps, and the tokens of the pass.
    """
    kept: list[Tensor] = []

    def keep(module, args, output):
        kept.append(output.detach().requires_grad_())
        return kept[0]

    hook = model.backbone.vit.blocks[-1].norm1.register_forward_hook(keep)
    tokens = model.encode(images)
    logits = model.patch_head(tokens_to_map(tokens.patches, tokens.grid)).mean((2, 3))
    hook.remove()
    inside, maps = kept[0], torch.zeros(*tags.shape, tokens.patches.shape[1])
    patches = slice(-maps.shape[2], None)
    order = tags.argsort(dim=1, descending=True, stable=True)  # tagged classes first
    everyone = torch.arange(len(tags))
    for nth in range(int(tags.sum(dim=1).max())):  # the n-th tag of all images at once
        chosen = logits[everyone, order[:, nth]].sum()
        (slope,) = torch.autograd.grad(chosen, inside, retain_graph=True)
        channels = slope[:, patches].mean(dim=1, keepdim=True)  # (B, 1, D)
        heat = (inside[:, patches] * channels).sum(dim=2).relu()
        maps[everyone, order[:, nth]] = heat.detach()
    return (maps * tags[..., None]).unflatten(2, tokens.grid), tokens
