"""Training: a loop that knows no model, and a stage that knows no loop.

`fit` runs epochs, mixed precision, several GPUs (Accelerate) and resuming for anything
that has the methods of `Stage`. `CamStage` is step 1 of WeakTr in those terms.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from weaktr_core.config import CamConfig
from weaktr_core.data import TaggedDataset, open_dataset
from weaktr_core.data.transforms import TaggedTensors, train_transform
from weaktr_core.evaluation import CamScores, evaluate_cams
from weaktr_core.losses import three_head_loss
from weaktr_core.model import WeakTr
from weaktr_core.pretrained import normalisation
from weaktr_core.runs import Run
from weaktr_core.runtime import cache_dir, log, mixed_precision, seed_everything


@runtime_checkable
class Stage(Protocol):
    """What the loop needs of something to train."""

    model: WeakTr
    loader: DataLoader
    optimizer: torch.optim.Optimizer

    def factor(self, epoch: float) -> float:
        """Learning rate at a point in time, as a factor of each peak rate."""

    def losses(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Scalars by name; ``"total"`` is minimised."""

    def evaluate(self, model: WeakTr) -> tuple[dict[str, Any], np.ndarray, float]:
        """Line for the history, head weights to keep, and a score that picks the best."""


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
    done = run.start(config, resume=resume)
    if done >= epochs:
        return run
    # Accelerate keeps one state per process, precision included; a second training in
    # the same notebook may want another.
    AcceleratorState._reset_state()
    accelerator = Accelerator(mixed_precision=mixed_precision(config["precision"]))
    model, optimizer, loader = accelerator.prepare(
        stage.model, stage.optimizer, stage.loader
    )
    schedule = LambdaLR(optimizer, lambda step: stage.factor(step / len(loader)))
    keeper = Keeper(stage, run, accelerator, optimizer, schedule)
    keeper.every, keeper.epochs = config["eval_every"], epochs
    if done:
        keeper.restore()
    else:
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
    def model(self) -> WeakTr:
        """The bare model, whatever Accelerate wrapped around it."""
        return self.accelerator.unwrap_model(self.stage.model)

    def keep(self, epoch: int, losses: dict[str, float], seconds: float) -> None:
        """Evaluate and write one epoch; epoch 0 is the model before training."""
        line: dict[str, Any] = {}
        weights, score = None, -math.inf
        if epoch % self.every == 0 or epoch == self.epochs:
            line, weights, score = self.stage.evaluate(self.model)
        line = {"epoch": epoch, "seconds": seconds, "losses": losses, **line}
        if epoch:
            is_best = score >= self.best and weights is not None
            self.best = max(score, self.best)
            state = dict(
                epoch=epoch,
                best=self.best,
                optimizer=self.optimizer.state_dict(),
                schedule=self.schedule.state_dict(),
            )
            self.run.save(self.model, state, best=is_best)
        self.run.record(line, weights)
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


class CamStage:
    """Step 1: the CAM network, learned from tags.

    Args:
        config: settings.
        train: images and tags; masks, if any, stay unread.
        val: for the scores after each epoch; masks, if any, are only measured with.
        model: start from it instead of building one.
    """

    def __init__(
        self,
        config: CamConfig,
        train: TaggedDataset,
        val: TaggedDataset,
        model: WeakTr | None = None,
    ):
        self.config, self.val = config, val
        self.statistics = normalisation(config.backbone)
        self.model = model or build_cam_network(config, train.classes)
        freeze(self.model, config.frozen_layers)
        self.optimizer: torch.optim.Optimizer = build_optimizer(self.model, config)
        transform = train_transform(config.augment, config.img_size, self.statistics)
        self.loader = DataLoader(
            TaggedTensors(train, transform),
            batch_size=config.batch_size,
            shuffle=True,
            drop_last=len(train) >= config.batch_size,
            num_workers=config.workers,
            persistent_workers=False,
        )

    def factor(self, epoch: float) -> float:
        """Learning-rate factor of the configured schedule."""
        return SCHEDULES[self.config.schedule](epoch, self.config)

    def losses(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        """The three tag losses and their sum."""
        images, tags = batch
        return three_head_loss(model(images), tags, self.config.token_weight)._asdict()

    def evaluate(self, model: WeakTr) -> tuple[dict[str, Any], np.ndarray, float]:
        """Scores of all stages; the tag score of the patch head picks the best epoch."""
        scores = evaluate_cams(
            model,
            self.val,
            self.statistics,
            eval_size=self.config.eval_size,
            batch_size=2 * self.config.batch_size if self.config.eval_size is None else 1,
        )
        probe = scores.head_weights[: self.config.probe]
        return describe(scores), probe, scores.mean_ap["coarse_logits"]


def describe(scores: CamScores) -> dict[str, Any]:
    """Scores as JSON values for the history."""
    return {
        "ap": {name: rounded(values) for name, values in scores.ap.items()},
        "mean_ap": scores.mean_ap,
        "miou": scores.miou,
        "threshold": {
            stage: float(sweep.thresholds[sweep.best])
            for stage, sweep in scores.sweeps.items()
        },
        "head_weights": rounded(scores.head_weights.mean(axis=0)),
    }


def rounded(values: np.ndarray) -> list:
    """Nested lists of numbers with 5 digits, NaN as null."""
    listed = np.round(values.astype(float), 5).astype(object)
    listed[np.isnan(values)] = None
    return listed.tolist()


def build_cam_network(config: CamConfig, classes: tuple[str, ...]) -> WeakTr:
    """The model of a configuration, its classes noted inside."""
    seed_everything(config.seed)
    model = WeakTr.from_timm(
        config.backbone,
        len(classes),
        img_size=config.img_size,
        pretrained=config.pretrained,
        vit_options=config.vit_options,
        **config.model,
    )
    model.notes = dict(classes=list(classes), config=config.as_dict())
    return model


def freeze(model: WeakTr, layers: int) -> None:
    """Stop training the first blocks, and all that comes before them but class tokens."""
    vit = model.backbone.vit
    if layers:
        for module in (vit.patch_embed, *vit.blocks[:layers]):
            module.requires_grad_(False)
        if vit.pos_embed is not None:
            vit.pos_embed.requires_grad_(False)


def build_optimizer(model: WeakTr, config: CamConfig) -> torch.optim.AdamW:
    """AdamW with one learning rate per part.

    Weight decay spares biases, norms, tokens and positions unless ``decay_all``, which
    is what the official code does.
    """
    rates = {
        "backbone.vit.cls_token": config.class_token_lr,
        "backbone.": config.backbone_lr,
        "patch_head.": config.head_lr,
        "token_head.": config.head_lr,
        "fusion.": config.fusion_lr,
    }
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = next(r for prefix, r in rates.items() if name.startswith(prefix))
        spared = parameter.ndim < 2 or name.endswith(("cls_token", "pos_embed"))
        decay = config.weight_decay if config.decay_all or not spared else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [dict(params=p, lr=r, weight_decay=d) for (r, d), p in groups.items()]
    )


