"""Step 1: the CAM network, learned from image tags."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from weaktr_core.config import CamConfig
from weaktr_core.data.sample import TaggedDataset, without_masks
from weaktr_core.data.transforms import TaggedTensors, train_transform
from weaktr_core.method.losses import patch_loss, three_head_loss
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.network import statistics_of
from weaktr_core.networks.pretrained import load_vit
from weaktr_core.runtime import seed_everything
from weaktr_core.schema import SettingError
from weaktr_core.scores.cams import CamScores, evaluate_cams, or_none
from weaktr_core.train.loop import fit_or_find, freeze_layers
from weaktr_core.train.runs import Run
from weaktr_core.train.teacher import Teacher
from weaktr_core.train.tracked import make_run


class CamStage:
    """Step 1: the CAM network, learned from tags.

    Args:
        config: settings.
        train: images and tags; masks, if any, stay unread.
        val: for the scores after each epoch; masks, if any, are only measured with.
        start: network to begin with, see `WeakTr.start_from`.
    """

    def __init__(
        self,
        config: CamConfig,
        train: TaggedDataset,
        val: TaggedDataset,
        start: WeakTr | None = None,
    ):
        self.config, self.val = config, val
        self.model = build_cam_network(config, train.classes)
        if start is not None:
            self.model.start_from(start)
        freeze_layers(self.model.backbone.vit, config.frozen_layers)
        statistics = statistics_of(self.model)
        self.optimizer: torch.optim.Optimizer = build_optimizer(self.model, config)
        transform = train_transform(config.augment, config.img_size, statistics)
        self.data = TaggedTensors(train, transform)
        tags = all_tags(train) if config.patch_weight or config.balance else None
        self.weights: Tensor | None = None
        self.frequency: Tensor | None = None
        if tags is not None:
            self.frequency = tags.mean(dim=0).clamp(min=1e-3)
        if tags is not None and config.balance:
            self.weights = draw_weights(tags, config.balance)
        self.teacher = build_teacher(config, self.data) if config.patch_weight else None

    def lr_factor(self, epoch: float) -> float:
        """Learning-rate factor of the configured schedule."""
        return SCHEDULES[self.config.schedule](epoch, self.config)

    def losses(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        """The three tag losses and their sum."""
        images, tags = batch
        output = model(images)
        losses = three_head_loss(output, tags, self.config.token_weight)._asdict()
        if self.teacher is None or self.frequency is None:
            return losses
        # a patch counts less the more photos have its label
        weights = torch.cat([torch.ones(1), self.frequency**-0.5 / 4]).to(images)
        patches = patch_loss(output.patch_logits, self.teacher(images), tags, weights)
        total = losses["total"] + self.config.patch_weight * patches
        return {**losses, "patch": patches, "total": total}

    def evaluate(
        self, model: WeakTr
    ) -> tuple[dict[str, Any], dict[str, np.ndarray], float]:
        """Scores of all stages; the tag score of the patch head picks the best epoch."""
        scores = evaluate_cams(
            model,
            self.val,
            eval_size=self.config.eval_size,
            batch_size=2 * self.config.batch_size,
            keep=self.config.probe,
        )
        arrays = {"head_weights": scores.head_weights[: self.config.probe]}
        if len({maps.shape for maps in scores.maps}) == 1:  # photos may differ in size
            arrays["maps"] = np.stack(scores.maps)
        return history_line(scores), arrays, scores.mean_ap["coarse_logits"]


def history_line(scores: CamScores) -> dict[str, Any]:
    """Scores as JSON values for the history."""
    return {
        "ap": {name: rounded(values) for name, values in scores.ap.items()},
        "mean_ap": {name: or_none(value) for name, value in scores.mean_ap.items()},
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
        vit_options=dict(config.vit_options),
        **config.model,
    )
    model.notes = dict(classes=list(classes), config=config.as_dict())
    return model


def build_teacher(config: CamConfig, data: TaggedTensors) -> Teacher:
    """The same backbone as it was, for the prior of `losses.patch_loss`."""
    if not config.model.get("background"):
        raise SettingError("patch_weight: expected model={'background': True} with it")
    more = dict(config.vit_options)
    vit = load_vit(config.backbone, config.img_size, pretrained=config.pretrained, **more)
    return Teacher(vit, data)


def all_tags(dataset: TaggedDataset) -> Tensor:
    """(images, K) tags of a dataset."""
    return torch.from_numpy(np.stack([it.tags for it in without_masks(dataset)])).float()


def draw_weights(tags: Tensor, balance: float) -> Tensor:
    """How often to draw each image: its rarest tag's number of images to -balance."""
    counts = tags.sum(dim=0).clamp(min=1)
    return (tags / counts**balance).amax(dim=1).clamp(min=1e-6)


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
    start: WeakTr | None = None,
    resume: bool = False,
    track: str | None = None,
    about: dict[str, Any] | None = None,
) -> Run:
    """Train a CAM network on tags and write everything to a run folder.

    Args:
        config: settings, usually a preset of `weaktr_core.config`.
        train: images and tags.
        val: images, tags and, for the map scores, masks.
        folder: where the run goes.
        start: network to begin with, of the same kind.
        resume: continue a run that is there; return at once if it is complete.
        track: "tensorboard" or "wandb", to show it as it goes on.
        about: further JSON values for ``config.json``, for instance the dataset.
    """
    settings = {**config.as_dict(), "classes": list(train.classes), **(about or {})}
    run = make_run(folder, track)
    return fit_or_find(lambda: CamStage(config, train, val, start), run, settings, resume)
