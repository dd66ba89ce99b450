"""A part of a dataset: some of its photos, some of its classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from weaktr_core.data.sample import IGNORE, Sample, TaggedDataset, without_masks


class Part:
    """Some photos of a dataset, with the tags and masks of some classes.

    Args:
        dataset: any.
        classes: names that are kept; what a mask shows of others becomes background.
        indices: of the photos that are kept, in this order; default: all.
    """

    def __init__(
        self,
        dataset: TaggedDataset,
        classes: Sequence[str],
        indices: Sequence[int] | None = None,
    ):
        self.dataset, self.classes = dataset, tuple(classes)
        self.indices = [*range(len(dataset))] if indices is None else [*indices]
        self.kept = [dataset.classes.index(name) for name in classes]
        self.ids = np.zeros(256, np.uint8)
        self.ids[IGNORE] = IGNORE
        for label, k in enumerate(self.kept, 1):
            self.ids[k + 1] = label

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        sample = self.dataset[self.indices[index]]
        mask = None if sample.mask is None else self.ids[sample.mask]
        return replace(sample, tags=sample.tags[self.kept], mask=mask)


def tags_of(dataset: TaggedDataset, classes: Sequence[str]) -> np.ndarray:
    """(images, K) bool: which photo shows which of some classes."""
    kept = [dataset.classes.index(name) for name in classes]
    return np.stack([it.tags[kept] > 0 for it in without_masks(dataset)])


def in_turns(tags: np.ndarray, seed: int) -> list[int]:
    """Photos that show any class, shuffled so that the classes take turns.

    Args:
        tags: (images, K) bool.
        seed: of the shuffling.
    """
    order = np.random.default_rng(seed).permutation(len(tags))
    queues = [[int(i) for i in order if tags[i, k]] for k in range(tags.shape[1])]
    turns = (queue[turn] for turn in range(len(tags)) for queue in queues
             if turn < len(queue))  # fmt: skip
    return list(dict.fromkeys(turns))