def one_cycle(epoch: float, config: CamConfig) -> float:
    """Cosine up during the warm-up, cosine down to nothing."""
    warm, total = min(config.warmup_epochs, config.epochs / 2), config.epochs
    if epoch < warm:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * epoch / warm)) / 2
    return (1 + math.cos(math.pi * min(1.0, (epoch - warm) / (total - warm)))) / 2


def cosine(epoch: float, config: CamConfig) -> float:
    """Linear warm-up from ``warmup_lr``, then a cosine over all epochs to ``min_lr``."""
    peak, warm = config.backbone_lr, config.warmup_epochs
    if epoch < warm:
        rate = config.warmup_lr + (peak - config.warmup_lr) * epoch / warm
    else:
        swing = (1 + math.cos(math.pi * min(1.0, epoch / config.epochs))) / 2
        rate = config.min_lr + (peak - config.min_lr) * swing
    return rate / peak


def official_cosine(epoch: float, config: CamConfig) -> float:
    """`cosine` as the official code runs it: constant in an epoch, one epoch late.

    Its scheduler is told the number of the epoch that has just ended, so epochs 0 and 1
    both run at ``warmup_lr`` and the last rate of the plan is never used.
    """
    return cosine(max(0, math.floor(epoch) - 1), config)


SCHEDULES: dict[str, Callable[[float, CamConfig], float]] = {
    "one-cycle": one_cycle,
    "cosine": cosine,
    "official-cosine": official_cosine,
}


def train_cam(
    config: CamConfig,
    train: TaggedDataset,
    val: TaggedDataset,
    folder: str | Path,
    *,
    resume: bool = False,
    about: dict[str, Any] | None = None,
) -> Run:
    """Train a CAM network on tags and write everything to a run folder.

    Args:
        config: settings, usually a preset of `weaktr_core.config`.
        train: images and tags.
        val: images, tags and, for the map scores, masks.
        folder: where the run goes.
        resume: continue a run that is there; return at once if it is complete.
        about: further JSON values for ``config.json``, for instance the dataset.
    """
    settings = {**config.as_dict(), "classes": list(train.classes), **(about or {})}
    run = Run(folder)
    if resume and run.epochs_done() >= config.epochs:
        run.start(settings, resume=True)  # complete: only checks the settings
        return run
    stage = CamStage(config, train, val)
    return fit(stage, run, config.epochs, settings, resume)


def train_or_load(config: CamConfig) -> Run:
    """The run of a configuration on the built-in scenes: trained once, then found again.

    It lives in the cache under a name made of the settings and of this package's own
    source, so a run that other code trained is never mistaken for this one's.
    """
    text = json.dumps(config.as_dict(), sort_keys=True) + source_hash()
    name = hashlib.sha256(text.encode()).hexdigest()[:12]
    train = open_dataset("scenes", "train", size=config.img_size)
    val = open_dataset("scenes", "val", size=config.img_size)
    about = {"data": "scenes", "split": "train", "val": "val"}
    folder = cache_dir("runs") / f"scenes-{name}"
    return train_cam(config, train, val, folder, resume=True, about=about)


def source_hash() -> str:
    """Hash of the modules that training depends on."""
    package = Path(__file__).parent
    drawn_only = {"__main__.py", "figures", "widgets"}
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        if not drawn_only & set(path.relative_to(package).parts):
            digest.update(path.read_bytes())
    return digest.hexdigest()
