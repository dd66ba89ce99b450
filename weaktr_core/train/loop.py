"""Training: a loop that knows no model, for stages that know no loop.

`fit` runs steps, mixed precision, several processes (Accelerate), saving and resuming for
anything that has the methods of `Stage`: those of `weaktr_core.train.cam` and `.seg`.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import InitProcessGroupKwargs, send_to_device
from torch import Tensor
from tqdm.auto import tqdm

from weaktr_core.method.attention import TimmViT
from weaktr_core.runtime import default_device, locked, log, mixed_precision
from weaktr_core.train.order import batches_of, begin_epoch, make_loader, steps_of
from weaktr_core.train.runs import Progress, Run
from weaktr_core.train.slimming import fatten, slim
from weaktr_core.train.snapshots import (
    optimizer_tensors,
    random_tensors,
    restore_optimizer,
    restore_random,
)
from weaktr_core.train.stopping import Stopped, Stopping, stopping

PATIENCE = InitProcessGroupKwargs(timeout=timedelta(hours=12))
"""How long processes wait for one another, for instance for the first one to save."""

SAVE_SECONDS = 30.0
"""A snapshot is written this often, ..."""

SAVE_SHARE = 0.05
"""... but not so often that saving takes more than this share of the time."""


@runtime_checkable
class Stage(Protocol):
    """What the loop needs of something to train."""

    config: Any
    model: Any
    data: Any
    optimizer: torch.optim.Optimizer
    weights: Tensor | None
    """How often each image is drawn, (images,); None: each once an epoch."""

    def lr_factor(self, epoch: float) -> float:
        """Learning rate at a point in time, as a factor of each peak rate."""

    def losses(self, model: Any, batch: Any) -> dict[str, Tensor]:
        """Scalars by name; ``"total"`` is minimised."""

    def evaluate(self, model: Any) -> tuple[dict[str, Any], dict[str, np.ndarray], float]:
        """Line for the history, arrays to keep by name, and what picks the best."""


def fit_or_find(
    make_stage: Callable[[], Stage], run: Run, settings: dict[str, Any], resume: bool
) -> Run:
    """`fit`; with ``resume``, a run that has all its epochs is left as it is."""
    if resume and run.is_complete(settings["epochs"], settings):
        return run
    return fit(make_stage(), run, settings, resume)


def fit(stage: Stage, run: Run, settings: dict[str, Any], resume: bool) -> Run:
    """Train a stage, writing it to its run folder as it goes on.

    Every epoch seeds itself, and a snapshot holds every random state, so a run that was
    killed at any step and resumed is the run that was not: bit by bit where the number
    of workers and processes and the device are the same.

    Args:
        stage: what to train.
        run: where it is written.
        settings: all of them, stored in the run.
        resume: continue the run if it is there.

    Raises:
        Stopped: after Ctrl-C or SIGTERM; everything up to the last step is kept.
    """
    # Accelerate keeps one state per process, precision included; a second training in
    # the same notebook may want another.
    AcceleratorState._reset_state()
    check_launcher()
    accelerator = Accelerator(
        mixed_precision=mixed_precision(stage.config.precision),
        cpu=default_device().type == "cpu",  # else several processes stay strangers
        kwargs_handlers=[PATIENCE],
    )
    with locked(run.folder), stopping() as asked:
        if accelerator.is_main_process:
            run.start(settings, resume=resume)
            fatten(run)
        accelerator.wait_for_everyone()
        trainer = Trainer(stage, run, accelerator, asked)
        try:
            trainer.train()
        except KeyboardInterrupt:
            raise trainer.stopped() from None
        if accelerator.is_main_process:
            slim(run)
    return run


def check_launcher() -> None:
    """Say so where several processes were asked for and one was started.

    ``accelerate launch --cpu --num_processes 2`` is such a case: it sets the address at
    which they would meet, and no more.
    """
    alone = "MASTER_ADDR" in os.environ and "WORLD_SIZE" not in os.environ
    if alone and os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true":
        log.warning(
            "accelerate started one process only; for N on a CPU: "
            "torchrun --nproc_per_node N -m weaktr_core ..."
        )


class Trainer:
    """One training: where it stands, and what moves it on.

    Args:
        stage: what to train.
        run: where it is written.
        accelerator: precision, device, other processes.
        asked: whether somebody wants it to stop.
    """

    def __init__(self, stage: Stage, run: Run, accelerator: Accelerator, asked: Stopping):
        self.stage, self.config, self.asked = stage, stage.config, asked
        self.accelerator = accelerator
        self.model, self.optimizer = accelerator.prepare(stage.model, stage.optimizer)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.count = len(stage.data)
        self.steps = steps_of(self.count, self.config.batch_size, accelerator.num_processes)
        self.keeper = Checkpointer(run, accelerator, self.model, self.optimizer)
        self.progress = self.keeper.restore(self.steps)

    def train(self) -> None:
        """All epochs that are left; before the first, the model as it is is measured."""
        if not self.progress.begun:
            self.close_epoch(0)
        while self.progress.epochs < self.config.epochs:
            self.train_epoch(self.progress.epochs + 1)
            self.close_epoch(self.progress.epochs + 1)

    def train_epoch(self, epoch: int) -> None:
        """The steps of an epoch that are left."""
        seed, processes = self.config.seed + epoch, self.accelerator.num_processes
        order = begin_epoch(seed, self.count, self.stage.weights)
        rank = self.accelerator.process_index
        batches = batches_of(order, self.config.batch_size, rank, processes)
        left, workers = batches[self.progress.step :], self.config.workers
        loader = make_loader(self.stage.data, left, workers, seed, always=processes > 1)
        self.keeper.restore_random(middle=self.progress.step > 0)
        bar = tqdm(
            loader,
            desc=f"epoch {epoch}/{self.config.epochs}",
            unit="batch",
            initial=self.progress.step,
            total=self.steps,
            disable=not self.accelerator.is_main_process,
        )
        self.model.train()
        self.asked.patient, self.clock = True, time.perf_counter()
        for batch in bar:
            self.step(send_to_device(batch, self.accelerator.device, non_blocking=True))
            bar.set_postfix(loss=f"{self.means()['total']:.3f}")
        self.asked.patient = False

    def step(self, batch: Any) -> None:
        """One batch: losses, gradients, new weights; then save or stop, if it is time."""
        progress = self.progress
        factor = self.stage.lr_factor(
            (progress.epochs * self.steps + progress.step) / self.steps
        )
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        with self.accelerator.autocast():
            losses = self.stage.losses(self.model, batch)
        values, wanted = self.shared(losses)
        if not math.isfinite(values["total"]):
            raise FloatingPointError(
                f"the loss became {values['total']} at batch {progress.step + 1}; "
                "try a smaller learning rate or precision=no"
            )
        self.optimizer.zero_grad()
        self.accelerator.backward(losses["total"])
        self.optimizer.step()
        progress.step += 1
        for name, value in values.items():
            progress.losses[name] = progress.losses.get(name, 0.0) + value
        now = time.perf_counter()
        progress.seconds, self.clock = progress.seconds + now - self.clock, now
        if wanted or self.keeper.due:
            self.keeper.save(progress)
        if wanted:
            self.accelerator.wait_for_everyone()
            raise KeyboardInterrupt

    def shared(self, losses: dict[str, Tensor]) -> tuple[dict[str, float], bool]:
        """Losses, averaged over processes, and whether any of these was asked to stop."""
        scalars = [value.detach().float() for value in losses.values()]
        flag = torch.tensor(float(self.asked.signal > 0), device=scalars[0].device)
        mean = self.accelerator.reduce(torch.stack([*scalars, flag]), "mean")
        *values, wanted = mean.tolist()
        return dict(zip(losses, values, strict=True)), wanted > 0

    def means(self) -> dict[str, float]:
        """Losses of the epoch under way, averaged over its steps so far."""
        return {n: v / self.progress.step for n, v in self.progress.losses.items()}

    def close_epoch(self, epoch: int) -> None:
        """Evaluate and write one epoch; epoch 0 is the model before training.

        The snapshot comes last: whatever is lost before it is made again on resuming.
        """
        every, progress = self.config.eval_every, self.progress
        evaluated = epoch % every == 0 or epoch == self.config.epochs
        if evaluated and epoch:
            self.keeper.save(progress)  # evaluating may take longer than the epoch
        line: dict[str, Any] = {}
        arrays: dict[str, np.ndarray] = {}
        if evaluated:
            line, arrays, score = self.stage.evaluate(self.keeper.bare)
        line = dict(epoch=epoch, seconds=progress.seconds, losses=self.means(), **line)
        self.keeper.record(line, arrays)
        if evaluated and epoch and (progress.best is None or score >= progress.best):
            progress.best = score if math.isfinite(score) else None
            self.keeper.save_best()
        self.progress = Progress(epochs=epoch, steps=self.steps, best=progress.best)
        if evaluated or self.keeper.due:
            self.keeper.save(self.progress)

    def stopped(self) -> Stopped:
        """What to say when it was stopped: what is kept, and how to go on."""
        kept, number = self.keeper.kept, self.asked.signal or signal.SIGINT
        where = f"epoch {kept.epochs + 1}, step {kept.step} of {self.steps}"
        return Stopped(
            f"stopped; {self.keeper.run.folder} has everything up to {where}: "
            "the same command with --resume goes on from there",
            number,
        )


class Checkpointer:
    """What goes to disk, by the first process alone, and what comes back, for all.

    Args:
        run: the folder.
        accelerator: which process this is, and how the loss is scaled.
        model: as Accelerate wrapped it.
        optimizer: likewise.
    """

    def __init__(self, run: Run, accelerator: Accelerator, model: Any, optimizer: Any):
        self.run, self.accelerator = run, accelerator
        self.bare, self.optimizer = accelerator.unwrap_model(model), optimizer
        self.saved, self.took = time.monotonic(), 0.0
        self.kept, self.tensors = Progress(), dict[str, Tensor]()

    @property
    def due(self) -> bool:
        """Whether enough time has gone by since the last snapshot."""
        return time.monotonic() - self.saved > max(SAVE_SECONDS, self.took / SAVE_SHARE)

    def save(self, progress: Progress) -> None:
        """Write a snapshot."""
        if not self.accelerator.is_main_process:
            return
        start = time.monotonic()
        if (scaler := self.accelerator.scaler) is not None:
            progress.scaler = scaler.state_dict()
        tensors = {**optimizer_tensors(self.optimizer), **random_tensors()}
        self.run.save(self.bare, tensors, progress)
        self.kept, self.saved = replace(progress), time.monotonic()
        self.took = self.saved - start

    def save_best(self) -> None:
        """Keep the network as the best so far."""
        if self.accelerator.is_main_process:
            self.run.save_best(self.bare)

    def record(self, line: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Write a line of the history, and tell it."""
        if self.accelerator.is_main_process:
            self.run.record(line, arrays)
            log.info("%s", summary(line))

    def restore(self, steps: int) -> Progress:
        """Take up the newest snapshot.

        Where an epoch has another number of steps now, it goes on at the same share of
        it, and that is said.
        """
        progress = self.run.progress()
        if progress.begun:
            weights, self.tensors = self.run.saved_tensors()
            self.bare.load_state_dict(weights)
            restore_optimizer(self.optimizer, self.tensors)
            if progress.scaler and self.accelerator.scaler is not None:
                self.accelerator.scaler.load_state_dict(progress.scaler)
        if progress.begun and progress.steps != steps:
            at = progress.step * steps // progress.steps
            log.warning(
                "an epoch had %d steps and has %d now (other photos or processes): "
                "epoch %d goes on at step %d",
                progress.steps, steps, progress.epochs + 1, at,
            )  # fmt: skip
            progress.step = at
        self.kept = replace(progress)
        progress.steps = steps
        return progress

    def restore_random(self, middle: bool) -> None:
        """In the middle of an epoch that was begun again: go on with its random numbers."""
        if self.tensors and middle:
            restore_random(self.tensors)
        self.tensors = {}


def summary(line: dict[str, Any]) -> str:
    """One line of the history for a terminal."""
    parts = [f"epoch {line['epoch']}"]
    if line["losses"]:
        parts.append(f"loss {line['losses']['total']:.3f}")
    for group, unit in (("mean_ap", "AP"), ("miou", "mIoU")):
        scores = {name: v for name, v in line.get(group, {}).items() if v is not None}
        parts.extend(f"{name} {unit} {100 * v:.1f}" for name, v in scores.items())
    return ", ".join([*parts, f"{line['seconds']:.0f} s"])


def freeze_layers(vit: TimmViT, layers: int) -> None:
    """Stop training the first blocks of a ViT, and its embeddings; class tokens go on."""
    if layers:
        for module in (vit.patch_embed, *vit.blocks[:layers]):
            module.requires_grad_(False)
        if vit.pos_embed is not None:
            vit.pos_embed.requires_grad_(False)
