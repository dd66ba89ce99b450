"""The loop: complete histories, exact resuming, nothing lost on interruption."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from weaktr_core.config import PRESETS, preset
from weaktr_core.data import Scenes
from weaktr_core.errors import WeakTrError
from weaktr_core.train.cam import CamStage, build_cam_network, build_optimizer, train_cam
from weaktr_core.train.runs import Run, RunError

TRAIN, VAL = Scenes(24, 64, 0), Scenes(10, 64, 1)
CONFIG = preset("smoke", precision="no")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return train_cam(CONFIG, TRAIN, VAL, tmp_path_factory.mktemp("run") / "a")


def test_history_has_everything_for_every_epoch(finished):
    history = finished.history
    assert [line["epoch"] for line in history] == [0, 1, 2]
    for line in history:
        assert np.shape(line["head_weights"]) == (3, 3)
        assert set(line["miou"]) == {"coarse_cam", "cross_attention", "cam", "fine_cam"}
        assert len(line["ap"]["coarse_logits"]) == 10
    assert set(history[1]["losses"]) == {"class_token", "coarse", "fine", "total"}
    assert history[2]["losses"]["total"] < history[1]["losses"]["total"]
    assert finished.head_weights().shape == (3, CONFIG.probe, 3, 3)
    assert finished.maps().shape == (3, CONFIG.probe, 4, 10, 4, 4)
    assert finished.best.exists()


def test_resumed_equals_uninterrupted(finished, tmp_path, monkeypatch):
    losses = CamStage.losses
    calls = []

    def interrupted(self, model, batch):
        calls.append(1)
        if len(calls) == 5:  # in the middle of the second epoch
            raise KeyboardInterrupt
        return losses(self, model, batch)

    monkeypatch.setattr(CamStage, "losses", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_cam(CONFIG, TRAIN, VAL, tmp_path / "b")
    monkeypatch.undo()
    assert Run(tmp_path / "b").progress().epochs == 1
    run = train_cam(CONFIG, TRAIN, VAL, tmp_path / "b", resume=True)
    straight = load_file(finished.last / "model.safetensors")
    resumed = load_file(run.last / "model.safetensors")
    assert all(torch.equal(straight[key], resumed[key]) for key in straight)
    for a, b in zip(finished.history, run.history, strict=True):
        assert a["losses"] == b["losses"] and a["miou"] == b["miou"]


def test_a_complete_run_is_returned_at_once(finished, monkeypatch):
    monkeypatch.setattr("weaktr_core.train.cam.CamStage", None)  # would fail if built
    again = train_cam(CONFIG, TRAIN, VAL, finished.folder, resume=True)
    assert again.history == finished.history


def test_a_run_is_not_overwritten_nor_continued_with_other_settings(finished):
    with pytest.raises(RunError, match="--resume"):
        train_cam(CONFIG, TRAIN, VAL, finished.folder)
    with pytest.raises(RunError, match="seed changed"):
        train_cam(CONFIG.changed(seed=5), TRAIN, VAL, finished.folder, resume=True)


def test_a_crash_while_saving_leaves_the_epoch_before(finished, tmp_path):
    folder = tmp_path / "c"
    shutil.copytree(finished.folder, folder)
    (folder / "last").rename(folder / "last.part")  # died between the two renames
    assert Run(folder).progress().epochs == 2 and (folder / "last").exists()


def test_missing_and_broken_runs_are_one_line(tmp_path):
    with pytest.raises(RunError, match="no run here"):
        _ = Run(tmp_path).config
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(WeakTrError, match="expected a JSON file"):
        _ = Run(tmp_path).config


def test_a_loss_that_is_not_a_number_stops_with_advice(tmp_path, monkeypatch):
    lost = {"total": torch.tensor(float("nan"), requires_grad=True)}
    monkeypatch.setattr(CamStage, "losses", lambda *given: lost)
    with pytest.raises(FloatingPointError, match="smaller learning rate"):
        train_cam(CONFIG, TRAIN, VAL, tmp_path / "d")


def test_frozen_layers_do_not_move():
    config = CONFIG.changed(frozen_layers=2)
    stage = CamStage(config, TRAIN, VAL)
    vit = stage.model.backbone.vit
    assert not any(p.requires_grad for p in vit.blocks[:2].parameters())
    assert all(p.requires_grad for p in vit.blocks[2].parameters())
    assert vit.cls_token.requires_grad


@pytest.mark.parametrize("decay_all", [False, True])
def test_weight_decay_spares_vectors_unless_official(decay_all):
    model = build_cam_network(CONFIG, TRAIN.classes)
    optimizer = build_optimizer(model, CONFIG.changed(decay_all=decay_all))
    spared = [g for g in optimizer.param_groups if g["weight_decay"] == 0]
    assert bool(spared) is not decay_all
    count = sum(p.numel() for g in optimizer.param_groups for p in g["params"])
    assert count == sum(p.numel() for p in model.parameters())


def test_presets_survive_json_and_refuse_unknown_names():
    for config in PRESETS.values():
        assert type(config).from_dict(json.loads(json.dumps(config.as_dict()))) == config
    with pytest.raises(ValueError, match=r"no setting named epoch; there are: .*epochs"):
        preset("smoke", epoch=3)
    with pytest.raises(ValueError, match="there are: smoke, laptop"):
        preset("phone")
