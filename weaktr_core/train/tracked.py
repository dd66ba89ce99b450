"""Runs that others can watch, and runs that take little room."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

from weaktr_core.config import CamConfig
from weaktr_core.networks.checkpoints import (
    load_checkpoint,
    load_segmenter,
    save_checkpoint,
)
from weaktr_core.networks.network import Network
from weaktr_core.runtime import write_json
from weaktr_core.schema import SettingError
from weaktr_core.train.runs import Run
from weaktr_core.train.snapshots import (
    MODEL,
    STATE,
    TRAINING,
    hash_file,
    read_state,
    read_tensors,
    write_snapshot,
)

TRACKERS = ("tensorboard", "wandb")


class TrackedRun(Run):
    """A run whose every line of history also goes to a tracker of Accelerate's.

    Args:
        folder: of the run; the tracker's files go to ``tensorboard`` or ``wandb`` in it.
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
        files = make.requires_logging_directory
        name = self.kind if files else self.folder.resolve().name
        tracker = make(name, **{"logging_dir" if files else "dir": self.folder})
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


def has_adapters(run: Run) -> bool:
    """Whether most of a network is the pretrained backbone as it was."""
    config = run.settings
    own = config.model if isinstance(config, CamConfig) else config.as_dict()
    return config.pretrained and bool(own.get("adapters"))


def load_on_cpu(run: Run, path: Path) -> Network:
    """A checkpoint of a run's step."""
    is_cam = isinstance(run.settings, CamConfig)
    return (load_checkpoint if is_cam else load_segmenter)(path)


def slim(run: Run) -> None:
    """Leave out what the pretrained backbone holds anyway, where adapters were trained.

    The network that is kept has its weights in half precision. `fatten` undoes it for
    a training that goes on.
    """
    if not has_adapters(run):
        return
    if (run.folder / "best.safetensors").exists():
        save_checkpoint(run.best, load_on_cpu(run, run.best), trained_only=True)
    state = read_state(run.last)
    save_checkpoint(run.last / MODEL, load_on_cpu(run, run.last / MODEL), trained_only=True)
    state["sha256"][MODEL] = hash_file(run.last / MODEL)
    write_json(run.last / STATE, state)
    shutil.rmtree(run.folder / "previous", ignore_errors=True)


def fatten(run: Run) -> None:
    """Make the newest snapshot whole again, so that a training can go on from it."""
    if not (run.last / STATE).exists() or not has_adapters(run):
        return
    state, tensors = read_state(run.last), read_tensors(run.last / TRAINING)
    network = load_on_cpu(run, run.last / MODEL)
    del state["sha256"]
    write_snapshot(run.folder / "last", network, tensors, state)
