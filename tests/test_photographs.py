"""Adapters, the background, the prior for objects, and networks that are shipped."""

from pathlib import Path

import pytest
import torch
from torch import nn

from weaktr_core.config import preset
from weaktr_core.data import open_dataset
from weaktr_core.errors import WeakTrError
from weaktr_core.method import cams
from weaktr_core.method.losses import patch_loss
from weaktr_core.method.objectness import fit_objectness
from weaktr_core.networks import checkpoints
from weaktr_core.networks.adapters import LowRank, adapt
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.checkpoints import load_shipped, save_checkpoint
from weaktr_core.networks.segmenter import Segmenter
from weaktr_core.train.cam import CamStage

TINY = dict(embed_dim=48, depth=3, num_heads=3)
NAME = "vit_tiny_patch16_224"
OPTIONS = dict(adapters=2, background=True, refine="features")


class Few:
    """The first images of a dataset."""

    def __init__(self, dataset, count):
        self.dataset, self.count, self.classes = dataset, count, dataset.classes

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.dataset[index]

    def __iter__(self):
        return (self[index] for index in range(self.count))


def tiny(kind=WeakTr, **options):
    torch.manual_seed(0)
    return kind.from_timm(NAME, 4, img_size=64, vit_options=TINY, **options).eval()


def disturbed(model):
    """Whatever is trained, changed; rounded to half precision, as files keep it."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
                parameter.copy_(parameter.half().float())
    return model


def test_a_fresh_adapter_changes_nothing_and_learns_alone():
    linear = nn.Linear(6, 5)
    adapted, x = LowRank(linear, rank=2), torch.randn(3, 6)
    torch.testing.assert_close(adapted(x), linear(x))
    adapted(x).sum().backward()
    assert adapted.up.grad.abs().sum() > 0
    assert adapted.weight.grad is None


def test_only_adapters_tokens_and_heads_are_trained():
    model = tiny(**OPTIONS)
    inside = [n for n in checkpoints.trained_names(model) if n.startswith("backbone.")]
    assert all(n.endswith((".up", ".down", ".cls_token")) for n in inside)
    assert len(inside) == 3 * 4 * 2 + 1  # blocks, layers, factors, class tokens


def test_a_block_without_these_layers_is_refused():
    class Block(nn.Module):
        attn = mlp = nn.Identity()

    vit = nn.Module()
    vit.cls_token, vit.blocks = nn.Parameter(torch.zeros(1, 1, 4)), [Block()]
    with pytest.raises(ValueError, match=r"no attn\.qkv to adapt"):
        adapt(vit, 2)


def test_with_a_background_no_patch_has_more_than_one_to_give():
    output = tiny(**OPTIONS)(torch.randn(2, 3, 64, 64))
    assert output.patch_logits.shape[1] == 5
    assert output.coarse_cam.shape[1] == 4
    assert (output.coarse_cam.sum(dim=1) < 1).all()


def test_pooling_over_the_best_patches_does_not_reward_flooding():
    small, flood = torch.full((1, 2, 10, 10), -9.0), torch.full((1, 2, 10, 10), -9.0)
    small[:, 1, :3], small[:, 0, 3:] = 9.0, 9.0
    flood[:, 1] = 9.0
    pooled = [cams.pooled_logits(m, True).item() for m in (small, flood)]
    assert pooled[0] == pytest.approx(pooled[1], abs=1e-3)
    assert cams.pooled_logits(small).flatten()[1] < cams.pooled_logits(flood).flatten()[1]


@pytest.mark.parametrize("count", [1, 5, 12, 15, 25, 35, 144])
def test_three_tenths_of_the_patches_answer(count):
    signed = torch.randn(1, 3, 1, count, generator=torch.Generator().manual_seed(count))
    shares = signed.softmax(dim=1)[0, 1:, 0].sort(descending=True).values
    expected = shares[:, : max(1, round(0.3 * count))].mean(dim=1).logit(eps=1e-4)
    torch.testing.assert_close(cams.pooled_logits(signed, True)[0], expected)


def test_features_refine_within_what_looks_alike():
    patches = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])[None]  # (1, N, D)
    cam = torch.tensor([[[[1.0, 0], [0, 0]]]])
    fine = cams.refine_by_features(cam, patches).flatten()
    torch.testing.assert_close(fine, torch.tensor([0.5, 0.5, 0.0, 0.0]))


def test_the_prior_finds_the_side_that_is_not_at_the_border():
    torch.manual_seed(0)
    border = torch.arange(400) % 4 == 0
    is_thing = (torch.rand(400) < 0.5) & ~border
    keys = torch.randn(400, 8)
    keys[:, 3] += 20.0 * is_thing
    found = fit_objectness(keys, border)(keys[None])[0]
    assert ((found > 0.6) == is_thing).all()


def test_patch_loss_falls_where_the_tag_takes_the_objects():
    objectness = torch.tensor([[0.99, 0.01]])
    tags, weights = torch.tensor([[0.0, 1.0]]), torch.ones(3)
    right = torch.tensor([[[-1.0, 1.0], [-1, -1], [1, -1]]])[..., None]  # (1, C, N, 1)
    wrong = right.flip(2)
    losses = [patch_loss(m, objectness, tags, weights).item() for m in (right, wrong)]
    assert losses[0] < 0.5 < losses[1]


def test_training_reaches_the_adapters_and_the_prior_leaves_no_random_trace():
    config = preset("smoke", model=OPTIONS, patch_weight=1.0, balance=0.5, batch_size=4)
    scenes = open_dataset("scenes", "train", size=64)
    few = Few(scenes, 8)
    priors, drawn = [], []
    for seed in (1, 2):
        stage = CamStage(config, few, few)
        images = torch.stack([stage.data[i][0] for i in range(4)])
        tags = torch.stack([stage.data[i][1] for i in range(4)])
        torch.manual_seed(seed)
        expected = torch.rand(1, generator=torch.Generator().manual_seed(seed))
        stage.teacher(images)
        drawn.append(torch.rand(1) == expected)
        priors.append(stage.teacher.prior.direction)
    torch.testing.assert_close(*priors)
    assert all(drawn)
    losses = stage.losses(stage.model, (images, tags))
    losses["total"].backward()
    assert losses["patch"] > 0
    assert stage.model.backbone.vit.blocks[0].mlp.fc2.up.grad.abs().sum() > 0
    assert stage.weights.shape == (8,)


@pytest.mark.parametrize(
    ("kind", "ending", "options"),
    [
        (WeakTr, "cam", OPTIONS),
        (Segmenter, "seg", dict(adapters=2, decoder={"num_heads": 3})),
    ],
)
def test_a_shipped_network_stands_on_the_pretrained_backbone(
    kind, ending, options, tmp_path, monkeypatch
):
    model = disturbed(tiny(kind, **options))
    model.notes = {"classes": ["a", "b", "c", "d"]}
    path = tmp_path / f"mine-{ending}.safetensors"
    save_checkpoint(path, model, trained_only=True)
    monkeypatch.setattr(checkpoints, "SHIPPED", tmp_path)

    def stand_in(name, size, *, pretrained, **more):
        assert pretrained
        torch.manual_seed(0)
        return real(name, size, pretrained=False, **more)

    real = checkpoints.load_vit
    monkeypatch.setattr(checkpoints, "load_vit", stand_in)
    again, x = load_shipped(kind, "mine"), torch.randn(1, 3, 64, 64)
    for name in checkpoints.trained_names(model):
        torch.testing.assert_close(again.state_dict()[name], model.state_dict()[name])
    first, second = model(x), again(x)
    pick = (lambda o: o) if kind is Segmenter else (lambda o: o.fine_cam)
    torch.testing.assert_close(pick(first), pick(second))


def test_a_name_that_is_not_shipped_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoints, "SHIPPED", tmp_path)
    with pytest.raises(WeakTrError, match="no cam network 'moon' is shipped"):
        WeakTr.pretrained("moon")


def test_what_is_shipped_is_small():
    sizes = {p.name: p.stat().st_size for p in Path(checkpoints.SHIPPED).glob("*.saf*")}
    assert sizes["voc-cam.safetensors"] < 1.5e6
    assert sizes.get("voc-seg.safetensors", 0) < 4e6
