"""Step 2 against numbers computed by the official code."""

import json

import numpy as np
import pytest
import torch
from parity_model import draw, image, stored

from weaktr_core.labels.views import make_views
from weaktr_core.labels.windows import predict
from weaktr_core.method.decoder import MaskTransformer
from weaktr_core.method.losses import gradient_clipping_loss

TOLERANCE = 1e-5  # of an array's largest value
TRUTH = stored("segmenter")


def assert_agrees(ours, theirs):
    ours = ours.detach().numpy()
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= TOLERANCE * np.abs(theirs).max()


def decoder():
    model = MaskTransformer(4, 48, layers=2, num_heads=3)
    keys = json.loads(str(TRUTH["keys"]))
    state = {k.removeprefix("decoder."): draw(k, shape) for k, shape in keys.items()}
    model.load_state_dict(state)
    return model.eval()


def test_decoder_equals_the_official_one():
    tokens = image("tokens", (2, 20, 48))
    assert_agrees(decoder()(tokens, (5, 4)), TRUTH["mask.masks0"])


def test_masks_after_each_block_equal_the_official_ones():
    tokens = image("tokens", (2, 20, 48))
    first, last = decoder().masks_of_blocks(tokens, (5, 4))
    assert_agrees(first, TRUTH["multi.masks0"])
    assert_agrees(last, TRUTH["multi.masks1"])


@pytest.mark.parametrize(
    "case, scale, start",
    [("above_start", 6, 1.2), ("clipped", 1, 3.0), ("ignored", 1, 3.0)],
)
def test_clipping_equals_the_official_one_gradient_included(case, scale, start):
    logits = (image(f"pred.{case}", (2, 4, 24, 24)) * scale).requires_grad_()
    target = torch.from_numpy(np.random.default_rng(7).integers(0, 4, (2, 24, 24)))
    if case == "ignored":
        target[:, :6] = 255
    clipped, raw = gradient_clipping_loss(logits, target, start=start, window=6)
    clipped.mean().backward()
    assert_agrees(raw, TRUTH[f"clip.{case}.raw"])
    assert_agrees(clipped, TRUTH[f"clip.{case}.loss"])
    assert_agrees(logits.grad, TRUTH[f"clip.{case}.grad"])


def test_sliding_windows_equal_the_official_ones():
    def toy(x):
        steps = torch.arange(1, 5).view(1, 4, 1, 1)
        return x[:, :1] * steps + x[:, 1:2] ** 2

    photo = image("window", (1, 3, 70, 50))
    probability = predict(
        toy, photo, (35, 25), views=make_views([1.0]), window=48, stride=32
    )
    assert_agrees(probability[0], TRUTH["sliding.prob"])
