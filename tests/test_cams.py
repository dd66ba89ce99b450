"""Every map equals the plain formula on the full stack, gradients included."""

import pytest
import torch
from naive import BACKBONES, naive_maps, tiny_model
from torch.utils._python_dispatch import TorchDispatchMode

from weaktr_core.method import cams

SIZES = [(64, 64), (96, 64), (50, 77)]


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("size", SIZES)
def test_maps_equal_the_naive_ones(name, size):
    model = tiny_model(name)
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        tokens = model.encode(images)
        out = model.read_out(tokens)
        naive = naive_maps(tokens, model, out.head_weights)
    for ours, theirs in zip(
        (out.coarse_cam, out.cross_attention, out.cam, out.fine_cam), naive, strict=True
    ):
        assert ours.shape == theirs.shape
        assert torch.allclose(ours, theirs, atol=1e-5 * theirs.abs().max().item())


@pytest.mark.parametrize("official", [False, True])
def test_gradients_equal_the_naive_ones(official):
    model = tiny_model(official=official)
    tokens = model.encode(torch.randn(2, 3, 64, 64))
    parameters = list(model.fusion.parameters())
    ours = model.read_out(tokens).fine_cam.square().sum()
    weights = model.fusion(tokens.layers)
    theirs = naive_maps(tokens, model, weights)[-1].square().sum()
    for a, b in zip(
        torch.autograd.grad(ours, parameters),
        torch.autograd.grad(theirs, parameters),
        strict=True,
    ):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-6 * b.abs().max().item() + 1e-12)


def test_uniform_weights_are_the_mean_of_heads():
    model = tiny_model(fusion="uniform")
    tokens = model.encode(torch.randn(1, 3, 64, 64))
    stack = torch.stack([layer.rows() for layer in tokens.layers], dim=1)
    fused = cams.fused_attention(tokens.layers, torch.ones(1, 3, 3))
    assert torch.allclose(fused, stack.mean(dim=(1, 2)), atol=1e-6)


def test_attention_to_oneself_alone_changes_nothing():
    model = tiny_model()
    layers = model.encode(torch.randn(1, 3, 64, 64)).layers
    for layer in layers:  # one-hot queries and keys, infinitely sharp: A = 1
        layer.query = torch.eye(layer.query.shape[2]).expand(1, 3, -1, -1)
        layer.key, layer.scale = layer.query, 1e4
    cam = torch.rand(1, 5, 4, 4)
    assert torch.allclose(cams.refine(cam, layers, torch.ones(1, 3, 3)), cam, atol=1e-5)


def test_cap_limits_a_map_to_its_mean_and_none_leaves_it():
    model = tiny_model()
    tokens = model.encode(torch.randn(1, 3, 64, 64))
    args = (tokens.layers, torch.ones(1, 3, 3), 5, tokens.grid)
    free, capped = cams.cross_attention(*args), cams.cross_attention(*args, cap=1.0)
    mean = free.mean(dim=(2, 3), keepdim=True)
    assert (free > 1.01 * mean).any()
    assert torch.allclose(capped, torch.minimum(free, mean))


def test_normalise_spans_zero_to_one_and_survives_flat_maps():
    maps = cams.normalise(torch.rand(3, 8, 9) * 7 - 2)
    assert torch.allclose(maps.amin((1, 2)), torch.zeros(3))
    assert torch.allclose(maps.amax((1, 2)), torch.ones(3))
    assert (cams.normalise(torch.full((1, 4, 4), 3.0)) == 0).all()


class LargestTensor(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self.numel = max(self.numel, out.numel())
        return out


def test_inference_never_holds_a_stack_of_attention_maps():
    model = tiny_model()
    images = torch.randn(1, 3, 320, 320)  # T = 405
    tokens, (layers, heads) = 405, (3, 3)
    with torch.no_grad(), LargestTensor() as seen:
        model(images)
    assert seen.numel < tokens * tokens * heads  # not even one layer's maps
    with torch.no_grad(), LargestTensor() as seen:
        model.attention_maps(images)
    assert seen.numel == tokens * tokens * layers * heads  # the meter does measure
