"""Step 2's network: every backbone of the published table, any size, explicit ensemble."""

import pytest
import torch

from weaktr_core.networks.checkpoints import (
    CheckpointError,
    load_checkpoint,
    load_segmenter,
    save_checkpoint,
)
from weaktr_core.networks.segmenter import Segmenter, ensemble

TINY = {"embed_dim": 48, "depth": 2, "num_heads": 3}
TABLE = {
    "deit-s": {},
    "dinov2-s": {},
    "dinov2-s, patch 16": {"patch_size": 16},
    "vit-s": {},
    "eva02-s": {},
}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Segmenter.from_timm(
        "vit_tiny_patch16_224", 4, img_size=64, vit_options=TINY, decoder={"num_heads": 3}
    ).eval()


@pytest.mark.parametrize("size", [(64, 64), (70, 45), (33, 129)])
def test_logits_have_the_size_of_the_image(model, size):
    with torch.no_grad():
        assert model(torch.randn(2, 3, *size)).shape == (2, 5, *size)


def test_ensemble_is_the_weighted_softmax_of_both_blocks(model):
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        first, last = model.block_logits(images)
        assert torch.equal(last, model(images))
    mixed = ensemble([first, last])
    expected = (0.8 * first.softmax(1) + last.softmax(1)) / 1.8
    assert torch.allclose(mixed, expected) and not torch.allclose(mixed, last.softmax(1))
    with pytest.raises(ValueError, match="2 weights for 3 decoder blocks"):
        ensemble([first, last, last])


@pytest.mark.parametrize("name", TABLE)
def test_backbones_of_the_published_table_take_training_steps(name):
    torch.manual_seed(0)
    backbone = name.partition(",")[0]
    options = {"depth": 2, **TABLE[name]}
    model = Segmenter.from_timm(
        backbone, 3, img_size=112, vit_options=options, decoder={"dropout": 0.0}
    )
    optimizer = torch.optim.AdamW(model.parameters(), 2e-4)
    images, target = torch.randn(2, 3, 112, 112), torch.zeros(2, 112, 112).long()
    target[:, :, 56:] = 3  # left and right, which positions tell
    losses = []
    for _ in range(4):
        loss = torch.nn.functional.cross_entropy(model(images), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    unused = [n for n, p in model.named_parameters() if p.grad is None]
    assert not unused


def test_round_trip_and_the_wrong_kind_of_network(model, tmp_path):
    path = tmp_path / "s.safetensors"
    save_checkpoint(path, model)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(load_segmenter(path)(images), model(images))
    with pytest.raises(CheckpointError, match="expected a cam network, came a segmenter"):
        load_checkpoint(path)
