"""What each head weighting looks at, and what it cannot see."""

import pytest
import torch
from naive import tiny_model

from weaktr_core.method.fusion import AdaptiveFusion, build_fusion


def weights_of(fusion, **options):
    model = tiny_model(fusion=fusion, **options)
    torch.manual_seed(1)
    return model(torch.randn(2, 3, 64, 64)).head_weights.detach()


def test_official_size_is_the_published_one():
    fusion = AdaptiveFusion(12, 6, 64, official=True)
    assert sum(p.numel() for p in fusion.parameters()) == 1825


@pytest.mark.parametrize("official", [False, True])
def test_version_1_cannot_see_the_image(official):
    first, second = weights_of("adaptive-v1", official=official)
    assert torch.equal(first, second)


@pytest.mark.parametrize("fusion", ["adaptive", "adaptive-v2"])
@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("pool", ["max", "mean"])
def test_versions_2_and_3_do(fusion, official, pool):
    first, second = weights_of(fusion, official=official, pool=pool)
    assert not torch.allclose(first, second, atol=1e-6)


def test_ours_have_mean_one_and_the_official_ones_are_sigmoids():
    ours = weights_of("adaptive")
    assert torch.allclose(ours.mean((1, 2)), torch.ones(2), atol=1e-5)
    official = weights_of("adaptive", official=True)
    assert ((official > 0) & (official < 1)).all()


def test_official_split_deals_channels_like_cards():
    fusion = AdaptiveFusion(2, 3, 4, official=True)
    channels = torch.arange(12.0).expand(1, 5, 12)
    assert fusion.split(channels)[0, 1, 0].tolist() == [1, 4, 7, 10]
    fusion.official = False
    assert fusion.split(channels)[0, 1, 0].tolist() == [4, 5, 6, 7]


def test_official_bottlenecks_are_truncated_ours_rounded():
    assert (
        AdaptiveFusion(2, 3, 15, reduction=3.5, official=True).excite[0].out_features == 1
    )
    assert AdaptiveFusion(2, 3, 15, reduction=3.5).excite[0].out_features == 2


def test_uniform_and_random_ignore_the_image():
    assert (weights_of("uniform") == 1).all()
    first, second = weights_of("random:3")
    assert torch.equal(first, second) and first.std() > 0.1
    assert torch.equal(weights_of("random:3"), weights_of("random:3"))
    assert not torch.equal(weights_of("random:3"), weights_of("random:4"))


def test_bad_names_are_explained():
    with pytest.raises(ValueError, match="known: adaptive"):
        build_fusion("clever", 2, 3, 16)
    with pytest.raises(ValueError, match="'max' or 'mean'"):
        build_fusion("adaptive", 2, 3, 16, pool="median")


@pytest.mark.parametrize("name", ["adaptive", "adaptive-v2", "adaptive-v1"])
@pytest.mark.parametrize("official", [False, True])
def test_what_is_pooled_is_all_that_is_weighed(name, official):
    model = tiny_model(fusion=name, official=official)
    layers = model.encode(torch.randn(2, 3, 64, 64)).layers
    pooled = model.fusion.pool(layers)
    assert not pooled.requires_grad  # so a fusion can be trained on stored numbers
    assert torch.equal(model.fusion.weigh(pooled), model.fusion(layers))
    assert torch.equal(model.fusion.weigh(pooled[1:]), model.fusion(layers)[1:])
