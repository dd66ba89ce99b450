"""CAMs and masks of a whole dataset, written to disk; no true mask is ever read.

Each CAM file keeps a hash of what made it: the network, the photo, its tags, the views.
One that is there already is kept if that has not changed, and made anew if it has.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage.measure import label
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from weaktr_core.data.batches import read_ahead
from weaktr_core.data.retagged import Decision
from weaktr_core.data.sample import (
    IGNORE,
    DataError,
    Sample,
    TaggedDataset,
    without_masks,
)
from weaktr_core.data.transforms import resize_short_side
from weaktr_core.labels.files import made_of, read_cam, write_cam, write_mask
from weaktr_core.labels.recipe import LabelRecipe
from weaktr_core.labels.views import View, infer_tagged
from weaktr_core.method.cams import normalise
from weaktr_core.method.grid import map_to_image
from weaktr_core.networks.cam import WeakTr
from weaktr_core.runtime import gather, is_first, own_share, sweep_parts

STAGE = "fine_cam"
"""The map of `CamOutput` that labels are made of."""


def make_cams(
    model: WeakTr,
    dataset: TaggedDataset,
    folder: Path,
    *,
    views: Sequence[View],
    eval_size: int | None = None,
) -> None:
    """Write the CAM file of every image; several processes share the images.

    Args:
        model: a trained CAM network; put in eval mode.
        dataset: images and tags.
        folder: receives ``NAME.npz``.
        views: scales and flips that are summed.
        eval_size: short side in pixels at scale 1; None keeps the images as they are.
    """
    if is_first():
        sweep_parts(folder)
    gather(None)  # nobody writes before
    model.eval()
    settings = json.dumps([fingerprint(model), [vars(v) for v in views], eval_size])
    numbers = own_share(len(dataset))
    samples = read_ahead(without_masks(dataset), numbers)
    for _, sample in tqdm(samples, desc="CAMs", unit="image", total=len(numbers)):
        path, made = folder / f"{sample.name}.npz", hash_of(sample, settings)
        if made_of(path) != made:
            write_cam(path, *cam_of(model, sample, views, eval_size), made)
    gather(None)  # until all have written theirs


def cam_of(
    model: WeakTr,
    sample: Sample,
    views: Sequence[View],
    eval_size: int | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores (P, height, width) of an image's tagged classes, and their indices (P,)."""
    size, classes = sample.image.shape[:2], np.flatnonzero(sample.tags)
    if not len(classes):
        return np.zeros((0, *size), np.float32), classes
    image = resize_short_side(sample.image, eval_size)
    maps, _ = infer_tagged(model, model.prepare(image), [classes], views, [STAGE])
    full = map_to_image(maps[0], size)[0]  # (P, height, width)
    return normalise(full).cpu().numpy(), classes


def fingerprint(model: torch.nn.Module) -> str:
    """Hash of a network's options and weights."""
    digest = hashlib.sha256(json.dumps(getattr(model, "options", {})).encode())
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def hash_of(sample: Sample, settings: str) -> str:
    """Hash of a photo, its tags and what else makes its CAM."""
    digest = hashlib.sha256(settings.encode())
    digest.update(str(sample.image.shape).encode())
    digest.update(sample.image.tobytes())
    digest.update(np.flatnonzero(sample.tags).tobytes())
    return digest.hexdigest()


class _Labelled(Dataset):
    """Name and label map by index, so that a data loader's processes share the work."""

    def __init__(
        self,
        dataset: TaggedDataset,
        cams: Path,
        recipe: LabelRecipe,
        said: Mapping[str, Decision],
    ):
        self.dataset, self.cams, self.recipe, self.said = dataset, cams, recipe, said

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[str, np.ndarray]:
        sample = self.dataset[index]
        path = self.cams / f"{sample.name}.npz"
        scores, classes = read_cam(path)
        if scores.shape[1:] != sample.image.shape[:2]:
            raise DataError(
                f"{path}: expected maps as large as the photo, "
                f"{sample.image.shape[:2]}, came {scores.shape[1:]}"
            )
        said, recipe = self.said.get(sample.name), self.recipe
        if said is not None and said.threshold is not None:
            recipe = replace(recipe, threshold=said.threshold)
        labels = recipe(sample.image, scores, classes)
        if said is not None and said.point is not None:
            labels = keep_piece(labels, said.point)
        return sample.name, labels


def keep_piece(labels: np.ndarray, point: tuple[float, float]) -> np.ndarray:
    """Of the class at a point, its connected piece there only; other classes stay.

    Args:
        labels: (height, width).
        point: (row, column), from 0 to 1. On background nothing changes.
    """
    row, column = (
        min(int(share * size), size - 1)
        for share, size in zip(point, labels.shape, strict=True)
    )
    value = labels[row, column]
    if value in (0, IGNORE):
        return labels
    numbered = label(labels == value)
    lost = (labels == value) & (numbered != numbered[row, column])
    return np.where(lost, 0, labels).astype(np.uint8)


def _as_it_is(item: Any) -> Any:
    """Keep the loader from making tensors."""
    return item


def make_masks(
    dataset: TaggedDataset,
    cams: Path,
    folder: Path,
    recipe: LabelRecipe,
    *,
    workers: int | None = None,
    said: Mapping[str, Decision] | None = None,
) -> None:
    """Turn CAM files into palette masks.

    Args:
        dataset: images; their own masks stay unread.
        cams: folder of `make_cams`.
        folder: receives ``NAME.png``.
        recipe: threshold, CRF, ignore band.
        workers: processes; default: all cores where a CRF runs, else none.
        said: what a person said of some photos, by name: a threshold, a point.
    """
    if workers is None:
        workers = (os.cpu_count() or 1) if recipe.crf else 0
    loader = DataLoader(
        _Labelled(without_masks(dataset), cams, recipe, said or {}),
        sampler=own_share(len(dataset)),
        batch_size=None,
        collate_fn=_as_it_is,
        num_workers=workers,
    )
    for name, labels in tqdm(loader, desc="masks", unit="image"):
        write_mask(folder / f"{name}.png", labels)
    gather(None)
