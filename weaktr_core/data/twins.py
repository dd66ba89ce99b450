"""Photos that are the same, or nearly: found by how they look, small and grey."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
from PIL import Image

SIDE = 16
"""Pixels of the thumbnail that photos are compared by."""

BITS = 3
"""Bits of 64 in which the hashes of twins may differ."""

LEVELS = 6.0
"""Mean difference of the thumbnails of twins, grey levels."""

FLAT = 4.0
"""Standard deviation below which a thumbnail shows nothing to compare by."""


class Look(NamedTuple):
    """A photo as it is compared.

    Attributes:
        name: of the photo.
        split: that it belongs to.
        thumbnail: (SIDE, SIDE) float32, grey levels.
    """

    name: str
    split: str
    thumbnail: np.ndarray

    @property
    def hash(self) -> np.ndarray:
        """(64,) bool: whether each of 8 x 8 fields is brighter than that to its right."""
        fields = np.asarray(Image.fromarray(self.thumbnail).resize((9, 8)))
        return (fields[:, 1:] < fields[:, :-1]).ravel()


def look_at(name: str, split: str, image: np.ndarray) -> Look:
    """A photo (height, width, 3), made small and grey."""
    small = Image.fromarray(image).convert("L").resize((SIDE, SIDE), reducing_gap=2.0)
    return Look(name, split, np.asarray(small, np.float32))


def find_twins(looks: Iterable[Look]) -> Iterator[tuple[Look, Look]]:
    """Pairs of photos that look the same.

    Hashes that differ in three bits at most agree in one of four quarters, so only
    photos that share a quarter are compared; ten thousand take seconds.
    """
    drawn = [look for look in looks if look.thumbnail.std() > FLAT]
    hashes = [look.hash for look in drawn]
    shelves: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for index, bits in enumerate(hashes):
        for quarter in range(4):
            part = bits[16 * quarter : 16 * (quarter + 1)]
            shelves[quarter, part.tobytes()].append(index)
    seen = {pair for shelf in shelves.values() for pair in combinations(shelf, 2)}
    for one, other in sorted(seen):
        near = (hashes[one] != hashes[other]).sum() <= BITS
        if near and difference(drawn[one], drawn[other]) <= LEVELS:
            yield drawn[one], drawn[other]


def difference(one: Look, other: Look) -> float:
    """Mean difference of two thumbnails, grey levels."""
    return float(np.abs(one.thumbnail - other.thumbnail).mean())
