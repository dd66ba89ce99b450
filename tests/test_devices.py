"""Number formats, and trainings that move between devices; GPU parts need one."""

import math

import pytest
import torch
from accelerate.state import AcceleratorState, PartialState

from weaktr_core.config import preset
from weaktr_core.data import Scenes
from weaktr_core.train import loop, runs
from weaktr_core.train.cam import train_cam

needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no CUDA GPU in this machine"
)
TRAIN, VAL = Scenes(8, 32, 0), Scenes(3, 32, 1)


def train(folder, monkeypatch, device, epochs, precision):
    """A small training on a device, continued where one is."""
    for module in (loop, runs):
        monkeypatch.setattr(module, "default_device", lambda: torch.device(device))
    AcceleratorState._reset_state()
    PartialState._reset_state()
    config = preset("smoke", precision=precision, batch_size=4, img_size=32, epochs=epochs)
    return train_cam(config, TRAIN, VAL, folder, resume=True)


@pytest.mark.parametrize(
    ("device", "precision"),
    [
        ("cpu", "no"),
        ("cpu", "bf16"),
        pytest.param("cuda", "no", marks=needs_gpu),
        pytest.param("cuda", "bf16", marks=needs_gpu),
        pytest.param("cuda", "fp16", marks=needs_gpu),
    ],
)
def test_every_number_format_trains_and_goes_on(device, precision, tmp_path, monkeypatch):
    train(tmp_path / "run", monkeypatch, device, 1, precision)
    run = train(tmp_path / "run", monkeypatch, device, 2, precision)
    assert [line["epoch"] for line in run.history] == [0, 1, 2]
    for line in run.history[1:]:
        assert math.isfinite(line["losses"]["total"])
    assert (run.progress().scaler is not None) == (precision == "fp16")


@needs_gpu
@pytest.mark.parametrize("devices", [("cuda", "cpu"), ("cpu", "cuda")])
def test_a_training_goes_on_on_another_device(devices, tmp_path, monkeypatch, note):
    first, second = devices
    for name in ("moved", "stayed"):
        train(tmp_path / name, monkeypatch, first, 1, "no")
    moved = train(tmp_path / "moved", monkeypatch, second, 2, "no")
    stayed = train(tmp_path / "stayed", monkeypatch, first, 2, "no")
    found, expected = (run.history[-1]["losses"]["total"] for run in (moved, stayed))
    assert abs(found - expected) < 0.01
    note(f"{first} to {second}: the last loss differs by {abs(found - expected):.1e}")
