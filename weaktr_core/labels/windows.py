"""Class probabilities of whole photos: sliding windows, several sizes, mirror images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from weaktr_core.labels.views import View, rescale
from weaktr_core.method.grid import Size, flip


def window_starts(length: int, window: int, stride: int) -> list[int]:
    """Where windows begin along one side; the last one ends with the image.

    >>> window_starts(70, 48, 32)
    [0, 22]
    """
    if length <= window:
        return [0]
    return [*range(0, length - window, stride), length - window]


def sliding_logits(
    network: Callable[[Tensor], Tensor],
    images: Float[Tensor, "B 3 height width"],
    window: int,
    stride: int,
) -> Float[Tensor, "B C height width"]:
    """Logits of large images, averaged where windows overlap.

    Args:
        network: (B, 3, a, b) → (B, C, a, b).
        images: normalised. A side shorter than the window is one window.
        window, stride: pixels.
    """
    height, width = images.shape[-2:]
    total: Tensor | None = None
    count = images.new_zeros(height, width)
    for top in window_starts(height, window, stride):
        for left in window_starts(width, window, stride):
            area = (..., slice(top, top + window), slice(left, left + window))
            logits = network(images[area])
            if total is None:
                total = logits.new_zeros(*logits.shape[:2], height, width)
            total[area] += logits
            count[area] += 1
    assert total is not None
    return total / count


@torch.no_grad()
def predict(
    network: Callable[[Tensor], Tensor],
    images: Float[Tensor, "B 3 height width"],
    size: Size,
    *,
    views: Sequence[View] = (View(),),
    window: int = 480,
    stride: int = 320,
) -> Float[Tensor, "B C rows columns"]:
    """Class probabilities at a size of choice: softmax of each view, then their mean.

    Args:
        network: images → logits, for instance a `Segmenter` in eval mode.
        images: normalised, at the size of ratio 1.
        size: (height, width) to return, usually the photo's own.
        views: ratios and flips; each view is resized, looked at window by window,
            and its logits are brought to ``size`` before the softmax.
        window, stride: pixels.
    """
    total: Tensor | float = 0.0
    for view in views:
        seen = rescale(images, view.scale)
        logits = sliding_logits(
            network, flip(seen) if view.mirrored else seen, window, stride
        )
        logits = flip(logits) if view.mirrored else logits
        total = total + F.interpolate(logits, size=size, mode="bilinear").softmax(dim=1)
    assert isinstance(total, Tensor), "no views"
    return total / len(views)
