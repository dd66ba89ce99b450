"""Weights survive the disk; broken files are one clear line."""

import pytest
import torch
from safetensors.torch import save_file

from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.checkpoints import (
    CheckpointError,
    load_checkpoint,
    save_checkpoint,
)

VIT = {"embed_dim": 48, "depth": 2, "num_heads": 3}


@pytest.fixture
def model():
    return WeakTr.from_timm(
        "vit_tiny_patch16_224", 4, img_size=64, vit_options=VIT, pool="mean", cap=2.0
    ).eval()


def test_round_trip(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model, classes=["a", "b", "c", "d"])
    again = load_checkpoint(path)
    images = torch.randn(1, 3, 64, 80)
    assert torch.equal(again(images).fine_cam, model(images).fine_cam)
    assert again.options == model.options
    assert again.notes["classes"] == ["a", "b", "c", "d"]


def test_broken_files(model, tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "none.safetensors")
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: expected safetensors"):
        load_checkpoint(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="not written by weaktr_core"):
        load_checkpoint(path)


def test_a_model_of_unknown_origin_is_refused(model, tmp_path):
    model.source = None
    with pytest.raises(CheckpointError, match="from_timm"):
        save_checkpoint(tmp_path / "x.safetensors", model)
