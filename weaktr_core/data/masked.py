"""Images with masks, for training step 2: pseudo-masks in place of the true ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from weaktr_core.data.files import check_size, file_error, read_mask
from weaktr_core.data.sample import (
    IGNORE,
    DataError,
    Sample,
    TaggedDataset,
    without_masks,
)
from weaktr_core.data.transforms import Statistics


class Relabelled:
    """A dataset whose masks are read from a folder of ``NAME.png``; its own are unseen.

    Args:
        dataset: images and tags.
        folder: palette PNGs, for instance those of ``make-labels``.

    Raises:
        DataError: where the folder or, when asked for, a mask is missing, has another
            size than its photo, or holds an id that is no class.
    """

    def __init__(self, dataset: TaggedDataset, folder: str | Path):
        self.dataset, self.folder = without_masks(dataset), Path(folder)
        if not any(self.folder.glob("*.png")):
            came = "no PNG there" if self.folder.is_dir() else "no such folder"
            raise file_error(self.folder, "masks NAME.png written by make-labels", came)

    @property
    def classes(self) -> tuple[str, ...]:
        """The K class names."""
        return self.dataset.classes

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        sample = self.dataset[index]
        path = self.folder / f"{sample.name}.png"
        mask = check_size(read_mask(path), sample.image, path)
        largest = mask[mask != IGNORE].max(initial=0)
        if largest > len(self.classes):
            expected = f"ids 0 to {len(self.classes)} and {IGNORE}"
            raise file_error(path, expected, f"id {largest}")
        return replace(sample, mask=mask)


class SegTransform:
    """Published augmentation of step 2: resize, crop, mirror, shift colours.

    Args:
        short: short side in pixels at ratio 1.
        ratios: (smallest, largest) of the random resize.
        crop: side of the square, pixels; smaller images are padded with 255.
        class_cap: crops of which one label fills more are drawn again, 10 times.
        photometric: random brightness, contrast, saturation, hue.
        statistics: of the backbone.
    """

    def __init__(
        self,
        short: int,
        ratios: tuple[float, float],
        crop: int,
        class_cap: float,
        photometric: bool,
        statistics: Statistics,
    ):
        low, high = (round(short * ratio) for ratio in ratios)
        self.resize: v2.Transform = v2.RandomResize(low, high + 1, antialias=True)
        if low == high:
            self.resize = v2.Resize(low, antialias=True)
        self.crop, self.class_cap = crop, class_cap
        self.mirror = v2.RandomHorizontalFlip()
        self.colours = v2.RandomPhotometricDistort() if photometric else v2.Identity()
        mean, std = statistics
        self.to_floats = v2.Compose(
            [v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
             v2.Normalize(mean, std)]
        )  # fmt: skip

    def __call__(self, image: np.ndarray, mask: np.ndarray) -> tuple[Tensor, Tensor]:
        """Photo and mask → (3, crop, crop) float32 and (crop, crop) int64."""
        photo, labels = self.resize(
            tv_tensors.Image(torch.tensor(image).permute(2, 0, 1)),
            tv_tensors.Mask(torch.tensor(mask)),
        )
        pair = capped_crop(photo, labels, self.crop, self.class_cap)
        photo, labels = self.to_floats(*self.colours(*self.mirror(*pair)))
        below, beside = (self.crop - n for n in labels.shape)
        photo = torch.nn.functional.pad(photo, (0, beside, 0, below))  # the mean colour
        labels = torch.nn.functional.pad(labels, (0, beside, 0, below), value=IGNORE)
        return photo.as_subclass(Tensor), labels.as_subclass(Tensor).long()


def capped_crop(image: Tensor, mask: Tensor, size: int, cap: float, tries: int = 10):
    """A random square that no label fills beyond ``cap``, if ten tries find one."""
    height, width = mask.shape
    for _ in range(tries):
        top = int(torch.randint(max(height - size, 0) + 1, ()))
        left = int(torch.randint(max(width - size, 0) + 1, ()))
        area = (top, left, min(size, height), min(size, width))
        cropped = v2.functional.crop(mask, *area)
        counts = torch.bincount(cropped[cropped != IGNORE].flatten().int())
        if (counts > 0).sum() > 1 and counts.max() < cap * counts.sum():
            break
    return v2.functional.crop(image, *area), cropped


class MaskedTensors(Dataset):
    """Images and masks as tensors, for a data loader.

    Raises:
        DataError: an image without a mask, or a dataset without images.
    """

    def __init__(self, dataset: TaggedDataset, transform: SegTransform):
        if not len(dataset):
            raise DataError("no images to train on: the split is empty")
        self.dataset, self.transform = dataset, transform

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        sample = self.dataset[index]
        if sample.mask is None:
            raise DataError(f"{sample.name}: expected a mask to train on, came none")
        return self.transform(sample.image, sample.mask)
