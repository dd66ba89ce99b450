"""Step 2 trains, resumes, measures; its schedule and augmentation are the published."""

import json

import numpy as np
import pytest
import torch
from parity_model import stored
from safetensors.torch import load_file

from weaktr_core.__main__ import main
from weaktr_core.config import SEG_PRESETS, SegConfig, preset, seg_preset
from weaktr_core.data import DataError, Scenes
from weaktr_core.data.files import read_mask
from weaktr_core.data.masked import MaskedTensors, SegTransform, capped_crop
from weaktr_core.errors import WeakTrError
from weaktr_core.labels.crf import CRF_PRESETS, crf_available
from weaktr_core.networks.cam import WeakTr
from weaktr_core.recipes import label_scenes, retrain_or_load, train_or_load
from weaktr_core.scores.masks import evaluate_segmenter
from weaktr_core.scores.metrics import ConfusionMatrix
from weaktr_core.train.runs import Run
from weaktr_core.train.seg import SegStage, build_segmenter, poly, train_seg

TRAIN, VAL = Scenes(24, 64, 0), Scenes(10, 64, 1)
CONFIG = seg_preset("smoke", precision="no")
GREY = ((0.5,) * 3, (0.5,) * 3)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return train_seg(CONFIG, TRAIN, VAL, tmp_path_factory.mktemp("seg") / "a")


def test_history(finished):
    last = finished.history[-1]
    assert set(last["losses"]) == {"total", "raw", "clipped_share"}
    assert last["losses"]["total"] < finished.history[1]["losses"]["total"]
    assert 0 <= last["miou"]["network"] <= 1 and finished.best.exists()


