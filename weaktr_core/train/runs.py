"""A run is a folder: config.json, history.jsonl, checkpoints ``last`` and ``best``."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, get_type_hints

import numpy as np
from torch import Tensor

from weaktr_core.config import CamConfig, SegConfig, Whole
from weaktr_core.data.files import read_bytes, read_json
from weaktr_core.data.tables import json_lines
from weaktr_core.networks.checkpoints import (
    Network,
    load_checkpoint,
    load_segmenter,
    save_checkpoint,
)
from weaktr_core.runtime import (
    default_device,
    log,
    write_atomically,
    write_json,
    write_text,
)
from weaktr_core.schema import check
from weaktr_core.train.snapshots import (
    MODEL,
    STATE,
    TRAINING,
    RunError,
    drop_snapshot,
    find_snapshot,
    read_tensors,
    write_snapshot,
)

MAY_CHANGE = ("epochs", "workers")
"""Settings that a run may be continued with another value of."""


class Stored(dict[str, Any]):
    """Settings out of a file; asking for one that is not there says so."""

    def __init__(self, values: dict[str, Any], path: Path):
        super().__init__(values)
        self.path = path

    def __missing__(self, name: str) -> Any:
        raise RunError(f"{self.path}: expected a value for {name}, came none")


class Told(TypedDict):
    """What every line of a history says."""

    epoch: Whole
    seconds: float
    losses: dict[str, float]


HISTORY = "history.jsonl"

RECORDED = ("head_weights", "maps")
"""What may be kept of every evaluated epoch, each in a folder of its own."""


@dataclass
class Progress:
    """Where a training stands.

    Attributes:
        epochs: that are complete, evaluation included.
        step: of the epoch under way, as many are done.
        steps: of an epoch.
        losses: sums over these steps, by name.
        seconds: that these steps took.
        best: score of the best epoch; None before any.
        scaler: state of the loss scaling that float16 needs.
    """

    epochs: Whole = 0
    step: Whole = 0
    steps: Whole = 0
    losses: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    best: float | None = None
    scaler: dict[str, Any] | None = None

    @property
    def begun(self) -> bool:
        """Whether a single step has been made."""
        return self.epochs + self.step > 0


class Run:
    """What one training leaves on disk, written so that nothing is lost.

    ::

        RUN/config.json           all settings, classes, dataset
        RUN/history.jsonl         one line per epoch, epoch 0 before any training
        RUN/head_weights/N.npy    (images, L, H) float16 of epoch N
        RUN/maps/N.npy            (images, stages, K, h, w) float16, raw maps of epoch N
        RUN/last/                 the newest snapshot, see `weaktr_core.train.snapshots`
        RUN/previous/             the one before it
        RUN/best.safetensors      the epoch with the best tag score; no mask decides it

    ``last`` is renamed into place after everything else of an epoch is there, so what
    a kill leaves is never ahead of it by more than resuming makes again.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    @property
    def config(self) -> dict[str, Any]:
        """Settings as stored."""
        path = self.folder / "config.json"
        if not path.exists():
            raise RunError(f"{self.folder}: no run here (config.json is missing)")
        return Stored(read_json(path), path)

    @property
    def settings(self) -> CamConfig | SegConfig:
        """Settings of the step that the run trained."""
        stored = self.config
        return (SegConfig if stored.get("step") == 2 else CamConfig).from_dict(stored)

    def load(self) -> Network:
        """The best network, in eval mode, on the best device there is."""
        is_seg = isinstance(self.settings, SegConfig)
        model = (load_segmenter if is_seg else load_checkpoint)(self.best)
        return model.to(default_device())

    @property
    def history(self) -> list[dict[str, Any]]:
        """One dictionary per finished epoch."""
        path = self.folder / HISTORY
        lines = [*json_lines(path)] if path.exists() else []
        for line in lines:
            check({name: line.get(name) for name in Told.__annotations__}, Told, str(path))
        return lines

    def head_weights(self) -> np.ndarray:
        """(epochs + 1, images, L, H) of the probe images, epoch 0 first."""
        return self.recorded("head_weights")

    def maps(self) -> np.ndarray:
        """(epochs + 1, images, stages, K, h, w), raw maps of the probe images."""
        return self.recorded("maps")

    def files(self, name: str) -> dict[int, Path]:
        """What each evaluated epoch stored under a name, by epoch, in order."""
        files = (self.folder / name).glob("*.npy")
        return dict(sorted((int(it.stem), it) for it in files if it.stem.isdecimal()))

    def recorded(self, name: str) -> np.ndarray:
        """What each evaluated epoch stored under a name, epoch 0 first."""
        files = self.files(name)
        if not files:
            raise RunError(f"{self.folder}: no {name.replace('_', ' ')} stored")
        try:
            content = [read_bytes(file, "an array") for file in files.values()]
            arrays = [np.load(io.BytesIO(it)) for it in content]
        except (OSError, ValueError, EOFError) as error:
            raise RunError(f"{self.folder / name}: expected arrays: {error}") from None
        return np.stack(arrays).astype(np.float32)

    @property
    def best(self) -> Path:
        """The checkpoint to use: the best epoch, else the last."""
        best = self.folder / "best.safetensors"
        return best if best.exists() else self.last / MODEL

    @property
    def last(self) -> Path:
        """Folder of the newest snapshot; survives a kill in the middle of a save."""
        last, previous = self.folder / "last", self.folder / "previous"
        return previous if previous.exists() and not last.exists() else last

    def progress(self) -> Progress:
        """Where the newest whole snapshot stands.

        Raises:
            RunError: where snapshots are broken, or gone from a run that had begun.
        """
        state = find_snapshot(self.folder / "last")
        if state is None:
            if any(line["epoch"] for line in self.history):
                raise RunError(f"{self.folder / 'last'}: missing, though epochs are done")
            return Progress()
        hints, place = get_type_hints(Progress, include_extras=True), self.last / STATE
        known = {
            k: check(v, hints[k], f"{place}: {k}") for k, v in state.items() if k in hints
        }
        progress = Progress(**known)
        if progress.step > progress.steps or not progress.steps:
            came = f"step {progress.step} of {progress.steps}"
            raise RunError(f"{place}: expected a step of the epoch, came {came}")
        if progress.begun and not (self.folder / HISTORY).exists():
            raise RunError(f"{self.folder / HISTORY}: missing, though epochs are done")
        return progress

    def is_complete(self, epochs: int, settings: dict[str, Any]) -> bool:
        """Whether all epochs are done, under settings that may be continued.

        Raises:
            RunError: where they are not the run's.
        """
        progress = self.progress()
        if progress.begun:
            self.check_settings(settings)
        return progress.begun and progress.epochs >= epochs

    def start(self, config: dict[str, Any], *, resume: bool) -> Progress:
        """Make or reopen the folder; history of epochs that were not finished is dropped.

        A start that failed before its first step does not count: it is begun anew.

        Raises:
            RunError: where a run is there and ``resume`` is not asked for, or its
                settings differ, or parts of it are missing.
        """
        progress = self.progress()
        if progress.begun:
            if not resume:
                raise RunError(
                    f"{self.folder}: a run is here already; continue it with --resume, or "
                    "choose another folder"
                )
            self.check_settings(config)
        elif (self.folder / "config.json").exists():  # else nothing here is a run's
            self.clear()
        write_json(self.folder / "config.json", config)
        if progress.begun:
            self.forget_after(progress.epochs)
        return progress

    def check_settings(self, config: dict[str, Any]) -> None:
        """Compare settings with the stored ones; say which of `MAY_CHANGE` did.

        Raises:
            RunError: where others differ.
        """
        stored, wanted = self.config, json.loads(json.dumps(config))
        named = {*wanted, *({"tags", "labels"} & stored.keys())}
        changed = sorted(k for k in named if stored.get(k) != wanted.get(k))
        if fixed := [k for k in changed if k not in MAY_CHANGE]:
            raise RunError(
                f"{self.folder}: cannot resume with other settings; "
                f"{', '.join(fixed)} changed"
            )
        for key in changed:
            log.warning(
                "%s: %s was %s, is %s now", self.folder, key, stored[key], wanted[key]
            )

    def forget_after(self, epochs: int) -> None:
        """Drop what was written of epochs that resuming makes again."""
        kept = [line for line in self.history if line["epoch"] <= epochs]
        self._write_history(kept)
        self._drop_arrays(after=epochs)

    def clear(self) -> None:
        """Drop what a training that never made a step has left."""
        for name in ("previous", "last"):
            drop_snapshot(self.folder / name)
        self._drop_arrays(after=-1)
        for name in (HISTORY, "best.safetensors"):
            (self.folder / name).unlink(missing_ok=True)

    def record(self, line: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Append one epoch to the history, and keep its arrays by name."""
        for name, values in arrays.items():
            path = self.folder / name / f"{line['epoch']:03d}.npy"
            write_atomically(path, partial(np.save, arr=values.astype(np.float16)))
        kept = [old for old in self.history if old["epoch"] < line["epoch"]]
        self._write_history([*kept, line])

    def save(self, model: Network, tensors: dict[str, Tensor], progress: Progress) -> None:
        """Keep all that resuming needs."""
        write_snapshot(self.folder / "last", model, tensors, asdict(progress))

    def save_best(self, model: Network) -> None:
        """Keep the network of the best epoch."""
        save_checkpoint(self.folder / "best.safetensors", model)

    def saved_tensors(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Weights of the newest snapshot, and what its optimiser and random states were."""
        return read_tensors(self.last / MODEL), read_tensors(self.last / TRAINING)

    def _drop_arrays(self, after: int) -> None:
        for name in RECORDED:
            for epoch, file in self.files(name).items():
                if epoch > after:
                    file.unlink()

    def _write_history(self, lines: list[dict[str, Any]]) -> None:
        text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)
        path = self.folder / HISTORY
        write_text(path, text)
