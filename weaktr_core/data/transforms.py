"""From photos to tensors: resizing, normalising, and the augmentations of training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from timm.data import create_transform
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from weaktr_core.data.sample import DataError, TaggedDataset, without_masks

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of R, G, B, for values in [0, 1]."""


def to_tensor(image: np.ndarray, statistics: Statistics) -> Float[Tensor, "3 height width"]:
    """(height, width, 3) uint8 → normalised (3, height, width) float32."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in statistics)
    pixels = torch.tensor(image).permute(2, 0, 1)
    return (pixels.float() / 255 - mean) / std


def to_batch(
    images: Sequence[np.ndarray], statistics: Statistics
) -> Float[Tensor, "B 3 height width"]:
    """Images of one size → one normalised batch."""
    return torch.stack([to_tensor(image, statistics) for image in images])


def resize_short_side(image: np.ndarray, short: int | None) -> np.ndarray:
    """Resize so that the shorter side has ``short`` pixels; None leaves it alone."""
    height, width = image.shape[:2]
    if short is None or min(height, width) == short:
        return image
    factor = short / min(height, width)
    size = (round(width * factor), round(height * factor))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def train_transform(kind: str, size: int, statistics: Statistics):
    """Augmentation for training, from a PIL image to a normalised tensor.

    Args:
        kind: "flip" (for scenes: they are made at the size wanted), "crop" (random
            resized crop of at least 40 % of the area, flip, mild colour jitter), or
            "strong" (the paper's: random resized crop, flip, jitter 0.4, RandAugment,
            random erasing 0.25; timm's).
        size: side of the square, pixels.
        statistics: of the backbone.
    """
    mean, std = statistics
    end = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)]
    if kind == "flip":
        return v2.Compose([v2.Resize((size, size)), v2.RandomHorizontalFlip(), *end])
    if kind == "crop":
        crop = v2.RandomResizedCrop(size, scale=(0.4, 1.0), antialias=True)
        jitter = v2.ColorJitter(0.2, 0.2, 0.2)
        return v2.Compose([crop, v2.RandomHorizontalFlip(), jitter, *end])
    if kind == "strong":
        return create_transform(
            size,
            is_training=True,
            color_jitter=0.4,
            auto_augment="rand-m9-mstd0.5-inc1",
            interpolation="bicubic",
            re_prob=0.25,
            mean=mean,
            std=std,
        )
    raise ValueError(f"augmentation is 'flip', 'crop' or 'strong', got {kind!r}")


class TaggedTensors(Dataset):
    """Images and tags as tensors, for a data loader; masks are not even decoded.

    Whatever trains on this has seen no mask.

    Raises:
        DataError: a dataset without images.
    """

    def __init__(self, dataset: TaggedDataset, transform):
        if not len(dataset):
            raise DataError("no images to train on: the split is empty")
        self.dataset, self.transform = without_masks(dataset), transform

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        sample = self.dataset[index]
        image = self.transform(Image.fromarray(sample.image))
        return image, torch.from_numpy(sample.tags)
