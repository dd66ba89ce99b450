"""Step 2's network: any timm ViT, a mask transformer, logits for every pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from weaktr_core.errors import WeakTrError
from weaktr_core.method.attention import TimmViT
from weaktr_core.method.decoder import MaskTransformer
from weaktr_core.method.grid import Size, grid_size, map_to_image, pad_to_patches
from weaktr_core.networks.adapters import adapt
from weaktr_core.networks.backbone import accept_any_size, take_final_norm
from weaktr_core.networks.network import Network

if TYPE_CHECKING:
    from weaktr_core.networks.cam import WeakTr


class Segmenter(Network):
    """A plain ViT and a `MaskTransformer`: image → class logits of every pixel.

    Here the ViT keeps its final LayerNorm, and its class token is dropped before the
    decoder. Nothing asks for attention maps, so the fused kernels stay on.

    Args:
        vit: any timm ``VisionTransformer`` or ``Eva``; changed in place.
        num_classes: K; logits have K + 1 channels, background first.
        decoder: options of `MaskTransformer`.
        adapters: rank of low-rank adapters; the transformer is frozen then. 0: none.

    Source: WeakTr, arXiv 2304.01184, section III-D.
    """

    def __init__(
        self,
        vit: TimmViT,
        num_classes: int,
        *,
        decoder: dict[str, Any] | None = None,
        adapters: int = 0,
    ):
        options = {"decoder": dict(decoder or {}), "adapters": adapters}
        super().__init__(vit, num_classes, options)
        adapt(vit, adapters)
        self.norm = take_final_norm(vit)
        accept_any_size(vit)
        self.vit: Any = vit
        self.decoder = MaskTransformer(
            num_classes + 1, vit.embed_dim, **self.options["decoder"]
        )

    def start_from(self, cam: WeakTr) -> None:
        """Take over the transformer that step 1 has trained, its class tokens aside.

        The paper starts step 2 from the backbone's own weights instead.

        Raises:
            WeakTrError: where step 1 has another backbone, or adapters of another rank.
        """
        theirs, norm = cam.backbone.vit, cam.backbone.norm.state_dict()
        try:
            self.vit.patch_embed.load_state_dict(theirs.patch_embed.state_dict())
            self.vit.blocks.load_state_dict(theirs.blocks.state_dict())
            self.norm.load_state_dict(norm or self.norm.state_dict())
        except RuntimeError:
            raise WeakTrError(
                "start: expected a network of step 1 with this backbone and adapters of "
                f"rank {self.options['adapters']}, came rank {cam.options['adapters']}"
            ) from None

    @property
    def patch_size(self) -> Size:
        """(height, width) of a patch in pixels."""
        return tuple(self.vit.patch_embed.patch_size)

    def encode(
        self, images: Float[Tensor, "B 3 height width"]
    ) -> tuple[Float[Tensor, "B N D"], Size]:
        """Patch tokens and their grid; the image is padded to whole patches."""
        grid = grid_size((images.shape[-2], images.shape[-1]), self.patch_size)
        tokens = self.vit.forward_features(pad_to_patches(images, self.patch_size))
        return self.norm(tokens)[:, self.vit.num_prefix_tokens :], grid

    def forward(
        self, images: Float[Tensor, "B 3 height width"]
    ) -> Float[Tensor, "B C height width"]:
        """Normalised images of any size → logits of C = K + 1 classes per pixel."""
        tokens, grid = self.encode(images)
        return self.to_pixels(self.decoder(tokens, grid), images)

    def block_logits(
        self, images: Float[Tensor, "B 3 height width"]
    ) -> list[Float[Tensor, "B C height width"]]:
        """The logits as read after each block of the decoder; the last is `forward`'s."""
        tokens, grid = self.encode(images)
        masks = self.decoder.masks_of_blocks(tokens, grid)
        return [self.to_pixels(m, images) for m in masks]

    def to_pixels(self, masks: Tensor, images: Tensor) -> Tensor:
        """Masks (B, C, h, w) of patches → (B, C, height, width) of the image."""
        size = (images.shape[-2], images.shape[-1])
        return map_to_image(masks.float(), size, self.patch_size)


def ensemble(
    logits: list[Float[Tensor, "B C height width"]],
    weights: tuple[float, ...] = (0.8, 1.0),
) -> Float[Tensor, "B C height width"]:
    """Weighted sum of the softmax of each block's logits.

    The official evaluation does this in silence, 0.8 for the first of two blocks and 1
    for the second. Here it is asked for, and scores say whether it was.
    """
    if len(logits) != len(weights):
        raise ValueError(f"{len(weights)} weights for {len(logits)} decoder blocks")
    shares = [w * x.softmax(dim=1) for w, x in zip(weights, logits, strict=True)]
    return torch.stack(shares).sum(dim=0) / sum(weights)
