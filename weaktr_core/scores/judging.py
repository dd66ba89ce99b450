"""How sure a network is of each photo and, where masks exist, how right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from weaktr_core.config import CamConfig, SegConfig
from weaktr_core.data.sample import IGNORE, Sample, TaggedDataset
from weaktr_core.data.transforms import resize_short_side
from weaktr_core.labels.views import View, infer_tagged
from weaktr_core.labels.windows import predict
from weaktr_core.method.cams import normalise

SIDE = 224
"""Short side in pixels at which photos are judged where the settings name none."""


@dataclass(frozen=True)
class Judged:
    """A photo as a network sees it.

    Attributes:
        name: of the sample.
        image: (height, width, 3) uint8, as it was looked at.
        classes: (P,) indices k that may be in its mask: its tags, or what was found.
        scores: (P, height, width) float32 from 0 to 1.
        tags: (K,) bool, as given.
        probability: (K,) of each tag; of step 2: mean of the pixels that got the class.
        mask: (height, width) true labels, or None.
        labels: (height, width) of step 2, whose scores need no threshold; else None.
    """

    name: str
    image: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    tags: np.ndarray
    probability: np.ndarray
    mask: np.ndarray | None
    labels: np.ndarray | None = None

    @property
    def doubt(self) -> float:
        """From 0 to 1: how far the tag that the network doubts most is from its own word.

        A tag that it denies counts as much as one that it misses.
        """
        return float(np.abs(self.tags - self.probability).max())

    def quality(self, k: int, labels: np.ndarray) -> float:
        """IoU of class k where a mask shows it, else the probability of its tag."""
        if self.mask is None or not (self.mask == k + 1).any():
            return float(self.probability[k])
        known = self.mask != IGNORE
        true, found = self.mask[known] == k + 1, labels[known] == k + 1
        return float((true & found).sum() / (true | found).sum())


def judge(
    network: Any,
    config: CamConfig | SegConfig,
    dataset: TaggedDataset,
    numbers: Iterable[int],
) -> Iterator[Judged]:
    """Photos one after the other, so that any number can be gone through.

    Args:
        network: of either step, in eval mode.
        config: its settings.
        dataset: images and tags, perhaps masks.
        numbers: which of them.
    """
    for number in numbers:
        if isinstance(config, CamConfig):
            yield judge_cam(network, config, dataset[number])
        else:
            yield judge_mask(network, config, dataset[number])


def judge_cam(network: Any, config: CamConfig, sample: Sample) -> Judged:
    """Scores of the tagged classes, and the patch classifier's probabilities."""
    image = resize_short_side(sample.image, config.eval_size or SIDE)
    classes = np.flatnonzero(sample.tags)
    maps, output = infer_tagged(
        network, network.prepare(image), [classes], [View()], ["fine_cam"]
    )
    scores = np.zeros((0, *image.shape[:2]), np.float32)
    if len(classes):
        scores = normalise(maps[0][0]).cpu().numpy()
    probability = output.coarse_logits[0].float().sigmoid().cpu().numpy()
    mask = resized(sample.mask, image)
    tags = sample.tags > 0
    return Judged(sample.name, image, classes, scores, tags, probability, mask)


def judge_mask(network: Any, config: SegConfig, sample: Sample) -> Judged:
    """Probabilities and labels of a segmentation network."""
    image = resize_short_side(sample.image, config.short_side or SIDE)
    found = predict(
        network,
        network.prepare(image),
        image.shape[:2],
        window=config.window,
        stride=config.stride,
    )
    pixels = found[0].cpu().numpy()  # (K + 1, height, width)
    labels = pixels.argmax(axis=0).astype(np.uint8)
    own = [pixels[k + 1][labels == k + 1] for k in range(len(sample.tags))]
    probability = np.array([it.mean() if it.size else 0.0 for it in own], np.float32)
    classes = np.flatnonzero((probability > 0) | (sample.tags > 0))
    return Judged(
        sample.name, image, classes, pixels[classes + 1], sample.tags > 0, probability,
        resized(sample.mask, image), labels,
    )  # fmt: skip


def resized(mask: np.ndarray | None, image: np.ndarray) -> np.ndarray | None:
    """A mask at the size of an image (height, width, 3), its ids kept."""
    if mask is None or mask.shape == image.shape[:2]:
        return mask
    size = image.shape[1::-1]
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
