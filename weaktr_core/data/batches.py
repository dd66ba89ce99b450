"""Images of a dataset, read ahead of the network and grouped by size."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from weaktr_core.data.sample import Sample, TaggedDataset

Numbered = tuple[int, Sample]
"""A sample and its number in the dataset."""

AHEAD = 32
"""How many images are read before they are wanted."""

MOST_PIXELS = 2**21
"""Of a batch: large photos go through alone, whatever the batch size."""


def read_ahead(dataset: TaggedDataset, numbers: Iterable[int]) -> Iterator[Numbered]:
    """Samples in the order asked for; two threads read while the network computes."""
    waiting: deque[tuple[int, Future[Sample]]] = deque()
    pool = ThreadPoolExecutor(2)
    try:
        for number in numbers:
            waiting.append((number, pool.submit(dataset.__getitem__, number)))
            if len(waiting) > AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def same_size_batches(
    dataset: TaggedDataset, batch_size: int, numbers: Iterable[int] | None = None
) -> Iterator[list[Numbered]]:
    """Batches of images of one size, which can go through a network together.

    Where all are of one size, they come in the dataset's order.

    Args:
        dataset: images.
        batch_size: of small images; a batch has at most `MOST_PIXELS`.
        numbers: which images; default all.
    """
    open_batches: dict[tuple[int, ...], list[Numbered]] = {}
    every = range(len(dataset)) if numbers is None else numbers
    for number, sample in read_ahead(dataset, every):
        shape = sample.image.shape
        batch = open_batches.setdefault(shape, [])
        batch.append((number, sample))
        if len(batch) >= min(batch_size, MOST_PIXELS // (shape[0] * shape[1])):
            yield open_batches.pop(shape)
    yield from open_batches.values()
