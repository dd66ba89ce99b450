"""Scores as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tabulate import tabulate


def iou_table(classes: Sequence[str], iou: np.ndarray) -> str:
    """A line and a bar for each class that occurs, in %.

    Args:
        classes: without background.
        iou: (K + 1,), background first; NaN where a class does not occur.
    """
    named = zip(["background", *classes], iou, strict=True)
    rows = [(n, 100 * v, "▪" * round(25 * v)) for n, v in named if not np.isnan(v)]
    return tabulate(rows, tablefmt="plain", floatfmt=".1f")
