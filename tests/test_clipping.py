"""Gradient clipping: against the plain formula, and what must hold for any input."""

import pytest
import torch
import torch.nn.functional as F

from weaktr_core.method.losses import clipping_threshold, gradient_clipping_loss


def crops(height=24, width=36, seed=0):
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 5, height, width, generator=random)
    target = torch.randint(0, 5, (2, height, width), generator=random)
    return logits.requires_grad_(), target


def test_equals_the_plain_formula():
    logits, target = crops()
    clipped, raw = gradient_clipping_loss(logits, target, start=9, window=12)
    loss = F.cross_entropy(logits, target, reduction="none")
    for row in range(2):
        for column in range(3):
            area = (slice(row * 12, row * 12 + 12), slice(column * 12, column * 12 + 12))
            ceiling = max(loss[(slice(None), *area)].mean(), loss.mean())
            expected = loss[(slice(None), *area)].clamp(max=ceiling)
            assert torch.allclose(clipped[(slice(None), *area)], expected)
    assert torch.equal(raw, loss)


def test_never_raises_a_loss_and_stops_gradients_above_the_ceiling():
    logits, target = crops()
    clipped, raw = gradient_clipping_loss(logits, target, start=9, window=12)
    assert (clipped <= raw).all() and (clipped < raw).any()
    clipped.mean().backward()
    gradient = logits.grad.abs().sum(dim=1)
    assert (gradient[clipped < raw] == 0).all()
    assert (gradient[clipped == raw] > 0).all()


def test_nothing_is_clipped_above_the_start_value():
    logits, target = crops()
    clipped, raw = gradient_clipping_loss(logits * 9, target, start=1.2, window=12)
    assert torch.equal(clipped, raw)


@pytest.mark.parametrize("size", [(24, 37), (7, 100), (25, 25)])
def test_crops_need_not_be_whole_windows(size):
    logits, target = crops(*size)
    clipped, raw = gradient_clipping_loss(logits, target, start=9, window=12)
    assert clipped.shape == (2, *size) and torch.isfinite(clipped).all()
    last = raw[:, size[0] - (size[0] % 12 or 12) :, size[1] - (size[1] % 12 or 12) :]
    ceiling = clipping_threshold(raw.detach(), 12)[0, -1, -1]
    assert torch.isclose(ceiling, torch.maximum(last.mean(), raw.mean()))


@pytest.mark.parametrize("count_ignored", [True, False])
def test_crops_that_are_ignored_throughout_are_zero_not_nan(count_ignored):
    logits, target = crops()
    nothing, how = torch.full_like(target, 255), dict(count_ignored=count_ignored)
    value = gradient_clipping_loss(logits, nothing, window=12, **how).clipped.mean()
    value.backward()
    assert value == 0 and (logits.grad == 0).all()


def test_ignored_pixels_lower_the_ceiling_only_as_published():
    logits, target = crops()
    target[:, :12, :6] = 255  # half of the first window
    raw = gradient_clipping_loss(logits, target, start=9, window=12).raw.detach()
    counted = (target != 255).float()
    published = clipping_threshold(raw, 12)[0, 0, 0]
    ours = clipping_threshold(raw, 12, counted)[0, 0, 0]
    area = raw[:, :12, :12][target[:, :12, :12] != 255]
    whole = raw[target != 255].mean()
    assert torch.isclose(ours, torch.maximum(area.mean(), whole)) and published < ours


def test_per_image_clips_each_image_as_if_it_were_alone():
    logits, target = crops()
    together = gradient_clipping_loss(logits, target, 9, 12, per_image=True).clipped
    for one in range(2):
        alone = gradient_clipping_loss(logits[one : one + 1], target[one : one + 1], 9, 12)
        assert torch.allclose(together[one], alone.clipped[0])
