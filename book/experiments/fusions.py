"""Head weightings trained from scratch on a finished network, for `ablations.py`.

The backbone never hears the fusion, and a fusion hears nothing but the fine loss, so
this is what a whole training with another fusion would have given it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from weaktr_core.config import CamConfig
from weaktr_core.data import TaggedDataset
from weaktr_core.method.fusion import build_fusion
from weaktr_core.method.losses import tag_loss
from weaktr_core.networks.cam import WeakTr
from weaktr_core.runtime import seed_everything
from weaktr_core.train.cam import one_cycle

from reading import Seen, batches

FUSIONS = {
    "adaptive, max pooling": dict(kind="adaptive", pool="max"),
    "adaptive, mean pooling": dict(kind="adaptive", pool="mean"),
    "version V2, max pooling": dict(kind="adaptive-v2", pool="max"),
    "version V1": dict(kind="adaptive-v1"),
    "adaptive, ten times as long": dict(kind="adaptive", pool="max", times=10),
}
"""Trained anew on the frozen finished network, all alike but for the last."""


@dataclass
class Digest:
    """All that a fusion needs of training scenes to be trained.

    A fine logit is a mean over patches, and a mean can be taken before weights are:
    instead of each head's N×N block, its column means are enough.

    Attributes:
        features: {fusion: what its `pool` saw}.
        rows: (B, L·H, K, N), class→patch attention of each head.
        received: (B, L·H, N), mean over asking patches of patch→patch attention.
        coarse: (B, K, N).
        tags: (B, K).
        own: (B, L, H), weights of the trained network.
    """

    features: dict[str, Tensor]
    rows: Tensor
    received: Tensor
    coarse: Tensor
    tags: Tensor
    own: Tensor

    def fine_logits(self, weights: Tensor, chosen: Tensor, cap: float = 1.0) -> Tensor:
        """Fine logits (B, K) of some scenes under head weights (B, L, H)."""
        flat = weights.flatten(1) / weights[0].numel()  # (B, L·H)
        cross = torch.einsum("bh,bhkn->bkn", flat, self.rows[chosen].float())
        cross = torch.minimum(cross, cap * cross.mean(dim=2, keepdim=True))
        received = torch.einsum("bh,bhn->bn", flat, self.received[chosen])
        cam = cross * self.coarse[chosen]
        return torch.einsum("bkn,bn->bk", cam, received)


@torch.no_grad()
def digest(
    model: WeakTr,
    fusions: dict[str, nn.Module],
    data: TaggedDataset,
) -> Digest:
    """Encode training scenes once."""
    features: dict[str, list[Tensor]] = {name: [] for name in fusions}
    parts: dict[str, list[Tensor]] = {
        name: [] for name in ("rows", "received", "coarse", "tags", "own")
    }
    for images, batch in batches(model, data, "encode"):
        seen = Seen(model, model.encode(images))
        n, flat = seen.tokens.patches.shape[1], seen.stack.flatten(1, 2)
        for name, fusion in fusions.items():
            features[name].append(fusion.pool(seen.tokens.layers))
        parts["rows"].append(flat[:, :, : model.num_classes, -n:].half())
        parts["received"].append(flat[:, :, -n:, -n:].mean(dim=2))
        parts["coarse"].append(seen.coarse.flatten(2))
        parts["tags"].append(torch.from_numpy(np.stack([one.tags for one in batch])))
        parts["own"].append(seen.own)
    joined = {name: torch.cat(values) for name, values in parts.items()}
    return Digest({k: torch.cat(v) for k, v in features.items()}, **joined)


def train_fusions(
    model: WeakTr,
    config: CamConfig,
    train: TaggedDataset,
    epochs: int,
) -> tuple[dict[str, nn.Module], Digest]:
    """Train each of `FUSIONS` from scratch on the frozen network, and look at its own.

    Batch size, rate, schedule and decay are those of the run; scenes are not mirrored.
    The fine loss is all a fusion ever hears.

    Returns:
        The fusions, and what they were trained on.
    """
    fusions = {}
    for name, values in FUSIONS.items():
        seed_everything(config.seed)
        options = {key: value for key, value in values.items() if key == "pool"}
        fusions[name] = build_fusion(values["kind"], *model.backbone.shape, **options)
    seen = digest(model, fusions, train)
    for name, fusion in fusions.items():
        times = FUSIONS[name].get("times", 1)
        train_fusion(fusion, seen, seen.features[name], config, times * epochs)
    return fusions, seen


def train_fusion(
    fusion: nn.Module, seen: Digest, features: Tensor, config: CamConfig, epochs: int
) -> None:
    """Minimise the fine loss over a fusion."""
    optimizer = torch.optim.AdamW(
        [
            dict(params=[p], weight_decay=config.weight_decay if p.ndim > 1 else 0.0)
            for p in fusion.parameters()
        ],
        lr=config.fusion_lr,
    )
    steps = len(features) // config.batch_size
    order = torch.Generator().manual_seed(config.seed)
    for epoch in range(epochs):
        shuffled = torch.randperm(len(features), generator=order)
        for step in range(steps):
            at = (epoch + step / steps) * config.epochs / epochs
            for group in optimizer.param_groups:
                group["lr"] = config.fusion_lr * one_cycle(at, config)
            chosen = shuffled[step * config.batch_size :][: config.batch_size]
            logits = seen.fine_logits(fusion.weigh(features[chosen]), chosen)
            optimizer.zero_grad()
            tag_loss(logits, seen.tags[chosen]).backward()
            optimizer.step()


@torch.no_grad()
def weight_spread(fusions: dict[str, nn.Module], seen: Digest) -> dict[str, list[float]]:
    """How much head weights of mean 1 differ between heads, and between images."""
    every = {
        f"anew: {name}": one.weigh(seen.features[name]) for name, one in fusions.items()
    }
    every["as trained"] = seen.own
    spread = {}
    for name, weights in every.items():
        weights = weights / weights.mean()
        heads, images = weights.mean(dim=0).std(), weights.std(dim=0).mean()
        spread[name] = [round(heads.item(), 5), round(images.item(), 5)]
    return spread
