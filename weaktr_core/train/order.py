"""In which order images are seen, and with which random numbers they are changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from weaktr_core.data.sample import DataError
from weaktr_core.runtime import seed_everything
from weaktr_core.train.stopping import leave_to_main_process


def steps_of(count: int, batch_size: int, processes: int) -> int:
    """Steps of an epoch: whole batches only, unless there is not even one."""
    return max(1, count // (batch_size * processes))


def begin_epoch(seed: int, count: int, weights: Tensor | None = None) -> list[int]:
    """Seed an epoch and shuffle its images, or draw as many by their weights (count,).

    Everything follows from the seed, so the order is the same when the epoch is begun
    again to continue in its middle. The numbers are drawn as PyTorch's own loader and
    sampler draw them: one for the loader's processes, one for the order.
    """
    seed_everything(seed)
    _, drawn = (int(torch.empty((), dtype=torch.int64).random_()) for _ in range(2))
    generator = torch.Generator().manual_seed(drawn)
    if weights is not None:
        return torch.multinomial(weights, count, True, generator=generator).tolist()
    return torch.randperm(count, generator=generator).tolist()


def batches_of(
    order: list[int], batch_size: int, rank: int, processes: int
) -> list[list[int]]:
    """One process's images of each step; together they are what one process would see.

    >>> batches_of([4, 2, 0, 3, 1], 1, rank=0, processes=2)
    [[4], [0]]
    """
    together = batch_size * processes
    starts = range(0, steps_of(len(order), batch_size, processes) * together, together)
    own = [order[start : start + together][rank::processes] for start in starts]
    if not all(own):
        raise DataError(f"{len(order)} images are too few for {processes} processes")
    return own


class OwnSeeds(Dataset):
    """A dataset whose every image is changed by random numbers of its own.

    So it does not matter which process loads an image, nor how many there are. Where one
    process does all the work, its numbers form one stream instead.

    Args:
        dataset: yields tensors.
        seed: of the epoch.
        always: also in the main process.
    """

    def __init__(self, dataset: Dataset, seed: int, always: bool):
        self.dataset, self.seed, self.always = dataset, seed, always

    def __getitem__(self, index: int) -> Any:
        if self.always or get_worker_info() is not None:
            drawn = np.random.SeedSequence((self.seed, index)).generate_state(1)
            seed_everything(int(drawn[0]))
        return self.dataset[index]


def make_loader(
    dataset: Dataset, batches: list[list[int]], workers: int, seed: int, always: bool
) -> DataLoader:
    """A loader of the batches given; it draws nothing from the main random numbers."""
    return DataLoader(
        OwnSeeds(dataset, seed, always),
        batch_sampler=batches,
        num_workers=workers,
        worker_init_fn=leave_to_main_process,
        generator=torch.Generator().manual_seed(seed),
        pin_memory=torch.cuda.is_available(),
    )
