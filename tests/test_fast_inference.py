"""What makes inference fast changes scores by no more than rounding, and nothing for good."""

import pytest
import torch
import torch.nn.functional as F

from weaktr_core.labels.views import make_views
from weaktr_core.labels.windows import predict
from weaktr_core.networks.adapters import LowRank
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.inference import attention_by_heads, fast_inference
from weaktr_core.networks.segmenter import Segmenter

FLOAT32, BFLOAT16 = 1e-5, 0.03
"""How far maps may be apart, of their largest value."""


@pytest.fixture(autouse=True)
def _any_processor(monkeypatch):
    """Have "auto" mean bfloat16 on processors without it, too: slower there, and right."""
    answer = {"auto": "bf16", "no": "no"}
    monkeypatch.setattr("weaktr_core.networks.inference.mixed_precision", answer.get)


def network(kind):
    """A small network with adapters that have learned something."""
    torch.manual_seed(0)
    options = {"decoder": {"class_std": 1.0}} if kind is Segmenter else {}
    name = "vit_tiny_patch16_224"
    model = kind.from_timm(name, 3, img_size=64, adapters=4, **options).eval()
    for name, parameter in model.named_parameters():
        if name.endswith(".up") or name == "token_head.weight":
            torch.nn.init.normal_(parameter, std=0.05)
    return model


def apart(found, expected):
    return ((found - expected).abs().max() / expected.abs().max()).item()


@pytest.mark.parametrize(("precision", "most"), [("no", FLOAT32), ("auto", BFLOAT16)])
def test_maps_stay_what_they_are(precision, most):
    model, images = network(WeakTr), torch.randn(2, 3, 64, 80)
    with torch.no_grad():
        slow = model(images)
        with fast_inference(model, precision):
            fast = model(images)
    for name, expected in vars(slow).items():
        found = getattr(fast, name)
        assert found.dtype == torch.float32, name
        assert apart(found, expected) < most, name


@pytest.mark.parametrize(("precision", "most"), [("no", FLOAT32), ("auto", BFLOAT16)])
def test_probabilities_stay_what_they_are(precision, most):
    model, images = network(Segmenter), torch.randn(1, 3, 64, 80)
    options = dict(size=(50, 60), views=make_views([1.0, 1.5]), window=48, stride=32)
    slow = predict(model, images, **options)
    with fast_inference(model, precision):
        fast = predict(model, images, **options)
    assert fast.dtype == torch.float32
    assert apart(fast, slow) < most


def test_bfloat16_is_really_used():
    model, images = network(WeakTr), torch.randn(1, 3, 64, 64)
    with torch.no_grad(), fast_inference(model):
        assert model.encode(images).layers[-1].query.dtype == torch.bfloat16


def test_nothing_is_left_behind():
    model, images = network(WeakTr), torch.randn(1, 3, 64, 64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        slow = model(images).fine_cam
        with pytest.raises(KeyboardInterrupt), fast_inference(model):
            raise KeyboardInterrupt
        assert torch.equal(model(images).fine_cam, slow)
    assert all(
        torch.equal(value, before[name]) for name, value in model.state_dict().items()
    )
    model(images).class_logits.sum().backward()
    assert any(it.up.grad is not None for it in model.modules() if isinstance(it, LowRank))


@pytest.mark.parametrize("scale", [None, 0.3])
def test_attention_by_heads_is_attention(scale):
    query, key, value = torch.randn(3, 2, 4, 7, 16)
    query = query[:, :, :5]
    expected = F.scaled_dot_product_attention(query, key, value, scale=scale)
    found = attention_by_heads(query, key, value, scale=scale)
    assert torch.allclose(found, expected, atol=1e-6)
    mask = torch.rand(5, 7) > 0.3
    expected = F.scaled_dot_product_attention(query, key, value, mask, scale=scale)
    found = attention_by_heads(query, key, value, mask, scale=scale)
    assert torch.allclose(found, expected, atol=1e-6)


def test_nothing_is_trained_meanwhile():
    model, images = network(WeakTr), torch.randn(1, 3, 64, 64)
    with fast_inference(model, "no"):
        assert not model(images).fine_logits.requires_grad
    assert model(images).fine_logits.requires_grad
