"""The method as it is written down: stack every attention map, then do the sums.

Slow and hungry, and easy to read. What the package computes must equal this.
"""

import timm
import torch

from weaktr_core.networks.cam import WeakTr

TINY = {"embed_dim": 48, "depth": 3, "num_heads": 3}
BACKBONES = {
    "vit_tiny_patch16_224": TINY,
    "deit_small_patch16_224": TINY,
    "deit3_small_patch16_224": TINY,  # no position rows for class tokens
    "vit_small_patch14_dinov2": TINY,  # layer scale
    "vit_small_patch14_reg4_dinov2": TINY,  # register tokens
    "eva02_tiny_patch14_224": TINY,  # rotary positions, SwiGLU
}


def tiny_vit(name="vit_tiny_patch16_224", size=64):
    torch.manual_seed(0)
    return timm.create_model(
        name, img_size=size, num_classes=0, dynamic_img_size=True, **BACKBONES[name]
    )


def tiny_model(name="vit_tiny_patch16_224", classes=5, size=64, **options):
    model = WeakTr(tiny_vit(name, size), classes, **options)
    for p in model.parameters():  # zeros would hide mistakes
        torch.nn.init.normal_(p, std=0.2)
    return model.eval()


def naive_maps(tokens, model, head_weights):
    """Cross-attention map, CAM and fine CAM from the whole (B, L, H, T, T) stack."""
    stack = torch.stack([softmax_of(layer) for layer in tokens.layers], dim=1)
    fused = (head_weights[..., None, None] * stack).mean(dim=(1, 2))  # (B, T, T)
    h, w = tokens.grid
    k, n = model.num_classes, h * w
    cross = fused[:, :k, -n:]  # (B, K, N)
    if (cap := model.options["cap"]) < torch.inf:
        cross = torch.minimum(cross, cap * cross.mean(dim=-1, keepdim=True))
    grid = tokens.patches.transpose(1, 2).unflatten(2, (h, w))
    coarse = model.patch_head(grid).detach().relu().flatten(2)
    cam = cross * coarse
    fine = (fused[:, -n:, -n:] @ cam.transpose(1, 2)).transpose(1, 2)
    return [m.unflatten(2, (h, w)) for m in (coarse, cross, cam, fine)]


def softmax_of(layer):
    scores = torch.einsum("bhtd,bhsd->bhts", layer.query, layer.key)
    return torch.softmax(scores * layer.scale, dim=-1)
