"""Training: a loop that knows no model, for stages that know no loop.

`fit` runs epochs, mixed precision, several GPUs (Accelerate) and resuming for anything
that has the methods of `Stage`: `weaktr_core.train.cam` and `training_seg`.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import InitProcessGroupKwargs
from safetensors.torch import load_file
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from weaktr_core.method.attention import TimmViT
from weaktr_core.runtime import cache_dir, log, mixed_precision, seed_everything
from weaktr_core.train.runs import Run

PATIENCE = InitProcessGroupKwargs(timeout=timedelta(hours=12))
"""How long processes wait for the first one, which alone evaluates after an epoch."""


@runtime_checkable
class Stage(Protocol):
    """What the loop needs of something to train."""

    model: Any
    loader: DataLoader
    optimizer: torch.optim.Optimizer

    def factor(self, epoch: float) -> float:
        """Learning rate at a point in time, as a factor of each peak rate."""

    def losses(self, model: Any, batch: Any) -> dict[str, Tensor]:
        """Scalars by name; ``"total"`` is minimised."""

    def evaluate(self, model: Any) -> tuple[dict[str, Any], dict[str, np.ndarray], float]:
        """Line for the history, arrays to keep by name, and what picks the best."""


def fit(stage: Stage, run: Run, epochs: int, config: dict[str, Any], resume: bool) -> Run:
    """Train a stage, writing each epoch to its run folder.

    Every epoch seeds itself, so a run that was interrupted and resumed is the run that
    was not. Ctrl-C loses the epoch under way, nothing else.

    Args:
        stage: what to train.
        run: where it is written.
        epochs: how many in all.
        config: all settings, stored in the run; ``config["seed"]`` is used.
        resume: continue the run if it is there.
    """
    # Accelerate keeps one state per process, precision included; a second training in
    # the same notebook may want another.
    AcceleratorState._reset_state()
    accelerator = Accelerator(
        mixed_precision=mixed_precision(config["precision"]), kwargs_handlers=[PATIENCE]
    )
    if accelerator.is_main_process:
        run.start(config, resume=resume)
    accelerator.wait_for_everyone()
    done = run.epochs_done()
    if done >= epochs:
        return run
    model, optimizer, loader = accelerator.prepare(
        stage.model, stage.optimizer, stage.loader
    )
    schedule = LambdaLR(optimizer, lambda step: stage.factor(step / len(loader)))
    keeper = Keeper(stage, run, accelerator, optimizer, schedule)
    keeper.every, keeper.epochs = config["eval_every"], epochs
    if done:
        keeper.restore()
    elif accelerator.is_main_process:
        keeper.keep(0, {}, 0.0)
    for epoch in range(done + 1, epochs + 1):
        start = time.perf_counter()
        seed_everything(config["seed"] + epoch)
        bar = tqdm(
            loader,
            desc=f"epoch {epoch}/{epochs}",
            unit="batch",
            disable=not accelerator.is_main_process,
        )
        losses = train_epoch(stage, model, optimizer, schedule, bar, accelerator)
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            keeper.keep(epoch, losses, time.perf_counter() - start)
    return run


def train_epoch(
    stage: Stage, model, optimizer, schedule, bar: Iterable, accelerator: Accelerator
) -> dict[str, float]:
    """One pass over the data; returns the mean of each loss."""
    model.train()
    sums: dict[str, float] = {}
    batches = 0
    for batch in bar:
        with accelerator.autocast():
            losses = stage.losses(model, batch)
        if not torch.isfinite(losses["total"]):
            raise FloatingPointError(
                f"the loss became {losses['total'].item()} at batch {batches + 1}; "
                "try a smaller learning rate or precision=no"
            )
        optimizer.zero_grad()
        accelerator.backward(losses["total"])
        optimizer.step()
        schedule.step()
        batches += 1
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + value.item()
        bar.set_postfix(loss=f"{sums['total'] / batches:.3f}")  # type: ignore[attr-defined]
    return {name: value / batches for name, value in sums.items()}


class Keeper:
    """What the main process does between epochs: evaluate, record, save, restore."""

    def __init__(self, stage: Stage, run: Run, accelerator, optimizer, schedule):
        self.stage, self.run = stage, run
        self.accelerator, self.optimizer, self.schedule = (
            accelerator,
            optimizer,
            schedule,
        )
        self.best = -math.inf
        self.every, self.epochs = 1, 0

    @property
    def model(self) -> Any:
        """The bare model, whatever Accelerate wrapped around it."""
        return self.accelerator.unwrap_model(self.stage.model)

    def keep(self, epoch: int, losses: dict[str, float], seconds: float) -> None:
        """Evaluate and write one epoch; epoch 0 is the model before training."""
        line: dict[str, Any] = {}
        arrays: dict[str, np.ndarray] = {}
        score = -math.inf
        if epoch % self.every == 0 or epoch == self.epochs:
            line, arrays, score = self.stage.evaluate(self.model)
        line = {"epoch": epoch, "seconds": seconds, "losses": losses, **line}
        if epoch:
            is_best = score >= self.best and score > -math.inf
            self.best = max(score, self.best)
            state = dict(
                epoch=epoch,
                best=self.best,
                optimizer=self.optimizer.state_dict(),
                schedule=self.schedule.state_dict(),
            )
            self.run.save(self.model, state, best=is_best)
        self.run.record(line, arrays)
        log.info("%s", summary(line))

    def restore(self) -> None:
        """Take up the last complete epoch."""
        folder = self.run.last
        state = torch.load(folder / "state.pt", map_location="cpu", weights_only=False)
        self.model.load_state_dict(load_file(folder / "model.safetensors"))
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.best = state["best"]


def summary(line: dict[str, Any]) -> str:
    """One line of the history for a terminal."""
    parts = [f"epoch {line['epoch']}"]
    if line["losses"]:
        parts.append(f"loss {line['losses']['total']:.3f}")
    for group, unit in (("mean_ap", "AP"), ("miou", "mIoU")):
        scores = line.get(group, {})
        parts.extend(f"{name} {unit} {100 * v:.1f}" for name, v in scores.items())
    return ", ".join([*parts, f"{line['seconds']:.0f} s"])


def freeze_layers(vit: TimmViT, layers: int) -> None:
    """Stop training the first blocks of a ViT, and its embeddings; class tokens go on."""
    if layers:
        for module in (vit.patch_embed, *vit.blocks[:layers]):
            module.requires_grad_(False)
        if vit.pos_embed is not None:
            vit.pos_embed.requires_grad_(False)


def cached_run(kind: str, *settings: Any) -> Path:
    """Folder in the cache for a run that is made once and found again.

    Its name is made of the settings (JSON values) and of this package's own source, so a
    run that other code trained is never mistaken for this one's.
    """
    text = json.dumps(settings, sort_keys=True) + source_hash()
    return cache_dir("runs") / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def source_hash() -> str:
    """Hash of the modules that training depends on."""
    package = Path(__file__).parents[1]
    drawn_only = {"__main__.py", "commands", "figures", "widgets"}
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        if not drawn_only & set(path.relative_to(package).parts):
            digest.update(path.read_bytes())
    return digest.hexdigest()