def test_resumed_equals_uninterrupted(finished, tmp_path, monkeypatch):
    losses, calls = SegStage.losses, []

    def interrupted(self, model, batch):
        calls.append(1)
        if len(calls) == 5:  # in the middle of the second epoch
            raise KeyboardInterrupt
        return losses(self, model, batch)

    monkeypatch.setattr(SegStage, "losses", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_seg(CONFIG, TRAIN, VAL, tmp_path / "b")
    monkeypatch.undo()
    run = train_seg(CONFIG, TRAIN, VAL, tmp_path / "b", resume=True)
    straight = load_file(finished.last / "model.safetensors")
    resumed = load_file(run.last / "model.safetensors")
    assert all(torch.equal(straight[key], resumed[key]) for key in straight)


def test_schedule_equals_the_official_one():
    config = SegConfig(lr=1e-4, min_lr=1e-5, epochs=50)
    ours = [1e-4 * poly(step, config) for step in range(1, 51)]  # after each step
    np.testing.assert_allclose(ours, stored("segmenter")["poly_lr"], rtol=1e-5)


def test_the_encoder_learns_at_a_tenth():
    stage = SegStage(CONFIG, TRAIN, VAL)
    decoder, encoder = stage.optimizer.param_groups
    assert encoder["lr"] == pytest.approx(0.1 * decoder["lr"])
    count = sum(p.numel() for g in stage.optimizer.param_groups for p in g["params"])
    assert count == sum(p.numel() for p in stage.model.parameters())


def test_presets_carry_the_published_schedule():
    paper = SEG_PRESETS["voc12"]
    assert (paper.lr, paper.min_lr, paper.power) == (1e-4, 1e-5, 0.9)
    assert (paper.img_size, paper.batch_size, paper.epochs) == (480, 4, 100)
    assert (paper.clip_start, paper.clip_window, paper.optimizer) == (1.2, 120, "sgd")
    for config in SEG_PRESETS.values():
        assert SegConfig.from_dict(config.as_dict()) == config


def test_photo_and_mask_move_together():
    red = np.zeros((50, 70, 3), dtype=np.uint8)
    mask = np.zeros((50, 70), dtype=np.uint8)
    red[10:40, 20:45, 0], mask[10:40, 20:45] = 255, 3
    transform = SegTransform(50, (0.5, 2.0), 48, 0.75, False, GREY)
    torch.manual_seed(0)
    seen = set()
    for _ in range(20):
        image, labels = transform(red, mask)
        assert image.shape == (3, 48, 48) and labels.shape == (48, 48)
        seen |= set(labels.unique().tolist())
        known = labels != 255
        agree = (image[0] > 0)[known] == (labels == 3)[known]
        assert agree.float().mean() > 0.93  # edges are blurred by resizing
        assert (image[:, ~known] == 0).all()
    assert seen == {0, 3, 255}


def test_crops_with_too_much_of_one_label_are_drawn_again():
    mask = torch.zeros(100, 100, dtype=torch.uint8)
    mask[:, 60:] = 1
    torch.manual_seed(0)
    shares = []
    for _ in range(40):
        _, cropped = capped_crop(torch.zeros(3, 100, 100), mask, 40, 0.75)
        shares.append(float(cropped.float().mean()))
    fair = [0.25 <= share <= 0.75 for share in shares]
    assert np.mean(fair) > 0.9


def test_evaluation_equals_counting_the_written_masks(tmp_path):
    model = build_segmenter(CONFIG, TRAIN.classes)
    scores = evaluate_segmenter(model, VAL, folder=tmp_path, batch_size=4)
    again = ConfusionMatrix(11)
    for sample in VAL:
        again.update(sample.mask, read_mask(tmp_path / f"{sample.name}.png"))
    assert np.array_equal(scores.matrix.counts, again.counts)
    assert scores.pixel_accuracy == pytest.approx(
        np.trace(again.counts) / again.counts.sum()
    )
    assert "background" in scores.as_text() and scores.as_json()["miou"] == again.miou


@pytest.mark.skipif(not crf_available(), reason="pydensecrf2 is not installed")
def test_options_change_the_prediction():
    model = build_segmenter(CONFIG, TRAIN.classes)
    plain = evaluate_segmenter(model, VAL)
    both = evaluate_segmenter(model, VAL, use_ensemble=True)
    refined = evaluate_segmenter(model, VAL, crf=CRF_PRESETS["voc-seg"])
    assert (plain.matrix.counts != both.matrix.counts).any()
    assert (plain.matrix.counts != refined.matrix.counts).any()


def test_empty_splits_and_missing_masks_are_one_line():
    transform = SegTransform(64, (1, 1), 64, 1.0, False, GREY)
    with pytest.raises(DataError, match="split is empty"):
        MaskedTensors(Scenes(0, 64, 0), transform)
    with pytest.raises(DataError, match="split is empty"):
        evaluate_segmenter(build_segmenter(CONFIG, TRAIN.classes), Scenes(0, 64, 0))


def test_scenes_are_labelled_and_retrained_once(tmp_path, monkeypatch):
    monkeypatch.setenv("WEAKTR_DATA", str(tmp_path))
    splits = {"train": (16, 0), "val": (6, 1)}
    monkeypatch.setattr("weaktr_core.data.opening.SCENE_SPLITS", splits)
    cams = train_or_load(preset("smoke", epochs=1))
    config = seg_preset("smoke", epochs=1)
    run = retrain_or_load(config, cams)
    labels = json.loads((cams.folder / "labels" / "labels.json").read_text())
    assert len(list(label_scenes(cams).glob("*.png"))) == 16 and 0 < labels["miou"] < 1
    assert retrain_or_load(config, cams).folder == run.folder  # found again
    bound = retrain_or_load(config, cams, labels="true")
    assert bound.folder != run.folder and bound.history[-1]["miou"]["network"] > 0


def test_an_encoder_that_step_1_trained_is_taken_over_and_left_alone(tmp_path):
    shape = {"embed_dim": 48, "depth": 3, "num_heads": 3}
    cam = WeakTr.from_timm(
        "vit_tiny_patch16_224", 10, img_size=64, vit_options=shape, adapters=2
    )
    for name, parameter in cam.backbone.vit.named_parameters():
        if name.endswith(".up"):
            torch.nn.init.normal_(parameter)
    frozen = CONFIG.changed(adapters=2, encoder_factor=0.0, epochs=1)
    run = train_seg(frozen, TRAIN, VAL, tmp_path / "a", start=cam)
    learned, theirs = run.load(), cam.backbone
    for ours, other in [
        (learned.vit.blocks, theirs.vit.blocks),
        (learned.vit.patch_embed, theirs.vit.patch_embed),
        (learned.norm, theirs.norm),
    ]:
        pairs = zip(ours.state_dict().items(), other.state_dict().items(), strict=True)
        assert all(a[0] == b[0] and torch.equal(a[1], b[1]) for a, b in pairs)
    with pytest.raises(WeakTrError, match="adapters of rank 0, came rank 2"):
        train_seg(CONFIG, TRAIN, VAL, tmp_path / "b", start=cam)


def test_the_command_starts_from_a_run_of_step_1(tmp_path, capsys):
    small = ["--data", "scenes:8", "--preset", "smoke", "--set", "epochs=1", "img_size=48"]
    cam, seg, other = (str(tmp_path / name) for name in ("cam", "seg", "other"))
    assert main(["train-cam", "--run", cam, *small]) == 0
    second = ["train-seg", "--labels", "true", *small, "short_side=48", "encoder_factor=0"]
    assert main([*second, "--run", seg, "--start", cam]) == 0
    theirs = load_file(Run(cam).best)
    ours = load_file(Run(seg).best)
    blocks = [name for name in ours if name.startswith("vit.blocks.")]
    assert blocks and all(torch.equal(ours[n], theirs[f"backbone.{n}"]) for n in blocks)
    assert json.loads((Run(seg).folder / "config.json").read_text())["start"] == cam
    assert main([*second, "--run", other, "--start", seg]) == 1
    assert "expected a run of train-cam" in capsys.readouterr().err
