"""Learning rates: ours against timm's scheduler, driven as the official code drives it."""

import pytest
import torch
from timm.scheduler import CosineLRScheduler

from weaktr_core.config import PRESETS
from weaktr_core.train.cam import cosine, official_cosine, one_cycle

VOC = PRESETS["voc12"]


def official_rates():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=VOC.backbone_lr)
    scheduler = CosineLRScheduler(
        optimizer,
        t_initial=VOC.epochs,
        lr_min=VOC.min_lr,
        warmup_t=VOC.warmup_epochs,
        warmup_lr_init=VOC.warmup_lr,
    )
    for epoch in range(VOC.epochs):
        yield optimizer.param_groups[0]["lr"]
        scheduler.step(epoch)  # after the epoch, with its own number


def test_official_schedule_is_timms_one_epoch_late():
    ours = [VOC.backbone_lr * official_cosine(e + 0.5, VOC) for e in range(VOC.epochs)]
    assert ours == pytest.approx(list(official_rates()), rel=1e-6)
    assert ours[0] == ours[1] == pytest.approx(1e-6)


def test_cosine_moves_within_an_epoch_and_ends_at_the_floor():
    assert cosine(0.5, VOC) > cosine(0.0, VOC)
    assert VOC.backbone_lr * cosine(VOC.epochs, VOC) == pytest.approx(VOC.min_lr)


def test_one_cycle_rises_to_one_and_falls_to_zero():
    config = PRESETS["laptop"]
    values = [one_cycle(e / 100, config) for e in range(100 * config.epochs + 1)]
    assert max(values) == pytest.approx(1, abs=1e-3) and values[-1] == pytest.approx(0)
    assert values[0] < 0.1
