"""What is minimised: the three tag losses of step 1, the clipped loss of step 2."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


class TagLosses(NamedTuple):
    """Scalars: one loss per classifier, and what is minimised."""

    class_token: Tensor
    coarse: Tensor
    fine: Tensor
    total: Tensor


def tag_loss(logits: Float[Tensor, "B K"], tags: Float[Tensor, "B K"]) -> Tensor:
    """Multi-label soft-margin loss: K yes/no questions per image, averaged."""
    return F.multilabel_soft_margin_loss(logits.float(), tags)


def three_head_loss(
    outputs, tags: Float[Tensor, "B K"], token_weight: float = 1.0
) -> TagLosses:
    """Sum of the tag losses of class tokens, coarse map and fine CAM.

    Coarse CAM and attention enter the fine CAM detached, so the fine loss reaches the
    head weighting only. A fine CAM is about 1/N, so its loss starts near ln 2 = 0.693
    and stays there; Adam does not mind the size of a gradient, and the weighting learns.

    Args:
        outputs: anything with class_logits, coarse_logits, fine_logits, (B, K) each.
        tags: 1 where the class is in the image.
        token_weight: of the class-token loss; the paper's is 1. The optimiser (Adam)
            rescales what only this loss reaches, readout and class tokens, so a small
            weight does not slow them; it keeps the loss from pulling the shared
            backbone away from what the patches need.

    Source: WeakTr, arXiv 2304.01184, section III-C.
    """
    class_token = tag_loss(outputs.class_logits, tags)
    coarse = tag_loss(outputs.coarse_logits, tags)
    fine = tag_loss(outputs.fine_logits, tags)
    return TagLosses(class_token, coarse, fine, token_weight * class_token + coarse + fine)


def patch_loss(
    patch_logits: Float[Tensor, "B C h w"],
    objectness: Float[Tensor, "B N"],
    tags: Float[Tensor, "B K"],
    class_weights: Float[Tensor, " C"],
) -> Tensor:
    """Cross-entropy of every patch with the label that prior, tags and network agree on.

    Expectation-maximisation: a patch is background as far as the prior says so, else one
    of the tagged classes; among these the network's own opinion decides. That label is
    soft, detached, and learned from.

    Args:
        patch_logits: C = K + 1 with the background first.
        objectness: of each patch, from 0 to 1, see `weaktr_core.method.objectness`.
        tags: 1 where the class is in the image.
        class_weights: how much a patch of each label counts, background first.
    """
    logits = patch_logits.float().flatten(2)  # (B, C, N)
    with torch.no_grad():
        things = objectness[:, None] * tags[:, :, None]  # (B, K, N)
        prior = torch.cat([1 - objectness[:, None], things], dim=1)
        label = prior * logits.softmax(dim=1)
        label = label / label.sum(dim=1, keepdim=True).clamp(min=1e-8)
        weight = (label * class_weights[:, None]).sum(dim=1)  # (B, N)
    loss = -(label * logits.log_softmax(dim=1)).sum(dim=1)
    return (weight * loss).sum() / weight.sum()


class ClippedLoss(NamedTuple):
    """Per-pixel losses, (B, height, width) each: what is minimised, and what it was."""

    clipped: Tensor
    raw: Tensor


def gradient_clipping_loss(
    logits: Float[Tensor, "B C height width"],
    target: Int[Tensor, "B height width"],
    start: float = 1.2,
    window: int = 120,
    ignore_index: int = 255,
    *,
    per_image: bool = False,
    count_ignored: bool = True,
) -> ClippedLoss:
    """Cross-entropy that stops listening to pixels far above their neighbourhood.

    A pseudo-mask is wrong in patches. Once the network knows most of it
    (mean(ℓ) ≤ start), pixels whose loss ℓ exceeds λ are held at λ: they still count
    in the value, but their gradient is 0. λ is `clipping_threshold`.

    Args:
        logits: class scores of every pixel.
        target: class ids; ``ignore_index`` where there is none.
        start: mean loss above which nothing is clipped, nats.
        window: side of the neighbourhood in pixels.
        ignore_index: its pixels have loss 0 and no gradient.
        per_image: take the means within each image instead of over the batch.
        count_ignored: as published, ignored pixels enter the means with their 0, which
            lowers λ near them and so clips more. False leaves them out.

    Returns:
        ``(clipped, raw)``. Average ``clipped`` over all pixels to train on it. A crop
        that is ignored throughout gives 0, not NaN.

    Source: WeakTr, arXiv 2304.01184, section III-D. The official code needs crops of
    whole windows; here the last windows may be smaller.
    """
    raw = F.cross_entropy(
        logits.float(), target.long(), ignore_index=ignore_index, reduction="none"
    )
    counted = torch.ones_like(raw) if count_ignored else (target != ignore_index).float()
    dims = (1, 2) if per_image else (0, 1, 2)
    mean = masked_mean(raw.detach(), counted, dims)
    threshold = clipping_threshold(raw.detach(), window, counted, per_image=per_image)
    clipped = torch.where(mean > start, raw, torch.minimum(raw, threshold))
    return ClippedLoss(clipped, raw)


def clipping_threshold(
    raw: Float[Tensor, "B height width"],
    window: int = 120,
    counted: Float[Tensor, "B height width"] | None = None,
    *,
    per_image: bool = False,
) -> Float[Tensor, "M height width"]:
    """λ of every pixel: the larger of its window's mean loss and the mean of all.

    Args:
        raw: loss of every pixel.
        window: side of the windows that tile the image, pixels.
        counted: 1 for the pixels that enter the means; default: all.
        per_image: M = B, means of each image; else M = 1, means over the batch.
    """
    counted = torch.ones_like(raw) if counted is None else counted
    sums, counts = raw * counted, counted
    if not per_image:
        sums, counts = sums.mean(0, keepdim=True), counts.mean(0, keepdim=True)
    local = window_mean(sums, window) / window_mean(counts, window).clamp(min=1e-12)
    height, width = raw.shape[-2:]
    local = local.repeat_interleave(window, -2).repeat_interleave(window, -1)
    overall = masked_mean(raw, counted, (1, 2) if per_image else (0, 1, 2))
    return torch.maximum(local[..., :height, :width], overall)


def window_mean(maps: Float[Tensor, "M height width"], window: int) -> Tensor:
    """Mean of each window of a tiling; those at the right and bottom may be cut."""
    pooled = F.avg_pool2d(maps[:, None], window, ceil_mode=True)  # cut ones by their size
    return pooled[:, 0]


def masked_mean(values: Tensor, counted: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Mean over some axes of the values that count; 0 where none does."""
    total = (values * counted).sum(dims, keepdim=True)
    return total / counted.sum(dims, keepdim=True).clamp(min=1)
