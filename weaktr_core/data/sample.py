"""The one thing every dataset yields: a photo, its tags and, perhaps, its mask."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from weaktr_core.errors import WeakTrError

IGNORE = 255
"""Mask value of pixels nobody labelled; they never count in a score."""


@dataclass(frozen=True)
class Sample:
    """One image of a dataset.

    Attributes:
        image: (height, width, 3) uint8, RGB.
        tags: (K,) float32, 1 where the class is somewhere in the image. The
            order is that of the dataset's ``classes``.
        mask: (height, width) uint8: 0 background, ``k + 1`` for class k,
            255 for "do not count". ``None`` where the image has no mask.
            Training on tags never reads it; evaluation does.
        name: a short unique name, the stem of every file written for it.
    """

    image: np.ndarray
    tags: np.ndarray
    mask: np.ndarray | None
    name: str


@runtime_checkable
class TaggedDataset(Protocol):
    """What the rest of the package expects of a dataset."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The K class names, background not among them."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...

    def __iter__(self) -> Iterator[Sample]: ...


class Maskless:
    """A dataset without its masks: all that labels and training on tags are given.

    A dataset with an attribute ``masks`` is asked not to read them, so that they are not
    even decoded.
    """

    def __init__(self, dataset: TaggedDataset):
        self.dataset: Any = copy(dataset)
        if hasattr(self.dataset, "masks"):
            self.dataset.masks = False

    @property
    def classes(self) -> tuple[str, ...]:
        """The K class names."""
        return self.dataset.classes

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        sample = self.dataset[index]
        return Sample(sample.image, sample.tags, None, sample.name)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))


def without_masks(dataset: TaggedDataset) -> TaggedDataset:
    """The same images and tags, every mask None."""
    return dataset if isinstance(dataset, Maskless) else Maskless(dataset)


class DataError(WeakTrError):
    """A file or folder that is missing or broken: one line for the reader."""
