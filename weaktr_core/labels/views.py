"""Class activation maps of whole images, summed over scales and mirror images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from weaktr_core.method import cams
from weaktr_core.method.grid import Size, flip, map_to_image
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
    every = [np.arange(model.num_classes)] * len(images)
    maps, first = infer_tagged(model, images, every, views, stages)
    joined = torch.stack(maps)  # (B, stages, K, height, width)
    return {stage: joined[:, n] for n, stage in enumerate(stages)}, first


@torch.no_grad()
def infer_tagged(
    model: WeakTr,
    images: Float[Tensor, "B 3 height width"],
    classes: Sequence[np.ndarray],
    views: Sequence[View] = (View(),),
    stages: Sequence[str] = STAGES,
) -> tuple[list[Float[Tensor, "stages _ height width"]], CamOutput]:
    """`infer_cams` of some classes only: enlarging maps costs as much as making them.

    Args:
        model, images, views, stages: as there.
        classes: indices (P,) for each image.

    Returns:
        (stages, P, height, width) for each image, and the first view's output.
    """
    size = (images.shape[-2], images.shape[-1])
    shapes = [(len(stages), len(wanted), *size) for wanted in classes]
    sums = [torch.zeros(shape, device=images.device) for shape in shapes]
    first: CamOutput | None = None
    for view in views:
        seen = rescale(images, view.scale)
        output = model(flip(seen) if view.mirrored else seen)
        first = first or output
        maps = torch.stack([getattr(output, stage).float() for stage in stages], dim=1)
        patch = None if model.options["official"] else model.backbone.patch_size
        for total, own, wanted in zip(sums, maps, classes, strict=True):
            if len(wanted):
                small = own[:, torch.as_tensor(wanted, device=own.device)]
                large = map_to_image(small, (seen.shape[-2], seen.shape[-1]), patch)
                total += to_size(flip(large) if view.mirrored else large, size)
    assert first is not None, "no views"
    return sums, first


def to_size(maps: Float[Tensor, "B C _ _"], size: Size) -> Tensor:
    """Resize maps, bilinear, unless they are of that size."""
    same = maps.shape[-2:] == size
    return maps if same else F.interpolate(maps, size=size, mode="bilinear")


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
