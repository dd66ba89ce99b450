"""A run is a folder: config.json, history.jsonl, checkpoints ``last`` and ``best``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from weaktr_core.errors import WeakTrError
from weaktr_core.networks.checkpoints import Network, save_checkpoint
from weaktr_core.runtime import write_json


class RunError(WeakTrError):
    """A run folder that is missing, broken or of other settings: one line."""


class Run:
    """What one training leaves on disk, written so that an interruption loses little.

    ::

        RUN/config.json           all settings, classes, dataset
        RUN/history.jsonl         one line per epoch, epoch 0 before any training
        RUN/head_weights/N.npy    (images, L, H) float16 of epoch N
        RUN/maps/N.npy            (images, stages, K, h, w) float16, raw maps of epoch N
        RUN/last/                 model.safetensors, state.pt (optimiser, schedule, random)
        RUN/best.safetensors      the epoch with the best tag score; no mask decides it
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    @property
    def config(self) -> dict[str, Any]:
        """Settings as stored."""
        path = self.folder / "config.json"
        try:
            return json.loads(path.read_text(encoding="utf8"))
        except FileNotFoundError:
            raise RunError(f"{self.folder}: no run here (config.json is missing)") from None
        except json.JSONDecodeError as error:
            raise RunError(f"{path}: expected JSON, got {error}") from None

    @property
    def history(self) -> list[dict[str, Any]]:
        """One dictionary per finished epoch."""
        path = self.folder / "history.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text("utf8").splitlines()]

    def head_weights(self) -> np.ndarray:
        """(epochs + 1, images, L, H) of the probe images, epoch 0 first."""
        return self.recorded("head_weights")

    def maps(self) -> np.ndarray:
        """(epochs + 1, images, stages, K, h, w), raw maps of the probe images."""
        return self.recorded("maps")

    def recorded(self, name: str) -> np.ndarray:
        """What each evaluated epoch stored under a name, epoch 0 first."""
        files = sorted((self.folder / name).glob("*.npy"))
        if not files:
            raise RunError(f"{self.folder}: no {name.replace('_', ' ')} stored")
        return np.stack([np.load(file) for file in files]).astype(np.float32)

    @property
    def best(self) -> Path:
        """The checkpoint to use: the best epoch, else the last."""
        best = self.folder / "best.safetensors"
        return best if best.exists() else self.last / "model.safetensors"

    @property
    def last(self) -> Path:
        """Folder of the last complete epoch; survives a crash in the middle of a save."""
        last, old = self.folder / "last", self.folder / "last.old"
        return old if old.exists() and not last.exists() else last

    def start(self, config: dict[str, Any], *, resume: bool = False) -> int:
        """Make or reopen the folder.

        Returns:
            How many epochs are done already.

        Raises:
            RunError: where a run is there and ``resume`` is not asked for, or its
                settings differ.
        """
        if not (self.folder / "config.json").exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(self.folder / "config.json", config)
            return 0
        if not resume:
            raise RunError(
                f"{self.folder}: a run is here already; continue it with --resume, or "
                "choose another folder"
            )
        stored, wanted = self.config, json.loads(json.dumps(config))
        if differing := sorted(k for k in wanted if stored.get(k) != wanted[k]):
            raise RunError(
                f"{self.folder}: cannot resume with other settings; "
                f"{', '.join(differing)} changed"
            )
        done = self.epochs_done()
        kept = [line for line in self.history if line["epoch"] <= done]
        self._write_history(kept)
        return done

    def epochs_done(self) -> int:
        """Epochs that the last checkpoint has behind it."""
        state = self.last / "state.pt"
        return torch.load(state, weights_only=False)["epoch"] if state.exists() else 0

    def record(
        self, line: dict[str, Any], arrays: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """Append one epoch to the history, and keep its arrays by name."""
        for name, values in (arrays or {}).items():
            folder = self.folder / name
            folder.mkdir(exist_ok=True)
            np.save(folder / f"{line['epoch']:03d}.npy", values.astype(np.float16))
        kept = [old for old in self.history if old["epoch"] < line["epoch"]]
        self._write_history([*kept, line])

    def save(self, model: Network, state: dict[str, Any], *, best: bool) -> None:
        """Keep an epoch: all that resuming needs, and the model if it is the best."""
        part, last, old = (self.folder / n for n in ("last.part", "last", "last.old"))
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        save_checkpoint(part / "model.safetensors", model)
        torch.save(state, part / "state.pt")
        if last.exists():
            shutil.rmtree(old, ignore_errors=True)
            last.rename(old)
        part.rename(last)
        shutil.rmtree(old, ignore_errors=True)
        if best:
            save_checkpoint(self.folder / "best.safetensors", model)

    def _write_history(self, lines: list[dict[str, Any]]) -> None:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        path = self.folder / "history.jsonl"
        part = path.with_suffix(".part")
        part.write_text(text, encoding="utf8")
        part.replace(path)
