"""Masks of photos that nobody has tagged, with a trained network of either step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from weaktr_core.data.transforms import resize_short_side
from weaktr_core.labels.crf import CrfSettings, crf_on_probabilities
from weaktr_core.labels.recipe import LabelRecipe
from weaktr_core.labels.sizes import WORKING_SIDE, at_most, enlarge
from weaktr_core.labels.views import View, infer_cams, tagged_scores
from weaktr_core.labels.windows import predict
from weaktr_core.method.grid import map_to_image
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.segmenter import Segmenter

LIKELY, POSSIBLE = 0.5, 0.1
"""Probability from which a class is taken to be there; that of the likeliest class.

How often that is right on 100 training photos, where every class that there is is known:
``belief`` in ``data/results/shipped.json``, by ``book/experiments/shipped.py``.
"""


@dataclass(frozen=True)
class Segmented:
    """A photo's mask and what it was looked through for.

    Attributes:
        labels: (height, width) uint8, 0 background or k + 1, as large as the photo.
        probabilities: class index k → probability of its tag, from 0 to 1; None where
            the tag was given.
        unlikely: where no class was likely, the likeliest and its probability.
    """

    labels: np.ndarray
    probabilities: dict[int, float | None]
    unlikely: tuple[int, float] | None = None

    def phrases(self, classes: Sequence[str]) -> list[str]:
        """A phrase for each class: its tag's probability, its share of the pixels."""
        phrases = []
        for k, probability in self.probabilities.items():
            tag = "" if probability is None else f"{100 * probability:.0f} % likely, "
            share = (self.labels == k + 1).mean()
            phrases.append(f"{classes[k]} ({tag}{100 * share:.0f} % of the pixels)")
        if self.unlikely is not None:
            k, probability = self.unlikely
            most = f"{classes[k]}, {100 * probability:.0f} %"
            phrases = [f"nothing known is likely (most of all {most}; --tags insists)"]
        return phrases or ["background only"]


def believed(probabilities: Sequence[float]) -> dict[int, float | None]:
    """Classes taken to be there: from 0.5 on, and the likeliest one from 0.1 on.

    Args:
        probabilities: of each of the K classes.

    Returns:
        Class index → probability, the likeliest first. A lone class is always the
        likeliest: it wants 0.5.
    """
    order = np.argsort(probabilities)[::-1].tolist()
    least = POSSIBLE if len(order) > 1 else LIKELY
    return {
        k: probabilities[k]
        for place, k in enumerate(order)
        if probabilities[k] >= (LIKELY if place else least)
    }


@dataclass(frozen=True)
class CamSegmenter:
    """Masks from a CAM network, which needs tags: given ones, or those it believes in.

    Attributes:
        model: a `WeakTr` in eval mode.
        views: scales and flips that are summed.
        threshold: background score.
        size: short side in pixels; None: the photo's own, up to twice what the network
            was trained on.
        tags: class indices k that are taken for granted.
        crf: settings of `weaktr_core.labels.crf`, or None.
    """

    model: WeakTr
    views: Sequence[View]
    threshold: float = 0.4
    size: int | None = None
    tags: tuple[int, ...] = ()
    crf: CrfSettings | None = None

    def __call__(self, photo: np.ndarray) -> Segmented:
        """(height, width, 3) uint8 → mask and tags."""
        working = at_most(photo, WORKING_SIDE)
        seen = resize_short_side(working, self.size or self.own_size(working))
        batch = self.model.prepare(seen)
        maps, output = infer_cams(self.model, batch, self.views, ["fine_cam"])
        likely = output.coarse_logits[0].float().sigmoid().tolist()
        found = dict.fromkeys(self.tags) if self.tags else believed(likely)
        full = map_to_image(maps["fine_cam"], working.shape[:2])[0]  # (K, height, width)
        is_there = np.isin(np.arange(len(full)), list(found))
        scores, classes = tagged_scores(full, is_there)
        labels = LabelRecipe(self.threshold, self.crf)(working, scores, classes)
        best = int(np.argmax(likely))
        unlikely = None if found else (best, likely[best])
        return Segmented(enlarge(labels, photo.shape[:2]), found, unlikely)

    def own_size(self, photo: np.ndarray) -> int:
        """The photo's short side, but no more than twice the training size."""
        side = (self.model.source or {}).get("img_size", 224)
        return min(min(photo.shape[:2]), 2 * int(np.min(side)))


@dataclass(frozen=True)
class MaskSegmenter:
    """Masks from a segmentation network: each pixel's likeliest class.

    Attributes:
        model: a `Segmenter` in eval mode.
        views: ratios and flips whose probabilities are averaged.
        size: short side in pixels at ratio 1; None keeps the photo's.
        window, stride: of the sliding windows, pixels.
        tags: class indices k; if there are any, others are ruled out.
        crf: settings of `weaktr_core.labels.crf`, or None.
    """

    model: Segmenter
    views: Sequence[View]
    size: int | None = None
    window: int = 480
    stride: int = 320
    tags: tuple[int, ...] = ()
    crf: CrfSettings | None = None

    def __call__(self, photo: np.ndarray) -> Segmented:
        """(height, width, 3) uint8 → mask and the classes in it."""
        working = at_most(photo, WORKING_SIDE)
        found = predict(
            self.model,
            self.model.prepare(resize_short_side(working, self.size)),
            working.shape[:2],
            views=self.views,
            window=self.window,
            stride=self.stride,
        )
        probability = found[0].cpu().numpy()  # (K + 1, height, width)
        if self.tags:
            allowed = np.isin(np.arange(len(probability)), [0, *(k + 1 for k in self.tags)])
            probability = np.where(allowed[:, None, None], probability, 1e-8)
        if self.crf is not None:
            probability = crf_on_probabilities(working, probability, self.crf)
        labels = enlarge(probability.argmax(axis=0).astype(np.uint8), photo.shape[:2])
        counts = np.bincount(labels.ravel(), minlength=2)[1:]
        order = [int(k) for k in np.argsort(-counts, kind="stable") if counts[k]]
        return Segmented(labels, dict.fromkeys(order))
