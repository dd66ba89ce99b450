"""Runs that others can watch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

from weaktr_core.schema import SettingError
from weaktr_core.train.runs import Run


class TrackedRun(Run):
    """A run whose every line of history also goes to a tracker of Accelerate's.

    Args:
        folder: of the run; TensorBoard's files go to ``tensorboard`` in it.
        tracker: "tensorboard" or "wandb".

    Raises:
        SettingError: the tracker's package is not installed.
    """

    def __init__(self, folder: str | Path, tracker: str):
        super().__init__(folder)
        if tracker not in [it.value for it in get_available_trackers()]:
            raise SettingError(f"--track {tracker}: pip install {tracker}")
        self.kind = tracker
        self.tracker: Any = None

    def record(self, line: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Keep an epoch, and show it."""
        super().record(line, arrays)
        if self.tracker is None:
            self.tracker = self.begin()
        self.tracker.log(flat(line), step=line["epoch"])

    def begin(self) -> Any:
        """The tracker, told the settings."""
        make = LOGGER_TYPE_TO_CLASS[self.kind]
        where = {"logging_dir": self.folder} if make.requires_logging_directory else {}
        name = "tensorboard" if where else self.folder.resolve().name
        tracker = make(name, **where)
        if hasattr(tracker, "start"):
            tracker.start()
        kinds = (int, float, str, bool)
        told = {k: v for k, v in self.config.items() if isinstance(v, kinds)}
        tracker.store_init_configuration(told)
        return tracker


def flat(line: Mapping[str, Any]) -> dict[str, float]:
    """The single numbers of a line of history: ``losses/total``, ``miou/fine_cam``."""
    found = {"seconds": float(line["seconds"])}
    for group in ("losses", "mean_ap", "miou"):
        values = line.get(group, {}).items()
        found |= {f"{group}/{name}": float(v) for name, v in values if v is not None}
    return found


def make_run(folder: str | Path, track: str | None) -> Run:
    """A run, tracked if a tracker is named."""
    return TrackedRun(folder, track) if track else Run(folder)
