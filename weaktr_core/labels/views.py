"""Class activation maps of whole images, summed over scales and mirror images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from weaktr_core.data.sample import Sample
from weaktr_core.method import cams
from weaktr_core.method.grid import flip, map_to_image
from weaktr_core.networks.cam import CamOutput, WeakTr

STAGES = ("coarse_cam", "cross_attention", "cam", "fine_cam")
"""Maps of `CamOutput`, in the order of the method."""


@dataclass(frozen=True)
class View:
    """One way to look at an image; it carries its own scale and flip."""

    scale: float = 1.0
    mirrored: bool = False


def make_views(scales: Sequence[float], mirror: bool = True) -> tuple[View, ...]:
    """Every scale, as it is and mirrored."""
    return tuple(View(s, m) for s in scales for m in ((False, True)[: 1 + mirror]))


@torch.no_grad()
def infer_cams(
    model: WeakTr,
    images: Float[Tensor, "B 3 height width"],
    views: Sequence[View] = (View(),),
    stages: Sequence[str] = STAGES,
) -> tuple[dict[str, Float[Tensor, "B K height width"]], CamOutput]:
    """Maps of each stage at image size, summed over views, and the first view's output.

    Each view's maps are upsampled bilinearly to the image and mirrored back. They are
    raw: multiply by the tags, then `cams.normalise`, to compare them with a threshold.

    Args:
        model: in eval mode.
        images: normalised, all of one size.
        views: what to sum over.
        stages: which maps of `CamOutput`.
    """
    size = (images.shape[-2], images.shape[-1])
    sums: dict[str, Tensor] = {}
    first: CamOutput | None = None
    for view in views:
        seen = rescale(images, view.scale)
        output = model(flip(seen) if view.mirrored else seen)
        first = first or output
        patch = None if model.options["official"] else model.backbone.patch_size
        for stage in stages:
            maps = getattr(output, stage).float()
            maps = map_to_image(maps, (seen.shape[-2], seen.shape[-1]), patch)
            maps = flip(maps) if view.mirrored else maps
            if maps.shape[-2:] != size:
                maps = F.interpolate(maps, size=size, mode="bilinear")
            sums[stage] = sums[stage] + maps if stage in sums else maps
    assert first is not None, "no views"
    return sums, first


def rescale(images: Float[Tensor, "B C height width"], scale: float) -> Tensor:
    """Resize by a factor, bicubic with antialiasing."""
    if scale == 1.0:
        return images
    size = [round(n * scale) for n in images.shape[-2:]]
    return F.interpolate(images, size=size, mode="bicubic", antialias=True)


def tagged_scores(
    maps: Float[Tensor, "K height width"], tags: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Normalised scores (P, height, width) and indices (P,) of the tagged classes."""
    classes = np.flatnonzero(tags)
    return cams.normalise(maps[classes]).cpu().numpy(), classes


def same_size_batches(samples: Iterator[Sample], batch_size: int) -> Iterator[list[Sample]]:
    """Group neighbours of one size, so that they can go through the model together."""
    batch: list[Sample] = []
    for sample in samples:
        full = len(batch) == batch_size
        if batch and (full or sample.image.shape != batch[0].image.shape):
            yield batch
            batch = []
        batch.append(sample)
    if batch:
        yield batch
