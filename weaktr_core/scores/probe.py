"""What a frozen backbone finds before any training: how learnable are the tags?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from tabulate import tabulate
from tqdm.auto import tqdm

from weaktr_core.data.sample import DataError, TaggedDataset, without_masks
from weaktr_core.data.transforms import to_batch
from weaktr_core.method.attention import TimmViT
from weaktr_core.networks.network import statistics_of
from weaktr_core.runtime import default_device
from weaktr_core.scores.metrics import average_precision

SIDE = 112
"""Pixels of the square that photos are squeezed to."""

WEAK = 70.0
"""Average precision, %, below which a class is named."""

SHRINK = 10.0
"""Weight of the penalty that keeps the classifier's weights small."""


@dataclass(frozen=True)
class Embedded:
    """Photos as vectors.

    Attributes:
        names: of the photos that could be read.
        features: (n, D), the mean patch token of each.
        tags: (n, K), 0 or 1.
    """

    names: list[str]
    features: Float[np.ndarray, "n D"]
    tags: Float[np.ndarray, "n K"]


@torch.no_grad()
def embed(vit: TimmViT, dataset: TaggedDataset, progress: str = "probe") -> Embedded:
    """Every readable photo through a ViT, in eval mode; masks are not read."""
    names, features, tags = [], [], []
    photos, statistics = without_masks(dataset), statistics_of(vit)
    vit = vit.to(default_device()).eval()
    for index in tqdm(range(len(photos)), desc=progress, unit="photo"):
        try:
            sample = photos[index]
        except (DataError, OSError):
            continue
        small = np.asarray(Image.fromarray(sample.image).resize((SIDE, SIDE)))
        batch = to_batch([small], statistics).to(default_device())
        tokens = vit.forward_features(batch)[0, vit.num_prefix_tokens :]
        features.append(tokens.mean(dim=0).float().cpu().numpy())
        names.append(sample.name)
        tags.append(sample.tags)
    if not names:
        raise DataError("no photo could be read")
    return Embedded(names, np.stack(features), np.stack(tags).astype(np.float32))


def probe(
    train: Embedded, val: Embedded, counts: Sequence[int], seed: int = 0
) -> Float[np.ndarray, "counts K"]:
    """Average precision of each tag by how many photos a linear classifier learned from.

    Ridge regression of the tags on the features; (K,) for each count, NaN for a class
    that no photo of ``val`` has.

    Args:
        train: to learn from; smaller counts are parts of larger ones.
        val: to measure with.
        counts: numbers of photos.
        seed: of their order.
    """
    order = np.random.default_rng(seed).permutation(len(train.names))
    middle = train.features.mean(axis=0)
    found = []
    for count in counts:
        rows = order[:count]
        x, y = train.features[rows] - middle, train.tags[rows]
        gram = x @ x.T + SHRINK * np.eye(len(x))
        weights = x.T @ np.linalg.solve(gram, y - y.mean(axis=0))
        found.append(average_precision((val.features - middle) @ weights, val.tags))
    return np.stack(found)


def probe_text(
    train: Embedded, classes: Sequence[str], counts: Sequence[int], found: np.ndarray
) -> str:
    """The curve as a table, and a sentence on the classes that are found worst.

    Args:
        train: what was learned from.
        classes: K names.
        counts: numbers of photos.
        found: of `probe`.
    """
    lines = ["probe: average precision of the tags, %, by a linear classifier on frozen "
             "DINOv2-S; a training finds more"]  # fmt: skip
    means = [100 * float(np.nanmean(row)) for row in found]
    lines.append(tabulate([[f"{it:.0f}" for it in means]], [f"{n} photos" for n in counts]))
    last = dict(zip(classes, 100 * found[-1], strict=True))
    worst = sorted((name for name in last if last[name] < WEAK), key=lambda it: last[it])
    for name in worst[:5]:
        photos = int(train.tags[:, classes.index(name)].sum())
        lines.append(
            f"advice: class {name}: {photos} photos; with these the probe reaches AP "
            f"{last[name]:.0f}: check its tags, add photos"
        )
    return "\n".join(lines)
