"""A batch of scenes, encoded once, that any number of variants can read."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from tqdm.auto import tqdm
from weaktr_core.data import Sample, TaggedDataset
from weaktr_core.data.batches import same_size_batches
from weaktr_core.method import cams
from weaktr_core.method.attention import attention_maps
from weaktr_core.method.grid import tokens_to_map
from weaktr_core.networks.backbone import Tokens
from weaktr_core.networks.cam import WeakTr


class Seen:
    """One batch, encoded once, for all variants to read.

    The attention is stacked here: a batch of small scenes allows it, and a hundred
    variants then share it. `weaktr_core.method.cams` gives the same maps without the stack.
    """

    def __init__(self, model: WeakTr, tokens: Tokens, gradient: Tensor | None = None):
        self.model, self.tokens, self.gradient = model, tokens, gradient
        grid = tokens_to_map(tokens.patches, tokens.grid)
        self.coarse = cams.coarse_cam(model.patch_head(grid))  # (B, K, h, w)
        self.stack = attention_maps(tokens.layers)  # (B, L, H, T, T)
        self.own = model.fusion(tokens.layers)  # (B, L, H), weights as trained

    def cross(self, fused: Tensor, cap: float = 1.0) -> Tensor:
        """Cross-attention map (B, K, h, w) of a fused attention (B, T, T)."""
        h, w = self.tokens.grid
        rows = fused[:, : self.model.num_classes, -h * w :]
        if cap < torch.inf:
            rows = torch.minimum(rows, cap * rows.mean(dim=2, keepdim=True))
        return rows.unflatten(2, (h, w))

    def refined(self, fused: Tensor, cam: Tensor) -> Tensor:
        """A map (B, K, h, w), spread along the patches' attention."""
        n = cam.shape[2] * cam.shape[3]
        spread = fused[:, -n:, -n:] @ cam.flatten(2).mT
        return spread.mT.unflatten(2, self.tokens.grid)

    def fused(self, weights: Tensor) -> Tensor:
        """Mean over all heads (B, T, T), weighted by (B, L, H) or (L, H)."""
        weights = weights.expand(self.stack.shape[:3])
        return torch.einsum("blh,blhts->bts", weights, self.stack) / weights[0].numel()

    def fine(self, weights: Tensor, cap: float = 1.0) -> Tensor:
        """Fine CAM under some head weights."""
        fused = self.fused(weights)
        return self.refined(fused, self.cross(fused, cap) * self.coarse)

    def alone(self, layer: int, head: int) -> Tensor:
        """Fine CAM of one head and no other."""
        fused = self.stack[:, layer, head]
        return self.refined(fused, self.cross(fused) * self.coarse)


def batches(
    model: WeakTr, data: TaggedDataset, title: str
) -> Iterator[tuple[Tensor, list[Sample]]]:
    """A dataset as batches of images, with a progress bar."""
    bar = tqdm(total=len(data), desc=title, unit="image", mininterval=5)
    for numbered in same_size_batches(data, 16):
        batch = [sample for _, sample in numbered]
        yield model.prepare([sample.image for sample in batch]), batch
        bar.update(len(batch))
    bar.close()
