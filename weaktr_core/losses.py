"""The loss that tags alone can give."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Float
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
