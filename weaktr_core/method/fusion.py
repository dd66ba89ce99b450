"""Head weighting: one number per attention head, each idea a class of its own.

Every class maps the records of a forward pass to head weights (B, L, H), layer
first, head second. They differ in what they look at: that is the one method
`features` of the adaptive ones; the others look at nothing. An adaptive one works in
two steps: `pool` gathers what it sees and learns nothing, `weigh` makes weights of it.

Source: WeakTr, arXiv 2304.01184, section III-B, adaptive attention fusion (AAF).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from weaktr_core.method.attention import LayerRecord


def reduced(channels: int, factor: float, *, official: bool = False) -> int:
    """Width of a bottleneck: channels / factor, rounded; truncated if official."""
    return int(channels / factor) if official else max(1, round(channels / factor))


class AdaptiveFusion(nn.Module):
    """Adaptive attention fusion, as in the published results (version V3).

    Each head is summarised by D/H numbers, pooled over all T tokens. A linear pair
    squeezes them to one number a head (no activation between: two linear maps are one
    linear map), a bottleneck lets the L·H numbers see each other, a sigmoid makes
    them weights. Inputs are detached: the fusion never teaches the backbone.

    We differ; ``official=True`` is the published computation, released weights need it:

    - What is pooled. Officially the attention-branch output o, which lies *behind* the
      projection that mixes the heads, cut into interleaved groups of channels (group g
      holds channels g, g + H, …), so that no group belongs to a head. Here what each
      head gathered *before* that projection, A_h V_h: row (l, h) does describe head
      (l, h). It is layer-normalised, since backbones differ in scale.
    - GELU in the bottleneck. Its nine officially rectified units can all die; every
      weight is then 0.5 for ever.
    - The weights of an image are divided by their mean. The fine loss always gains by
      larger weights; so it can only move trust from one head to another.
    - Bottleneck sizes are rounded, officially truncated.

    Args:
        num_layers, num_heads, head_dim: L, H, D/H of the transformer.
        pool: "max" (the released runs) or "mean" (the official default) over tokens.
        reduction: the L·H numbers pass a bottleneck of L·H / reduction.
        feature_reduction: D/H numbers are squeezed to D/H / feature_reduction first.
    """

    def __init__(
        self,
        num_layers: int,
        num_heads: int,
        head_dim: int,
        *,
        pool: str = "max",
        reduction: float = 8,
        feature_reduction: float = 8,
        official: bool = False,
    ):
        super().__init__()
        if pool not in ("max", "mean"):
            raise ValueError(f"pool is 'max' or 'mean', got {pool!r}")
        self.shape, self.pooling = (num_layers, num_heads), pool
        self.official = official
        squeezed = reduced(head_dim, feature_reduction, official=official)
        self.squeeze = nn.Sequential(nn.Linear(head_dim, squeezed), nn.Linear(squeezed, 1))
        self.excite = head_mixer(num_layers * num_heads, reduction, official=official)

    def features(self, layer: LayerRecord) -> Float[Tensor, "B H T dim"]:
        """What the weighting sees of a layer: one row of features per head."""
        return self.split(layer.branch) if self.official else layer.head_output

    def split(self, tokens: Float[Tensor, "B T D"]) -> Float[Tensor, "B H T dim"]:
        """Deal D channels out to H groups: interleaved if official, else in blocks."""
        heads = self.shape[1]
        if self.official:
            return tokens.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2)
        return tokens.unflatten(-1, (heads, -1)).transpose(1, 2)

    def pool(self, layers: list[LayerRecord]) -> Float[Tensor, "B L H dim"]:
        """`features` of every layer, pooled over all tokens; nothing here is learned."""
        reduce = torch.amax if self.pooling == "max" else torch.mean
        seen = (self.features(layer).detach().float() for layer in layers)
        pooled = torch.stack([reduce(x, dim=2) for x in seen], dim=1)
        return pooled if self.official else F.layer_norm(pooled, pooled.shape[-1:])

    def weigh(self, pooled: Float[Tensor, "B L H dim"]) -> Float[Tensor, "B L H"]:
        """One weight per head and image: mean 1, or in (0, 1) if official."""
        scores = self.squeeze(pooled).flatten(1)  # (B, L, H, dim) -> (B, L·H)
        weights = self.excite(scores).sigmoid().unflatten(1, self.shape)
        return weights if self.official else weights / weights.mean((1, 2), keepdim=True)

    def forward(self, layers: list[LayerRecord]) -> Float[Tensor, "B L H"]:
        """Look, then weigh."""
        return self.weigh(self.pool(layers))


class BlockFusion(AdaptiveFusion):
    """Version V2: looks at the block's output x instead of its attention branch.

    Its weights have the names of V3's, so nothing in a checkpoint tells the two apart.
    """

    def features(self, layer: LayerRecord) -> Float[Tensor, "B H T dim"]:
        """Channels of x dealt out to H groups; none of them belongs to a head."""
        return self.split(layer.block)


class AttentionFusion(nn.Module):
    """Version V1: looks at the attention maps themselves, mean-pooled.

    Each row of an attention map sums to 1, so its mean over T·T entries is 1/T,
    whatever the image shows. These "adaptive" weights depend on the image's size and
    on nothing else in it; `pool` therefore never computes a map.
    """

    def __init__(
        self,
        num_layers: int,
        num_heads: int,
        head_dim: int,
        *,
        reduction: float = 8,
        official: bool = False,
        **_unused,
    ):
        super().__init__()
        self.shape = (num_layers, num_heads)
        self.excite = head_mixer(num_layers * num_heads, reduction, official=official)

    def pool(self, layers: list[LayerRecord]) -> Float[Tensor, "B heads"]:
        """The mean of every attention map, known without looking: 1/T, L·H times."""
        batch, _, tokens, _ = layers[0].query.shape
        count = self.shape[0] * self.shape[1]
        return layers[0].branch.new_full((batch, count), 1 / tokens).float()

    def weigh(self, pooled: Float[Tensor, "B heads"]) -> Float[Tensor, "B L H"]:
        """Weights in (0, 1), the same for every image of a size."""
        return self.excite(pooled).sigmoid().unflatten(1, self.shape)

    def forward(self, layers: list[LayerRecord]) -> Float[Tensor, "B L H"]:
        """Look, then weigh."""
        return self.weigh(self.pool(layers))


class FixedFusion(nn.Module):
    """The same given weight (L, H) for every image; not trained."""

    def __init__(self, weights: Float[Tensor, "L H"]):
        super().__init__()
        self.weights: Tensor
        self.register_buffer("weights", weights.float())

    def forward(self, layers: list[LayerRecord]) -> Float[Tensor, "B L H"]:
        """The weights, repeated for each image."""
        return self.weights.expand(layers[0].query.shape[0], -1, -1)


def head_mixer(count: int, reduction: float, *, official: bool = False):
    """Bottleneck through which the scores of all L·H heads see each other."""
    hidden = reduced(count, reduction, official=official)
    return nn.Sequential(
        nn.Linear(count, hidden, bias=False),
        nn.ReLU() if official else nn.GELU(),
        nn.Linear(hidden, count, bias=False),
    )


ADAPTIVE = {
    "adaptive": AdaptiveFusion,
    "adaptive-v2": BlockFusion,
    "adaptive-v1": AttentionFusion,
}


def build_fusion(
    name: str, num_layers: int, num_heads: int, head_dim: int, **options
) -> nn.Module:
    """Head weighting by name.

    Args:
        name: "adaptive" (V3), "adaptive-v2", "adaptive-v1", "uniform" (every head 1,
            as MCTformer averages them), or "random" / "random:SEED" (drawn once,
            uniform in (0, 1)).
        options: pool, reduction, feature_reduction, official of the adaptive ones.
    """
    kind, _, seed = name.partition(":")
    shape = (num_layers, num_heads)
    if kind in ADAPTIVE:
        return ADAPTIVE[kind](*shape, head_dim, **options)
    if kind == "uniform":
        return FixedFusion(torch.ones(shape))
    if kind == "random":
        generator = torch.Generator().manual_seed(int(seed or 0))
        return FixedFusion(torch.rand(shape, generator=generator))
    known = ", ".join([*ADAPTIVE, "uniform", "random"])
    raise ValueError(f"unknown fusion {name!r}; known: {known}")
