"""Scores that the repository keeps: read where they are, done without where not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "data" / "results"


def stored_results(name: str, folder: Path | None = None) -> dict[str, Any] | None:
    """A file of ``data/results``; None where only the package is installed.

    Args:
        name: without ``.json``.
        folder: where to look, ``data/results`` of the repository unless given.
    """
    path = (folder or RESULTS) / f"{name}.json"
    return json.loads(path.read_text(encoding="utf8")) if path.exists() else None
