"""WeakTr: the stages of the method, wired together.

image → `ClassTokenViT` → tokens, attention → `fusion` → head weights → `cams` → maps
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from weaktr_core.errors import WeakTrError
from weaktr_core.method import cams
from weaktr_core.method.attention import TimmViT, attention_maps
from weaktr_core.method.fusion import build_fusion
from weaktr_core.method.grid import tokens_to_map
from weaktr_core.networks.adapters import adapt
from weaktr_core.networks.backbone import ClassTokenViT, Tokens
from weaktr_core.networks.network import Network


@dataclass
class CamOutput:
    """Everything the CAM network says about a batch; always all of it.

    Attributes:
        class_logits: (B, K), from the class tokens.
        coarse_logits: (B, K), spatial mean of the patch classifier's signed map; with
            a background, log-odds of each class's share of its best patches.
        fine_logits: (B, K), spatial mean of the fine CAM.
        coarse_cam: (B, K, h, w), positive part of the patch classifier's map; with a
            background, the class's probability.
        cross_attention: (B, K, h, w), class token → patch attention, heads weighted.
        cam: (B, K, h, w), their product.
        fine_cam: (B, K, h, w), the product refined by patch → patch attention.
        head_weights: (B, L, H), layer first, head second.
        patch_logits: (B, K or 1 + K, h, w), the patch classifier's map as it is.
    """

    class_logits: Float[Tensor, "B K"]
    coarse_logits: Float[Tensor, "B K"]
    fine_logits: Float[Tensor, "B K"]
    coarse_cam: Float[Tensor, "B K h w"]
    cross_attention: Float[Tensor, "B K h w"]
    cam: Float[Tensor, "B K h w"]
    fine_cam: Float[Tensor, "B K h w"]
    head_weights: Float[Tensor, "B L H"]
    patch_logits: Float[Tensor, "B C h w"]


class WeakTr(Network):
    """The CAM network, trained with image tags only.

    Args:
        vit: any timm ``VisionTransformer`` or ``Eva``; changed in place.
        num_classes: K, background not among them.
        fusion: how heads are weighted, see `weaktr_core.method.fusion.build_fusion`.
        pool: "max" or "mean" over tokens in the adaptive fusion.
        reduction, feature_reduction: bottlenecks of the adaptive fusion.
        readout: "shared", "per-class" or "mean": how a class token becomes a logit.
        final_norm: apply the transformer's last LayerNorm.
        cap: of the cross-attention map, in means, see `cams.cross_attention`; default 1,
            ``math.inf`` for none.
        adapters: rank of low-rank adapters; the transformer is frozen then. 0: none.
        background: the patch classifier has a background that competes with the
            classes in every patch. Its map is channel 0 of the patch logits.
        refine: "attention" (the paper's) or "features", see `cams.refine_by_features`.
        official: compute what the official code computes, traps included. It sets
            readout "mean", no cap and no final norm unless they are given.

    We differ (``official=False``): final norm before both classifiers; a learned
    readout instead of the mean over D, which varies less after a LayerNorm than other
    directions do (chapter 8 measures it); whole patches by padding; position table
    resized without the official 0.1; fusion features that belong to a head, head
    weights of mean 1; a capped cross-attention map. Each is named where it lives.

    Source: WeakTr, arXiv 2304.01184, section III.
    """

    def __init__(
        self,
        vit: TimmViT,
        num_classes: int,
        *,
        fusion: str = "adaptive",
        pool: str = "max",
        reduction: float = 8,
        feature_reduction: float = 8,
        readout: str | None = None,
        final_norm: bool | None = None,
        cap: float | None = None,
        adapters: int = 0,
        background: bool = False,
        refine: str = "attention",
        official: bool = False,
    ):
        options: dict[str, Any] = dict(
            fusion=fusion,
            pool=pool,
            reduction=reduction,
            feature_reduction=feature_reduction,
            readout=readout or ("mean" if official else "per-class"),
            final_norm=not official if final_norm is None else final_norm,
            cap=cap if cap is not None else (math.inf if official else 1.0),
            adapters=adapters,
            background=background,
            refine=refine,
            official=official,
        )
        super().__init__(vit, num_classes, options)
        width = vit.embed_dim
        adapt(vit, adapters)
        self.backbone = ClassTokenViT(
            vit, num_classes, final_norm=options["final_norm"], official=official
        )
        self.token_head = ClassReadout(num_classes, width, options["readout"])
        self.patch_head = nn.Conv2d(width, num_classes + background, 3, padding=1)
        self.fusion = build_fusion(
            fusion,
            *self.backbone.shape,
            pool=pool,
            reduction=reduction,
            feature_reduction=feature_reduction,
            official=official,
        )

    def start_from(self, cam: WeakTr) -> None:
        """Begin with what a network of the same kind has learned.

        Raises:
            WeakTrError: where it has another backbone, other options or other classes.
        """
        try:
            self.load_state_dict(cam.state_dict())
        except RuntimeError:
            own = {**self.options, "classes": self.num_classes}
            came = {**cam.options, "classes": cam.num_classes}
            other = [name for name in own if own[name] != came[name]] or ["backbone"]
            raise WeakTrError(
                "start: expected a network like the one to train, came one of other "
                + ", ".join(other)
            ) from None

    def encode(self, images: Float[Tensor, "B 3 height width"]) -> Tokens:
        """Images → tokens and a record of the attention."""
        return self.backbone(images)

    def forward(self, images: Float[Tensor, "B 3 height width"]) -> CamOutput:
        """Normalised images of any size → all maps, logits and head weights."""
        tokens = self.encode(images)
        with torch.autocast(images.device.type, enabled=False):
            return self.read_out(tokens)

    def read_out(
        self,
        tokens: Tokens,
        head_weights: Float[Tensor, "... L H"] | None = None,
        cap: float | None = None,
    ) -> CamOutput:
        """Tokens and attention → all maps, logits and head weights, in float32.

        Args:
            tokens: from `encode`.
            head_weights: (B, L, H), or (L, H) for all images; default: the fusion's.
            cap: of the cross-attention map; default: the network's.
        """
        class_logits = self.token_head(tokens.classes.float())
        patch_map = self.patch_head(tokens_to_map(tokens.patches.float(), tokens.grid))

        if head_weights is None:
            head_weights = self.fusion(tokens.layers)
        head_weights = head_weights.expand(len(class_logits), -1, -1)  # (B, L, H)
        cap = self.options["cap"] if cap is None else cap
        has_background = self.options["background"]
        coarse = cams.coarse_cam(patch_map, has_background)  # (B, K, h, w) from here on
        cross = cams.cross_attention(
            tokens.layers, head_weights, self.num_classes, tokens.grid, cap
        )
        cam = cross * coarse
        if self.options["refine"] == "features":
            fine = cams.refine_by_features(cam, tokens.patches.detach().float())
        else:
            fine = cams.refine(cam, tokens.layers, head_weights)

        return CamOutput(
            class_logits=class_logits,
            coarse_logits=cams.pooled_logits(patch_map, has_background),
            fine_logits=fine.mean(dim=(2, 3)),
            coarse_cam=coarse,
            cross_attention=cross,
            cam=cam,
            fine_cam=fine,
            head_weights=head_weights,
            patch_logits=patch_map,
        )

    @torch.no_grad()
    def attention_maps(
        self, images: Float[Tensor, "B 3 height width"]
    ) -> Float[Tensor, "B L H T T"]:
        """All attention matrices at once: for looking, not for training."""
        return attention_maps(self.encode(images).layers)


class ClassReadout(nn.Module):
    """Class token → logit.

    "mean" is the paper's: the mean over the D channels. "shared" compares every class
    token with one learned vector (the mean is the special case of a constant vector,
    which after a LayerNorm varies less than other directions).
    "per-class" gives each class a vector of its own.
    """

    def __init__(self, num_classes: int, width: int, kind: str):
        super().__init__()
        if kind not in READOUTS:
            raise ValueError(f"readout is one of {', '.join(READOUTS)}; got {kind!r}")
        self.kind = kind
        if kind != "mean":
            rows = num_classes if kind == "per-class" else 1
            self.weight = nn.Parameter(torch.zeros(rows, width))
            self.bias = nn.Parameter(torch.zeros(num_classes))

    def forward(self, tokens: Float[Tensor, "B K D"]) -> Float[Tensor, "B K"]:
        """One logit per class."""
        if self.kind == "mean":
            return tokens.mean(dim=-1)
        return (tokens * self.weight).sum(dim=-1) + self.bias


READOUTS = ("mean", "shared", "per-class")
