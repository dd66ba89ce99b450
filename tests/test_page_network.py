"""The network in the page says what PyTorch says with the same rounded weights."""

import gzip
import math

import numpy as np
import pytest
import torch
from naive import tiny_model
from page_network import in_node, in_torch, needs_node
from safetensors.torch import load

from weaktr_core.data.photos import photo
from weaktr_core.data.transforms import resize_short_side
from weaktr_core.networks.cam import WeakTr
from weaktr_core.page import compiling
from weaktr_core.page.packing import PackingError, write_network
from weaktr_core.page.rounding import LEVELS, from_steps, matrices, rounded, to_steps
from weaktr_core.runtime import data_root

DINOV2_S = data_root() / "cache" / "weights" / "dinov2_small_patch14.safetensors"
CHOICES = {
    "as it is": {},
    "no norm, no cap": dict(final_norm=False, cap=math.inf),
    "means": dict(pool="mean", readout="mean"),
    "equal heads": dict(fusion="uniform", readout="shared"),
    "as for photographs": dict(adapters=2, background=True, refine="features"),
}


def differences(model, picture, said):
    """Name → largest difference from PyTorch, in the largest value where that is above 1."""
    expected = in_torch(model, picture)
    assert set(expected) == set(said)
    assert all(np.ptp(expected[name]) > 0 for name in expected if name != "head_weights")
    size = {name: max(1, np.abs(values).max()) for name, values in expected.items()}
    return {n: np.abs(said[n] - expected[n]).max() / size[n] for n in expected}


@needs_node
@pytest.mark.parametrize("choice", CHOICES)
def test_small_networks_agree(choice, tmp_path):
    torch.manual_seed(0)
    model = tiny_model(**CHOICES[choice])
    model.statistics = ((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
    side = model.backbone.patch_size[0]
    random = np.random.default_rng(1)
    pictures = [
        random.integers(0, 256, (h * side, w * side, 3), dtype=np.uint8)
        for h, w in ((4, 4), (3, 6))
    ]
    for picture, said in zip(pictures, in_node(model, pictures, tmp_path), strict=True):
        worst = differences(model, picture, said)
        assert max(worst.values()) < 3e-5, worst


@needs_node
@pytest.mark.skipif(not DINOV2_S.exists(), reason="DINOv2-S is not in the cache")
def test_the_network_for_photographs_agrees_at_three_sizes(tmp_path, note):
    model = WeakTr.pretrained("voc")
    cat = photo("cat")
    pictures = [resize_short_side(cat[:300, :300], side) for side in (168, 224)]
    pictures.append(resize_short_side(cat, 182)[:, :266])
    for picture, said in zip(pictures, in_node(model, pictures, tmp_path), strict=True):
        worst = differences(model, picture, said)
        assert max(worst.values()) < 3e-5, worst
        height, width = picture.shape[:2]
        note(f"page against PyTorch, {height} x {width}: {max(worst.values()):.1e}")


def test_rounding_is_half_a_step_at_most():
    weight = torch.randn(5, 3, 7)
    weight[2] = 0
    steps, scale = to_steps(weight)
    off = (from_steps(steps, scale) - weight).abs().flatten(1)
    assert (off <= scale[:, None] * 0.5001).all() and off.max() > 0
    assert steps.abs().flatten(1).amax(dim=1).tolist() == [
        LEVELS,
        LEVELS,
        0,
        LEVELS,
        LEVELS,
    ]


def test_a_file_holds_everything_once(tmp_path):
    model = tiny_model()
    model.statistics = ((0.5,) * 3, (0.5,) * 3)
    packed = write_network(model, tmp_path)
    again = write_network(rounded(model), tmp_path)
    assert again.parts == packed.parts, "rounding what is rounded changes nothing"
    data = b"".join((tmp_path / f"{name}.bin").read_bytes() for name in packed.parts)
    assert len(data) == packed.bytes
    stored = load(gzip.decompress(data))
    values = sum(v.numel() for n, v in stored.items() if not n.endswith("scale"))
    assert values == sum(p.numel() for p in model.parameters())
    kinds = {n: v.dtype for n, v in stored.items()}
    assert sum(kind == torch.int8 for kind in kinds.values()) == len(matrices(model))


def test_what_the_page_cannot_run_is_named(tmp_path):
    model = tiny_model(official=True)
    with pytest.raises(PackingError, match="not a network with official=True"):
        write_network(model, tmp_path)
    model = tiny_model(fusion="adaptive-v2")
    model.statistics = ((0.5,) * 3, (0.5,) * 3)
    with pytest.raises(PackingError, match="fusion 'adaptive-v2'"):
        write_network(model, tmp_path)


def test_the_kernel_is_what_its_source_gives(tmp_path):
    pytest.importorskip("ziglang", reason="the compiler is not installed")
    compiling.compile_kernel(tmp_path / "kernel.wasm")
    assert (tmp_path / "kernel.wasm").read_bytes() == compiling.KERNEL.read_bytes()
