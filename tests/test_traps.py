"""The traps of the official code, one test each, in the order of chapter 13.

R: what "official" mode reproduces, since released weights need it.
F: what is fixed here, whatever the mode.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import weaktr_core
from weaktr_core.config import PRESETS, preset
from weaktr_core.data.coco import CLASSES, class_of_category
from weaktr_core.labels.views import make_views
from weaktr_core.method.fusion import AdaptiveFusion, reduced
from weaktr_core.method.grid import official_position_table
from weaktr_core.method.losses import gradient_clipping_loss
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.checkpoints import load_checkpoint, save_checkpoint
from weaktr_core.networks.segmenter import Segmenter
from weaktr_core.scores.metrics import (
    ScoredImage,
    average_precision,
    per_image_average_precision,
    threshold_sweep,
)
from weaktr_core.train.cam import build_cam_network, build_optimizer, official_cosine

TINY = {"embed_dim": 48, "depth": 2, "num_heads": 3}
PHOTO = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def cam_network(**options):
    torch.manual_seed(0)
    name = "vit_tiny_patch16_224"
    return WeakTr.from_timm(name, 4, img_size=64, vit_options=TINY, **options).eval()


def test_1_r_channels_are_dealt_to_heads_like_cards():
    channels = torch.arange(24.0).view(1, 1, 24)  # one token, D = 24, H = 3
    official = AdaptiveFusion(4, 3, 8, official=True).split(channels)
    ours = AdaptiveFusion(4, 3, 8).split(channels)
    assert official[0, 1, 0].tolist() == [1, 4, 7, 10, 13, 16, 19, 22]
    assert ours[0, 1, 0].tolist() == [8, 9, 10, 11, 12, 13, 14, 15]


def test_2_r_positions_are_sampled_a_hair_off():
    ramp = torch.arange(16.0).view(1, 16, 1)  # a 4 x 4 table that rises evenly
    assert torch.equal(official_position_table(ramp, (4, 4)), ramp)  # not when square
    stretched = official_position_table(ramp, (4, 8)).view(4, 8)
    exact = torch.nn.functional.interpolate(
        ramp.view(1, 1, 4, 4), size=(4, 8), mode="bicubic"
    )[0, 0]
    difference = (stretched - exact).abs().max()
    assert 0.01 < difference < 0.5  # of 15, the range of the ramp


def test_3_r_bottlenecks_are_truncated():
    assert reduced(72, 7, official=True) == 10 and reduced(72, 6.7, official=False) == 11
    assert reduced(72, 6.7, official=True) == 10


@pytest.mark.parametrize("official", [True, False])
def test_4_r_the_final_norm_is_never_called(official):
    model = cam_network(official=official)
    norm = model.backbone.norm
    assert isinstance(norm, torch.nn.Identity) is official


@pytest.mark.parametrize("name, spared", [("voc12", False), ("laptop", True)])
def test_5_r_biases_and_norms_decay_too(name, spared):
    decay_all = PRESETS[name].decay_all
    config = preset("smoke", decay_all=decay_all)
    optimizer = build_optimizer(build_cam_network(config, ("a", "b")), config)
    assert any(g["weight_decay"] == 0 for g in optimizer.param_groups) is spared


def test_6_r_the_schedule_runs_one_epoch_late():
    config = PRESETS["voc12"]
    assert config.schedule == "official-cosine"
    rates = [config.backbone_lr * official_cosine(epoch, config) for epoch in range(3)]
    assert rates[:2] == pytest.approx([1e-6, 1e-6])  # one warm-up epoch too many
    assert rates[2] > 1e-5


def test_7_f_a_checkpoint_says_how_its_heads_were_weighed(tmp_path):
    model = cam_network(fusion="adaptive-v2", pool="mean")
    save_checkpoint(tmp_path / "m.safetensors", model)
    again = load_checkpoint(tmp_path / "m.safetensors")
    assert (again.options["fusion"], again.options["pool"]) == ("adaptive-v2", "mean")


def test_8_f_map_is_averaged_over_classes_not_within_images():
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.95]])
    tags = np.array([[1, 0], [0, 1], [0, 1]])
    per_class = average_precision(scores, tags)
    assert per_class.mean() == pytest.approx(1.0)  # each class ranks its images well
    assert per_image_average_precision(scores, tags) < 0.9  # the other number


def test_9_f_a_sweep_that_stops_at_the_first_fall_misses_the_best():
    scores = np.array([[[0.42, 0.44, 0.44, 0.61, 0.61, 0.61, 0.9]]])
    mask = np.array([[0, 1, 1, 0, 0, 0, 1]], dtype=np.uint8)
    sweep = threshold_sweep([ScoredImage(scores, np.array([0]), mask)], num_classes=1)
    step = 40
    while sweep.miou[step + 1] >= sweep.miou[step]:
        step += 1
    assert sweep.miou[step] < sweep.best_miou and sweep.thresholds[sweep.best] > 0.6


def test_10_f_a_view_carries_its_own_flip():
    views = make_views([1.0, 0.8, 1.2])  # an odd number of sizes
    assert [v.mirrored for v in views] == [False, True] * 3
    assert [v.scale for v in views] == [1.0, 1.0, 0.8, 0.8, 1.2, 1.2]


TWO_PROCESSES = """
import sys
from weaktr_core.config import preset
from weaktr_core.data import Scenes
from weaktr_core.train import loop
from weaktr_core.train.cam import train_cam
class Telling(loop.Trainer):
    def train(self):
        super().train()
        total = sum(p.double().sum() for p in self.keeper.bare.parameters()).view(1)
        totals = self.accelerator.gather(total).tolist()
        if self.accelerator.is_main_process:
            print("RANKS", self.accelerator.num_processes, totals)
            print("EPOCHS", [line["epoch"] for line in self.keeper.run.history])
