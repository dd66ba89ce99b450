"""What the scripts beside this file share: tables in Markdown, means with their spread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tabulate import tabulate
from weaktr_core.train.runs import Run

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown, its heading underlined."""
    return tabulate(rows, head, tablefmt="github", disable_numparse=True) + "\n"


def percent(fraction: float | None) -> str:
    """A score; a dash for what was not measured."""
    return "–" if fraction is None else f"{100 * fraction:.1f}"


def spread(values: Sequence[float]) -> str:
    """Mean and, of more than one, standard deviation."""
    if len(values) < 2:
        return f"{np.mean(values):.1f}"
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}"


def training_seconds(run: Run) -> float:
    """What the epochs of a run took together; 0 where there is none."""
    return sum(line["seconds"] for line in run.history)
