"""Heads that are worth seeing, found by what they do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Size = tuple[int, int]


@dataclass(frozen=True)
class Finding:
    """Something worth seeing among the heads.

    Attributes:
        name: on its button.
        says: what to look at, a sentence.
        layer, head: counted from 0.
        photo: index of the photo.
        patch: (row, column) of the patch that asks, the nearest that is kept; None: the
            first token.
    """

    name: str
    says: str
    layer: int
    head: int
    photo: int = 0
    patch: Size | None = None


def find_loner(rows: Float[np.ndarray, "L H N"], name: str, photo: int = 0) -> Finding:
    """The head of the last layer that looks least like the mean of that layer.

    Args:
        rows: attention of the first token to the patches.
        name: on the button.
        photo: index of the photo that the rows are of.
    """
    last = rows[-1] / rows[-1].max(axis=-1, keepdims=True)
    alike = np.corrcoef(last, last.mean(axis=0))[-1, :-1]
    says = f"Its map and the mean of its layer correlate by {alike.min():.2f}."
    return Finding(name, says, len(rows) - 1, int(alike.argmin()), photo)


def find_near_sighted(
    rows: Float[np.ndarray, "L H N N"], grid: Size, name: str, photo: int = 0
) -> Finding:
    """The head whose attention stays nearest to the patch that asks, on the mean of all.

    Args:
        rows: attention from patches to patches.
        grid: (h, w) of the N patches.
        name: on the button.
        photo: index of the photo that the rows are of.
    """
    ys, xs = np.divmod(np.arange(grid[0] * grid[1]), grid[1])
    away = np.hypot(ys[:, None] - ys, xs[:, None] - xs)  # (N, N)
    reach = (rows * away).sum(axis=-1) / rows.sum(axis=-1)  # (L, H, N)
    mean = reach.mean(axis=-1)
    layer, head = np.unravel_index(mean.argmin(), mean.shape)
    says = f"From all patches, it looks {mean.min():.1f} patches away on the average."
    middle = (grid[0] // 2, grid[1] // 2)
    return Finding(name, says, int(layer), int(head), photo, middle)


def find_pair(
    rows: Float[np.ndarray, "L H N N"],
    grid: Size,
    one: Size,
    other: Size,
    name: str,
    photo: int = 0,
) -> Finding:
    """The head that, asked from one patch, looks at both: around it and around another.

    Args:
        rows: attention from patches to patches.
        grid: (h, w) of the N patches.
        one: (row, column) of the patch that asks.
        other: (row, column) of the other.
        name: on the button.
        photo: index of the photo that the rows are of.
    """
    asked = rows[:, :, one[0] * grid[1] + one[1]]  # (L, H, N)
    maps = (asked / asked.sum(axis=-1, keepdims=True)).reshape(*asked.shape[:2], *grid)
    shares = np.stack(
        [
            maps[:, :, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].sum(axis=(-2, -1))
            for y, x in (one, other)
        ]
    )  # (2, L, H)
    layer, head = np.unravel_index(shares.min(axis=0).argmax(), shares.shape[1:])
    here, there = shares[:, layer, head]
    says = f"{here:.0%} of what it sees from here lies around the patch, {there:.0%} there."
    return Finding(name, says, int(layer), int(head), photo, one)
