"""Runs that are watched, made small, and fitted to their photos."""

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file

from weaktr_core.__main__ import main
from weaktr_core.networks import checkpoints, network
from weaktr_core.train.runs import Run
from weaktr_core.train.tracked import flat

FEW = ["--data", "scenes:8", "--preset", "smoke"]
SETTINGS = ["--set", "img_size=32", "precision=no", "pretrained=True"]


@pytest.fixture
def backbone(monkeypatch):
    """A "pretrained" backbone that is the same whenever it is asked for."""

    def load_vit(name, img_size, *, pretrained=True, **options):
        options = {**options, "num_classes": 0, "dynamic_img_size": True}
        with torch.random.fork_rng():
            torch.manual_seed(5)
            return timm.create_model(name, img_size=img_size, **options)

    for room in (checkpoints, network):
        monkeypatch.setattr(room, "load_vit", load_vit)


def test_a_run_with_adapters_keeps_what_was_trained(backbone, tmp_path):
    run, whole = tmp_path / "run", tmp_path / "whole"
    adapters = [*SETTINGS, "epochs=1", "model={'adapters': 2}"]
    assert main(["train-cam", *FEW, *adapters, "--run", str(run)]) == 0
    kept = load_file(run / "best.safetensors")
    assert not any("norm1" in name or "patch_embed" in name for name in kept)
    assert {it.dtype for it in kept.values()} == {torch.float16}
    assert not (run / "previous").exists()
    assert Run(run).load().notes["classes"]  # it is a whole network again
    longer = [*FEW, *SETTINGS, "epochs=2", adapters[-1]]
    assert main(["train-cam", *longer, "--run", str(run), "--resume"]) == 0
    assert [line["epoch"] for line in Run(run).history] == [0, 1, 2]
    assert main(["train-cam", *longer, "--run", str(whole)]) == 0
    ends = [load_file(it / "best.safetensors") for it in (run, whole)]
    for name, value in ends[0].items():  # half precision was between
        torch.testing.assert_close(value, ends[1][name], atol=2e-2, rtol=5e-2)


def test_without_adapters_everything_stays(tmp_path):
    run = tmp_path / "run"
    assert (
        main(["train-cam", *FEW, "--set", "img_size=32", "epochs=1", "--run", str(run)])
        == 0
    )
    assert any("norm1" in name for name in load_file(run / "best.safetensors"))


def test_a_tracker_hears_every_epoch(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = tmp_path / "run"
    settings = ["--set", "img_size=32", "epochs=2", "precision=no"]
    command = ["train-cam", *FEW, *settings, "--run", str(run), "--track", "tensorboard"]
    assert main(command) == 0
    read = events.EventAccumulator(str(run / "tensorboard"))
    read.Reload()
    told = [(it.step, it.value) for it in read.Scalars("losses/total")]
    lines = [line for line in Run(run).history if line["losses"]]
    assert [step for step, _ in told] == [1, 2]
    expected = [line["losses"]["total"] for line in lines]
    np.testing.assert_allclose([value for _, value in told], expected, rtol=1e-5)


def test_a_tracker_that_is_not_installed_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("weaktr_core.train.tracked.get_available_trackers", lambda: [])
    command = ["train-cam", *FEW, "--run", str(tmp_path / "run"), "--track", "wandb"]
    assert main(command) == 1
    assert "--track wandb: pip install wandb" in capsys.readouterr().err


def test_a_line_becomes_single_numbers():
    line = dict(seconds=1, losses={"total": 2.0}, mean_ap={"a": None, "b": 0.5}, ap={})
    assert flat(line) == {"seconds": 1.0, "losses/total": 2.0, "mean_ap/b": 0.5}


def test_settings_follow_the_photos_and_say_why(tmp_path, caplog):
    caplog.set_level("INFO")
    rows = ["photo,tags,split"]
    for number in range(8):
        photo = np.random.default_rng(number).integers(0, 255, (70, 80, 3), np.uint8)
        Image.fromarray(photo).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{'ab'[number % 2]},{'val' if number > 5 else 'train'}")
    (tmp_path / "tags.csv").write_text("\n".join(rows))
    run = tmp_path / "run"
    tiny = ["backbone=vit_tiny_patch16_224", "pretrained=False", "epochs=1", "precision=no"]
    tiny += ["vit_options={'embed_dim':48,'depth':2,'num_heads':3}"]
    tiny += ["model={'adapters':2}", "patch_weight=0"]
    command = ["train-cam", "--data", str(tmp_path), "--run", str(run), "--set", *tiny]
    assert main(command) == 0
    config = Run(run).config
    assert (config["batch_size"], config["img_size"], config["eval_size"]) == (3, 70, 70)
    assert "setting: batch_size=3, a photo of 70 pixels takes 0.02 GiB" in caplog.text
    assert main([*command, "--resume"]) == 0  # complete: the same settings again
    assert config["epochs"] == 1  # what was asked for stays
