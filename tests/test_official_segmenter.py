"""Reading step-2 checkpoints of the official code: sizes found, normalisation asked."""

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from weaktr_core.networks.checkpoints import CheckpointError
from weaktr_core.networks.official import read_official_segmenter
from weaktr_core.networks.segmenter import Segmenter


def official_file(outputs=21, init_values=None, width=48, heads=3):
    """A state dict with the official names, of random weights, and the network it is of."""
    torch.manual_seed(outputs)
    vit = VisionTransformer(
        img_size=64, patch_size=16, embed_dim=width, depth=2, num_heads=heads, num_classes=0,
        init_values=init_values, norm_layer=nn.LayerNorm, dynamic_img_size=True,
    )  # fmt: skip
    model = Segmenter(vit, outputs - 1, decoder={"num_heads": heads}).eval()
    state = {}
    for key, value in model.state_dict().items():
        value = torch.randn_like(value) * 0.1
        key = key.replace("vit.", "encoder.") if key.startswith("vit.") else key
        state["encoder." + key if key.startswith("norm.") else key] = value
    state["encoder.head.weight"] = torch.zeros(1000, width)
    return {"model": state, "epoch": 1}


@pytest.mark.parametrize("outputs", [21, 60, 91])
def test_outputs_are_read_off_the_shapes(outputs):
    model = read_official_segmenter(official_file(outputs), "vit", num_heads=3)
    assert model(torch.randn(1, 3, 64, 80)).shape == (1, outputs, 64, 80)
    assert model.statistics == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_every_weight_arrives():
    stored = official_file(init_values=1.0)
    model = read_official_segmenter(stored, "deit", num_heads=3)
    ours = model.state_dict()
    state = stored["model"]
    assert torch.equal(ours["norm.weight"], state["encoder.norm.weight"])
    assert torch.equal(ours["vit.blocks.1.ls2.gamma"], state["encoder.blocks.1.ls2.gamma"])
    assert torch.equal(ours["decoder.cls_emb"], state["decoder.cls_emb"])
    assert len(ours) == len(state) - 1  # all but the classifier of the pretraining


def test_normalisation_is_read_from_the_variant_file_or_asked_for(tmp_path):
    path = tmp_path / "checkpoint.pth"
    torch.save(official_file(), path)
    with pytest.raises(CheckpointError, match=r"how its input was normalised.*variant.yml"):
        read_official_segmenter(path, num_heads=3)
    with pytest.raises(CheckpointError, match="came 'imagenet'"):
        read_official_segmenter(path, "imagenet", num_heads=3)
    variant = "net_kwargs:\n  image_size: !!python/tuple\n  - 480\n  normalization: deit\n"
    (tmp_path / "variant.yml").write_text(variant)
    model = read_official_segmenter(path, num_heads=3)
    assert model.statistics[0][0] == 0.485


def test_other_checkpoints_are_refused():
    stored = official_file()
    with pytest.raises(CheckpointError, match="not a segmentation checkpoint"):
        read_official_segmenter({"model": {"cls_token": torch.zeros(1, 1, 4)}}, "vit")
    stored["model"]["encoder.blocks.0.attn.q_bias"] = torch.zeros(48)
    with pytest.raises(CheckpointError, match="EVA-02"):
        read_official_segmenter(stored, "vit", num_heads=3)
    del stored["model"]["encoder.blocks.0.attn.q_bias"]
    del stored["model"]["decoder.mask_norm.bias"]
    with pytest.raises(CheckpointError, match=r"keys do not fit: decoder.mask_norm.bias"):
        read_official_segmenter(stored, "vit", num_heads=3)
