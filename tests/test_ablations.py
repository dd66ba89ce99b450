"""The ablations read the same maps as the package, and train what a fusion hears."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from naive import tiny_model

from weaktr_core import data
from weaktr_core.labels.recipe import label_free_threshold
from weaktr_core.networks.cam import WeakTr
from weaktr_core.scores.metrics import THRESHOLDS, ScoredImage, SweepCounter

EXPERIMENTS = Path(__file__).parents[1] / "book" / "experiments"
CLASSES = 10


@pytest.fixture(scope="module")
def scripts():
    sys.path.insert(0, str(EXPERIMENTS))
    import ablations
    import baselines
    import fusions

    yield ablations, baselines, fusions
    sys.path.remove(str(EXPERIMENTS))


@pytest.fixture(scope="module")
def model() -> WeakTr:
    return tiny_model(classes=CLASSES).requires_grad_(False)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(2, 3, 64, 64)


def test_the_stack_gives_the_maps_of_the_package(scripts, model, images):
    out = model(images)
    seen = scripts[0].Seen(model, model.encode(images))
    assert torch.allclose(seen.fine(seen.own), out.fine_cam, atol=1e-5)
    assert torch.allclose(seen.cross(seen.fused(seen.own)), out.cross_attention, atol=1e-5)
    only = torch.zeros(seen.stack.shape[1:3])
    only[1, 2] = only.numel()
    assert torch.allclose(seen.alone(1, 2), seen.fine(only), atol=1e-5)


def test_a_digest_is_enough_for_the_fine_logits_of_any_fusion(scripts, model):
    anew = scripts[2]
    scenes = data.open_dataset("scenes", "train", size=64, count=4)
    fusions = {
        name: anew.build_fusion(values["kind"], *model.backbone.shape)
        for name, values in anew.FUSIONS.items()
    }
    digest = anew.digest(model, fusions, scenes)
    images = model.prepare([scene.image for scene in scenes])
    tokens = model.encode(images)
    logits = digest.fine_logits(digest.own, torch.arange(4))
    expected = model(images).fine_logits
    # rows are stored as float16
    assert torch.allclose(logits, expected, rtol=2e-3, atol=1e-5)
    for name, fusion in fusions.items():
        weights = fusion.weigh(digest.features[name])
        assert torch.allclose(weights, fusion(tokens.layers), atol=1e-4), name


def test_training_a_fusion_lowers_the_fine_loss(scripts, model):
    anew = scripts[2]
    scenes = data.open_dataset("scenes", "train", size=64, count=16)
    config = anew.CamConfig(epochs=20, batch_size=8, fusion_lr=0.01)
    torch.manual_seed(0)
    fusions = {"one": anew.build_fusion("adaptive", *model.backbone.shape)}
    seen = anew.digest(model, fusions, scenes)

    def loss():
        weights = fusions["one"].weigh(seen.features["one"])
        return anew.tag_loss(seen.fine_logits(weights, torch.arange(16)), seen.tags)

    before = loss().item()
    anew.train_fusion(fusions["one"], seen, seen.features["one"], config, 20)
    assert loss().item() < before


def test_a_sweep_tells_the_threshold_that_no_mask_chose(scripts):
    rng = np.random.default_rng(0)
    heaps = np.concatenate([rng.normal(0.2, 0.05, 3000), rng.normal(0.7, 0.1, 1096)])
    score = np.clip(heaps, 0, 1).reshape(1, 64, 64)
    counter = SweepCounter(THRESHOLDS, 3)
    mask = (score[0] > 0.45).astype(np.uint8)
    counter.update(ScoredImage(score, np.array([0]), mask))
    kept = scripts[0].scores(counter.sweep)
    assert abs(kept["label_free_threshold"] - label_free_threshold([score])) < 0.03
    assert kept["miou"] == 1.0 and kept["label_free_miou"] > 0.97
    flat = SweepCounter(THRESHOLDS, 3)
    flat.update(ScoredImage(np.ones_like(score), np.array([0]), mask))
    kept = scripts[0].scores(flat.sweep)
    assert kept["label_free_threshold"] == 0.0  # one heap: nothing to split


def test_rollout_is_a_chain_of_walks_with_rests(scripts, model, images):
    layers = model.encode(images).layers
    maps = scripts[1].rollout(layers, CLASSES, (4, 4))
    slow = np.eye(CLASSES + 16)
    for layer in layers:
        slow = (0.5 * np.eye(len(slow)) + 0.5 * layer.rows()[0].mean(0).numpy()) @ slow
    assert np.allclose(maps[0].flatten(1).numpy(), slow[:CLASSES, CLASSES:], atol=1e-5)


def test_coupling_uses_one_attention_map_for_all_classes(scripts, model, images):
    coarse = torch.rand(2, CLASSES, 4, 4)
    maps = scripts[1].coupled(model.encode(images).layers, coarse)
    ratio = maps / coarse
    assert torch.allclose(ratio, ratio[:, :1].expand_as(ratio), rtol=1e-3)


def test_grad_cam_equals_the_textbook_one_image_and_class_at_a_time(scripts, model, images):
    tags = torch.zeros(2, CLASSES)
    tags[0, [1, 4]], tags[1, 7] = 1, 1
    with torch.no_grad():  # as the ablations call it
        maps, tokens = scripts[1].grad_cam(model, images, tags)
    assert (maps[tags == 0] == 0).all() and tokens.grid == (4, 4)
    block = model.backbone.vit.blocks[-1].norm1
    for b, k in ((0, 1), (0, 4), (1, 7)):
        kept = []
        hook = block.register_forward_hook(
            lambda m, a, out, kept=kept: kept.append(out.requires_grad_()) or out
        )
        model(images[b : b + 1]).coarse_logits[0, k].backward(inputs=kept)
        hook.remove()
        tokens_in, slope = kept[0][0, CLASSES:], kept[0].grad[0, CLASSES:]
        expected = (tokens_in @ slope.mean(dim=0)).relu()
        assert torch.allclose(maps[b, k].flatten(), expected, rtol=1e-3, atol=1e-6)


def test_tables_have_every_row_and_tolerate_missing_step_two(scripts, tmp_path):
    ablations = scripts[0]
    names = [n for group in ablations.GROUPS.values() for n in group if n != "random"]
    names += [f"random {draw}" for draw in range(ablations.DRAWS)]
    rows = {name: {"miou": 0.6, "label_free_miou": 0.5} for name in names}
    stored = {"runs": [{"seed": 0, "rows": rows}, {"seed": 1, "rows": rows}]}
    text = ablations.tables(stored, ablations.read_step_two(tmp_path / "none.json"))
    assert "| random | 60.0 | 60.0 | 60.0 ± 0.0 | 50.0 ± 0.0 |" in squeezed(text)
    assert "Step 2" not in text
    more = ablations.tables(stored, [{"seed": 0, "clipped": 0.7}])
    assert "| clipped | 70.0 |" in squeezed(more)


def squeezed(text):
    """A table without the spaces that align it."""
    return re.sub(" +", " ", text)
