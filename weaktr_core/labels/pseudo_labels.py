"""From class activation maps to label maps, and both on disk.

CAMs are one ``.npz`` per image: ``classes`` (P,) and ``maps`` (P, height, width) float16,
normalised. Masks are palette PNGs as VOC stores them: 0 background, k + 1, 255.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage.filters import threshold_otsu
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from weaktr_core.data.sample import IGNORE, DataError, Sample, TaggedDataset
from weaktr_core.data.transforms import Statistics, resize_short_side, to_batch
from weaktr_core.labels.crf import CrfSettings, crf_on_labels
from weaktr_core.labels.views import View, infer_cams, tagged_scores
from weaktr_core.method.grid import map_to_image
from weaktr_core.networks.cam import WeakTr
from weaktr_core.runtime import write_atomically
from weaktr_core.scores.metrics import (
    THRESHOLDS,
    ConfusionMatrix,
    ScoredImage,
    Sweep,
    SweepCounter,
    best_class,
)


def label_map(scores: np.ndarray, classes: np.ndarray, threshold: float) -> np.ndarray:
    """Label each pixel with its best class if that beats the background score.

    Ties go to the background: a score must be strictly above the threshold.

    Args:
        scores: (P, height, width), normalised maps of the classes present.
        classes: (P,), their indices k.
        threshold: background score.

    Returns:
        (height, width) uint8: 0 or k + 1.
    """
    labels, score = best_class(scores, classes)
    return np.where(score > threshold, labels, 0).astype(np.uint8)


def make_cams(
    model: WeakTr,
    dataset: TaggedDataset,
    statistics: Statistics,
    folder: Path,
    *,
    views: Sequence[View],
    eval_size: int | None = None,
    stage: str = "fine_cam",
) -> None:
    """Write the CAM file of every image; images that have one are skipped.

    Args:
        model: a trained CAM network; put in eval mode.
        dataset: images and tags; masks are not read.
        statistics: of the backbone.
        folder: receives ``NAME.npz``.
        views: scales and flips that are summed.
        eval_size: short side in pixels at scale 1; None keeps the images as they are.
        stage: which map of `CamOutput`.
    """
    device = next(model.parameters()).device
    model.eval()
    for sample in tqdm(dataset, desc="CAMs", unit="image"):
        path = folder / f"{sample.name}.npz"
        if path.exists():
            continue
        image = resize_short_side(sample.image, eval_size)
        maps, _ = infer_cams(
            model, to_batch([image], statistics).to(device), views, [stage]
        )
        full = map_to_image(maps[stage], sample.image.shape[:2])[0]
        scores, classes = tagged_scores(full, sample.tags)
        write_cam(path, scores, classes)


def label_free_threshold(cams: Iterable[np.ndarray]) -> float:
    """A background score for a whole dataset, chosen without any mask.

    Otsu's method on the pooled histogram of every pixel's best score: the value that
    splits the scores into two groups which differ most.

    Args:
        cams: scores (P, height, width) of one image after the other, in [0, 1].

    Source: Otsu 1979, as scikit-image computes it.
    """
    counts = np.zeros(256)
    for scores in cams:
        if len(scores):
            counts += np.histogram(scores.max(axis=0), bins=256, range=(0, 1))[0]
    if not counts.any():
        raise DataError("no CAM has a class: a threshold cannot be chosen")
    return float(threshold_otsu(hist=(counts, (np.arange(256) + 0.5) / 256)))


def sweep_cams(dataset: TaggedDataset, cams: Path) -> Sweep | None:
    """Every threshold against the true masks, which is peeking; None without masks."""
    counter = SweepCounter(THRESHOLDS, len(dataset.classes))
    for sample in tqdm(dataset, desc="sweep", unit="image"):
        if sample.mask is not None:
            scores, classes = read_cam(cams / f"{sample.name}.npz")
            counter.update(ScoredImage(scores, classes, sample.mask))
    return counter.sweep if counter.images else None


@dataclass(frozen=True)
class LabelRecipe:
    """How scores become labels.

    Attributes:
        threshold: background score.
        crf: refine by the photo; None to leave it.
        ignore_band: half width of a band of background scores around the threshold.
            The image is labelled at both ends; where the two differ it gets 255.
    """

    threshold: float
    crf: CrfSettings | None = None
    ignore_band: float = 0.0

    def __call__(
        self, image: np.ndarray, scores: np.ndarray, classes: np.ndarray
    ) -> np.ndarray:
        """Photo (height, width, 3), scores (P, height, width) → labels uint8."""
        if not self.ignore_band:
            return self._label(image, scores, classes, self.threshold)
        low, high = (self.threshold + side * self.ignore_band for side in (-1, 1))
        generous = self._label(image, scores, classes, low)
        strict = self._label(image, scores, classes, high)
        return np.where(generous == strict, strict, IGNORE).astype(np.uint8)

    def _label(self, image, scores, classes, threshold: float) -> np.ndarray:
        labels = label_map(scores, classes, threshold)
        return labels if self.crf is None else crf_on_labels(image, labels, self.crf)


class _Labelled(Dataset):
    """Sample and label map by index, so that a data loader's processes share the work."""

    def __init__(self, dataset: TaggedDataset, cams: Path, recipe: LabelRecipe):
        self.dataset, self.cams, self.recipe = dataset, cams, recipe

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Sample, np.ndarray]:
        sample = self.dataset[index]
        path = self.cams / f"{sample.name}.npz"
        scores, classes = read_cam(path)
        if scores.shape[1:] != sample.image.shape[:2]:
            raise DataError(
                f"{path}: expected maps as large as the photo, "
                f"{sample.image.shape[:2]}, came {scores.shape[1:]}"
            )
        return sample, self.recipe(sample.image, scores, classes)


