"""Step 2: a segmentation network, retrained on pseudo-masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from weaktr_core.config import SegConfig
from weaktr_core.data.masked import MaskedTensors, SegTransform
from weaktr_core.data.sample import IGNORE, TaggedDataset
from weaktr_core.method.losses import gradient_clipping_loss
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.network import statistics_of
from weaktr_core.networks.segmenter import Segmenter
from weaktr_core.runtime import seed_everything
from weaktr_core.scores.masks import evaluate_segmenter
from weaktr_core.train.loop import fit_or_find, freeze_layers
from weaktr_core.train.runs import Run
from weaktr_core.train.tracked import make_run


class SegStage:
    """Step 2: learn from masks that are partly wrong.

    Args:
        config: settings.
        train: images whose masks are learned from; wrap a dataset in
            `weaktr_core.data.masked.Relabelled` to make these the pseudo-masks.
        start: network of step 1 whose transformer is taken over, see `Segmenter`.
        val: true masks, if any, give the score that picks the best epoch: with them,
            ``best`` has seen masks. As in the official code; ``last`` has not.
    """

    def __init__(
        self,
        config: SegConfig,
        train: TaggedDataset,
        val: TaggedDataset,
        start: WeakTr | None = None,
    ):
        self.config, self.val = config, val
        self.model = build_segmenter(config, train.classes)
        if start is not None:
            self.model.start_from(start)
        freeze_layers(self.model.vit, config.frozen_layers)
        if not config.encoder_factor:
            self.model.vit.requires_grad_(False)
        statistics = statistics_of(self.model)
        self.optimizer = build_optimizer(self.model, config)
        transform = SegTransform(
            config.short_side or config.img_size,
            config.train_ratios,
            config.img_size,
            config.class_cap,
            config.photometric,
            statistics,
        )
        self.data = MaskedTensors(train, transform)
        self.weights: Tensor | None = None

    def lr_factor(self, epoch: float) -> float:
        """Learning rate as a factor of its peak, see `poly`."""
        return poly(epoch, self.config)

    def losses(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        """What is minimised, the unclipped loss, and the share of pixels clipped."""
        images, masks = batch
        logits, config = model(images), self.config
        start = config.clip_start if config.loss == "clipped" else -1.0
        clipped, raw = gradient_clipping_loss(
            logits,
            masks,
            start,
            config.clip_window,
            IGNORE,
            per_image=config.clip_per_image,
            count_ignored=config.clip_count_ignored,
        )
        share = (clipped < raw).float().mean()
        return dict(total=clipped.mean(), raw=raw.mean().detach(), clipped_share=share)

    def evaluate(self, model: Segmenter) -> tuple[dict[str, Any], dict, float]:
        """Scores on the validation images, one view each."""
        config = self.config
        scores = evaluate_segmenter(
            model,
            self.val,
            short_side=config.short_side,
            window=config.window,
            stride=config.stride,
            batch_size=2 * config.batch_size,
        )
        if scores is None:
            return {}, {}, 0.0
        line = dict(miou={"network": scores.miou}, iou=scores.as_json()["iou"])
        return line, {}, scores.miou


def poly(epoch: float, config: SegConfig) -> float:
    """Polynomial fall from ``lr`` to ``min_lr``, after a linear rise if there is one.

    lr(t) = (lr − min) · (1 − t)^power + min, t from 0 to 1. The encoder's rate is
    ``encoder_factor`` times this.
    """
    t = min(1.0, epoch / config.epochs)
    floor = config.min_lr / config.lr
    rise = min(1.0, (epoch + 1e-3) / config.warmup_epochs) if config.warmup_epochs else 1.0
    return rise * ((1 - floor) * (1 - t) ** config.power + floor)


def build_segmenter(config: SegConfig, classes: tuple[str, ...]) -> Segmenter:
    """The network of a configuration, its classes noted inside."""
    seed_everything(config.seed)
    model = Segmenter.from_timm(
        config.backbone,
        len(classes),
        img_size=config.img_size,
        pretrained=config.pretrained,
        vit_options=dict(config.vit_options),
        decoder=config.decoder,
        adapters=config.adapters,
    )
    model.notes = dict(classes=list(classes), config=config.as_dict())
    return model


def build_optimizer(model: Segmenter, config: SegConfig) -> torch.optim.Optimizer:
    """SGD or AdamW; the encoder's learning rate is a fraction of the decoder's."""
    decoder = [p for p in model.decoder.parameters() if p.requires_grad]
    inside = {id(p) for p in decoder}
    encoder = [p for p in model.parameters() if p.requires_grad and id(p) not in inside]
    groups = [
        dict(params=decoder, lr=config.lr),
        dict(params=encoder, lr=config.lr * config.encoder_factor),
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            groups, momentum=0.9, nesterov=True, weight_decay=config.weight_decay
        )
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    raise ValueError(f"optimizer is 'sgd' or 'adamw', got {config.optimizer!r}")


def train_seg(
    config: SegConfig,
    train: TaggedDataset,
    val: TaggedDataset,
    folder: str | Path,
    *,
    start: WeakTr | None = None,
    resume: bool = False,
    track: str | None = None,
    about: dict[str, Any] | None = None,
) -> Run:
    """Train a segmentation network and write everything to a run folder.

    Args:
        config: settings, usually a preset of `weaktr_core.config`.
        train: images and the masks to learn from, pseudo or true.
        val: images and true masks, for the scores.
        folder: where the run goes.
        start: network of step 1 whose transformer is taken over.
        resume: continue a run that is there; return at once if it is complete.
        track: "tensorboard" or "wandb", to show it as it goes on.
        about: further JSON values for ``config.json``, for instance the dataset.
    """
    settings = {**config.as_dict(), "step": 2, "classes": list(train.classes)}
    settings |= about or {}
    run = make_run(folder, track)
    return fit_or_find(lambda: SegStage(config, train, val, start), run, settings, resume)
