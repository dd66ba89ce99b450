"""The untouched backbone beside the one that learns: it tells things from background."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from weaktr_core.method.attention import TimmViT, record_attention
from weaktr_core.method.grid import Size
from weaktr_core.method.objectness import Objectness, fit_objectness

MOST_PHOTOS = 600
"""Photos that the prior is fitted to."""


class Teacher:
    """A frozen ViT and the prior for objects in its keys.

    Args:
        vit: timm's, with its pretrained weights; it is moved to where images are.
        data: (image, tags) by index, normalised images of one size; tags are not read.
    """

    def __init__(self, vit: TimmViT, data):
        self.vit = vit.eval().requires_grad_(False)
        self.data = data
        self.prior: Objectness | None = None

    @torch.no_grad()
    def keys(self, images: Float[Tensor, "B 3 height width"]) -> Float[Tensor, "B N D"]:
        """Keys of the last layer's patches, heads side by side."""
        self.vit = self.vit.to(images.device)
        with record_attention(self.vit) as layers:
            self.vit.forward_features(images)
        keys = layers[-1].key[:, :, self.vit.num_prefix_tokens :]  # (B, H, N, D/H)
        return keys.transpose(1, 2).flatten(2).float()

    def fit(self, device: torch.device) -> Objectness:
        """The prior of the dataset, from evenly spaced photos; it leaves no random trace.

        So a training that was interrupted finds the very same one.
        """
        step = max(1, len(self.data) // MOST_PHOTOS)
        patch = self.vit.patch_embed.patch_size[0]
        found, borders = [], []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            for index in range(0, len(self.data), step):
                image = self.data[index][0][None].to(device)
                found.append(self.keys(image)[0])
                borders.append(border((image.shape[-2] // patch, image.shape[-1] // patch)))
        return fit_objectness(torch.cat(found), torch.cat(borders).to(device))

    def __call__(self, images: Float[Tensor, "B 3 height width"]) -> Float[Tensor, "B N"]:
        """How far each patch shows a thing, from 0 to 1."""
        if self.prior is None:
            with torch.autocast(images.device.type, enabled=False):
                self.prior = self.fit(images.device)
        keys = self.keys(images)
        with torch.autocast(images.device.type, enabled=False):
            return self.prior(keys)


def border(grid: Size) -> Bool[Tensor, " N"]:
    """Which patches of a grid lie at its border."""
    edge = torch.zeros(grid, dtype=torch.bool)
    edge[[0, -1]] = True
    edge[:, [0, -1]] = True
    return edge.flatten()