def _as_it_is(item: Any) -> Any:
    """Keep the loader from making tensors."""
    return item


def make_masks(
    dataset: TaggedDataset,
    cams: Path,
    folder: Path,
    recipe: LabelRecipe,
    *,
    sheet: int = 24,
    workers: int | None = None,
) -> ConfusionMatrix | None:
    """Turn CAM files into palette masks, and the first few into an overview picture.

    Args:
        dataset: the images, for names and for the sheet.
        cams: folder of `make_cams`.
        folder: receives ``NAME.png`` and ``sheet.jpg`` beside it.
        recipe: threshold, CRF, ignore band.
        sheet: how many images the overview shows.
        workers: processes; default: all cores where a CRF runs, else none.

    Returns:
        Counts against the true masks where there are some. They are only measured
        with; 255 of the pseudo-masks counts as background.
    """
    if workers is None:
        workers = (os.cpu_count() or 1) if recipe.crf else 0
    labelled = _Labelled(dataset, cams, recipe)
    loader = DataLoader(
        labelled, batch_size=None, collate_fn=_as_it_is, num_workers=workers
    )
    shown, measured = [], ConfusionMatrix(len(dataset.classes) + 1)
    for index, (sample, labels) in enumerate(tqdm(loader, desc="masks", unit="image")):
        write_mask(folder / f"{sample.name}.png", labels)
        if sample.mask is not None:
            measured.update(sample.mask, np.where(labels == IGNORE, 0, labels))
        if index < sheet:
            shown.append(tile(sample.image, labels))
    if shown:
        write_sheet(folder.parent / "sheet.jpg", shown)
    return measured if measured.counts.any() else None


TILE = 160  # pixels, side of a picture on the sheet


def tile(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Photo beside its mask overlay, (TILE, 2·TILE, 3)."""
    painted = voc_palette()[labels] * 0.6 + image * 0.4
    overlay = np.where((labels > 0)[..., None], painted, image * 0.6)
    pair = [Image.fromarray(p.astype(np.uint8)).resize((TILE, TILE))
            for p in (image, overlay)]  # fmt: skip
    return np.concatenate([np.asarray(p) for p in pair], axis=1)


def write_sheet(path: Path, tiles: list[np.ndarray], columns: int = 3) -> None:
    """Tiles in rows, as one JPEG."""
    blank = np.full_like(tiles[0], 255)
    tiles = tiles + [blank] * (-len(tiles) % columns)
    rows = [
        np.concatenate(tiles[start : start + columns], axis=1)
        for start in range(0, len(tiles), columns)
    ]
    sheet = Image.fromarray(np.concatenate(rows))
    write_atomically(path, lambda part: sheet.save(part, quality=88))


def write_cam(path: Path, scores: np.ndarray, classes: np.ndarray) -> None:
    """Store normalised maps (P, height, width) of the classes (P,)."""
    classes, maps = classes.astype(np.uint8), scores.astype(np.float16)
    write_atomically(
        path, lambda part: np.savez_compressed(part, classes=classes, maps=maps)
    )


def read_cam(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Scores (P, height, width) float32 and classes (P,) of a CAM file."""
    try:
        with np.load(path) as stored:
            return stored["maps"].astype(np.float32), stored["classes"]
    except FileNotFoundError:
        raise DataError(f"{path}: no CAM file; make-labels writes them") from None
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: expected a CAM file, got {error}") from None


def read_cams(
    dataset: TaggedDataset, folder: Path
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`read_cam` of every image of a dataset, in its order."""
    for sample in dataset:
        yield read_cam(folder / f"{sample.name}.npz")


def write_mask(path: Path, labels: np.ndarray) -> None:
    """Store a label map (height, width) uint8 as a palette PNG."""
    image = Image.fromarray(labels.astype(np.uint8), mode="P")
    image.putpalette(voc_palette().flatten().tolist())
    write_atomically(path, lambda part: image.save(part, format="PNG"))


def voc_palette() -> np.ndarray:
    """(256, 3) uint8, VOC's: bits 3j, 3j+1, 3j+2 of an id are bit 7-j of R, G, B."""
    ids = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            on = (ids >> (3 * bit + channel)) & 1
            colours[:, channel] |= (on << (7 - bit)).astype(np.uint8)
    return colours
