"""Runs that take little room: a backbone that was not trained is not kept."""

from __future__ import annotations

import shutil
from pathlib import Path

from weaktr_core.config import CamConfig
from weaktr_core.networks.checkpoints import (
    load_checkpoint,
    load_segmenter,
    save_checkpoint,
)
from weaktr_core.networks.network import Network
from weaktr_core.runtime import write_json
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