loop.Trainer = Telling
train_cam(preset("smoke"), Scenes(16, 64, 0), Scenes(4, 64, 1), sys.argv[1])
"""


def test_11_f_several_processes_stay_one_model(tmp_path):
    script = tmp_path / "two.py"
    script.write_text(TWO_PROCESSES)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone",
               "--nproc_per_node=2", str(script), str(tmp_path / "run")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    found = re.search(r"RANKS 2 \[(\S+), (\S+)\]", done.stdout)
    assert found and found[1] == found[2], done.stdout + done.stderr[-2000:]
    assert "EPOCHS [0, 1, 2]" in done.stdout, done.stderr[-2000:]


def test_12_f_random_weights_can_be_constructed():
    weights = cam_network(fusion="random:3")(PHOTO).head_weights
    assert weights.shape == (1, 2, 3) and 0 < weights.std() < 1


def test_13_f_resuming_is_tested_in_training():
    text = Path(__file__).with_name("test_training.py").read_text("utf8")
    assert "def test_resumed_equals_uninterrupted" in text


def test_14_f_two_crops_are_not_two_decoders():
    torch.manual_seed(0)
    options = {"vit_options": TINY, "decoder": {"num_heads": 3}}
    model = Segmenter.from_timm("vit_tiny_patch16_224", 4, img_size=64, **options).eval()
    with torch.no_grad():
        two = model(PHOTO.repeat(2, 1, 1, 1))
        blocks = model.block_logits(PHOTO)
    assert two.shape[0] == 2 and isinstance(blocks, list) and len(blocks) == 2
    assert torch.allclose(two[0], two[1], atol=1e-3)


def test_15_f_any_crop_can_be_clipped():
    logits, target = torch.randn(1, 3, 50, 61), torch.randint(0, 3, (1, 50, 61))
    clipped, _ = gradient_clipping_loss(logits, target, start=9, window=24)
    assert clipped.shape == (1, 50, 61)


def test_16_f_the_ensemble_is_asked_for():
    from weaktr_core.__main__ import build_parser

    parser = build_parser()
    assert not parser.parse_args(["evaluate", "run"]).ensemble
    assert parser.parse_args(["evaluate", "run", "--ensemble"]).ensemble


def test_17_f_coco_ids_are_mapped_by_name():
    here = Path("instances.json")
    ids = [i for i in range(1, 91) if i not in {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}]
    entries = [{"id": i, "name": n} for i, n in zip(ids, CLASSES, strict=True)]
    label_of = class_of_category(entries, here)
    assert label_of[90] == 79  # by position it would be the 90th of 80 classes
    assert label_of == class_of_category(entries[::-1], here)


def test_18_f_photos_of_any_size_go_through():
    for size in ((50, 91), (130, 33)):
        out = cam_network()(torch.randn(1, 3, *size))
        assert out.fine_cam.shape[-2:] == (-(-size[0] // 16), -(-size[1] // 16))


def test_19_f_no_gpu_calls_and_no_extensions_are_needed():
    banned = re.compile(r"\.cuda\(\)|^\s*(import|from) (apex|xformers|mmcv)", re.MULTILINE)
    for path in Path(weaktr_core.__file__).parent.rglob("*.py"):
        assert not banned.search(path.read_text("utf8")), path


CHAPTER = Path(__file__).parents[1] / "book" / "13_full_scale.ipynb"


def test_chapter_13_lists_the_traps_that_are_tested():
    cells = ["".join(c["source"]) for c in json.loads(CHAPTER.read_text("utf8"))["cells"]]
    listed = re.findall(r"^\| (\d+) \| ([RF]) \|", "\n".join(cells), re.MULTILINE)
    own = Path(__file__).read_text("utf8")
    tested = re.findall(r"^def test_(\d+)_([rf])_", own, re.MULTILINE)
    assert listed == [(number, kind.upper()) for number, kind in tested]
    assert [int(number) for number, _ in listed] == list(range(1, 20))


def test_chapter_13_quotes_its_tests_as_they_are():
    cells = ["".join(c["source"]) for c in json.loads(CHAPTER.read_text("utf8"))["cells"]]
    quoted = [c.split("\n\n\n")[0] for c in cells if c.startswith("def test_")]
    own = Path(__file__).read_text("utf8")
    assert len(quoted) == 1 and all(text in own for text in quoted)
