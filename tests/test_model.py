"""The contract: names and shapes, for every backbone and any image size."""

import math

import pytest
import torch
from naive import BACKBONES, tiny_model, tiny_vit

from weaktr_core.errors import WeakTrError
from weaktr_core.method.losses import tag_loss, three_head_loss
from weaktr_core.networks.cam import ClassReadout, WeakTr

TAGS = torch.tensor([[1.0, 0, 0, 1, 0], [0, 1, 0, 0, 0]])


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("size", [(64, 64), (60, 85)])
def test_output_has_the_promised_names_and_shapes(name, size):
    model = tiny_model(name)
    out = model(torch.randn(2, 3, *size))
    patch = model.backbone.patch_size[0]
    grid = tuple(-(-side // patch) for side in size)
    for logits in (out.class_logits, out.coarse_logits, out.fine_logits):
        assert logits.shape == (2, 5)
    for maps in (out.coarse_cam, out.cross_attention, out.cam, out.fine_cam):
        assert maps.shape == (2, 5, *grid)
        assert (maps >= 0).all()
    assert out.head_weights.shape == (2, 3, 3)
    registers = 4 if "reg4" in name else 0
    total = 5 + registers + grid[0] * grid[1]
    assert model.attention_maps(torch.randn(1, 3, *size)).shape == (1, 3, 3, total, total)


def test_class_tokens_start_as_copies_of_the_one():
    vit = tiny_vit()
    token, table = vit.cls_token.clone(), vit.pos_embed.clone()
    backbone = WeakTr(vit, 4).backbone
    assert torch.equal(backbone.vit.cls_token, token.repeat(1, 4, 1))
    assert torch.equal(backbone.vit.pos_embed[:, :4], table[:, :1].repeat(1, 4, 1))
    assert torch.equal(backbone.vit.pos_embed[:, 4:], table[:, 1:])


def test_a_vit_built_for_one_size_takes_any():
    import timm

    vit = timm.create_model("vit_tiny_patch16_224", embed_dim=48, depth=1, num_heads=3)
    assert WeakTr(vit, 3)(torch.randn(1, 3, 40, 100)).cam.shape == (1, 3, 3, 7)


def test_rotary_positions_of_one_size_are_refused_clearly():
    import timm

    vit = timm.create_model("eva02_tiny_patch14_224", embed_dim=48, depth=1, num_heads=3)
    with pytest.raises(ValueError, match="dynamic_img_size=True"):
        WeakTr(vit, 3)


def test_the_fine_loss_teaches_the_fusion_only():
    model = tiny_model()
    three_head_loss(model(torch.randn(2, 3, 64, 64)), TAGS).fine.backward()
    reached = {
        name.split(".")[0]
        for name, p in model.named_parameters()
        if p.grad is not None and p.grad.abs().sum() > 0
    }
    assert reached == {"fusion"}


def test_token_weight_scales_one_loss_of_three():
    out = tiny_model()(torch.randn(2, 3, 64, 64))
    full, light = three_head_loss(out, TAGS), three_head_loss(out, TAGS, token_weight=0.1)
    assert torch.isclose(full.total, sum(full[:3]))
    assert torch.isclose(full.total - light.total, 0.9 * full.class_token)


def test_tag_loss_is_the_written_formula():
    logits = torch.randn(2, 5)
    p = logits.sigmoid()
    plain = -(TAGS * p.log() + (1 - TAGS) * (1 - p).log()).mean()
    assert torch.isclose(tag_loss(logits, TAGS), plain, atol=1e-6)


def test_official_mode_cuts_where_the_default_pads():
    official, ours = tiny_model(official=True), tiny_model()
    images = torch.randn(1, 3, 70, 100)
    assert official(images).cam.shape[-2:] == (4, 6)
    assert ours(images).cam.shape[-2:] == (5, 7)
    cut = official(images[..., :64, :96])
    assert torch.allclose(official(images).cam, cut.cam)


def test_official_mode_has_no_final_norm_no_cap_and_reads_the_mean():
    model = tiny_model(official=True)
    assert isinstance(model.backbone.norm, torch.nn.Identity)
    assert model.options["cap"] == math.inf
    tokens = model.encode(torch.randn(1, 3, 64, 64))
    logits = model.read_out(tokens).class_logits
    assert torch.allclose(logits, tokens.classes.mean(-1))


def test_readouts():
    tokens = torch.randn(2, 5, 48)
    shared = ClassReadout(5, 48, "shared")
    torch.nn.init.constant_(shared.weight, 1 / 48)
    assert torch.allclose(shared(tokens), ClassReadout(5, 48, "mean")(tokens), atol=1e-6)
    with pytest.raises(ValueError, match="per-class"):
        ClassReadout(5, 48, "median")


def test_a_start_that_does_not_fit_names_what_is_other():
    def made(classes=3, **options):
        return WeakTr.from_timm("vit_tiny_patch16_224", classes, img_size=32, **options)

    with pytest.raises(WeakTrError, match=r"of other classes$"):
        made().start_from(made(classes=4))
    with pytest.raises(WeakTrError, match=r"of other adapters$"):
        made().start_from(made(adapters=2))
