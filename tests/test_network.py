"""What both networks share: their input, their origin, one way to be built."""

import json
import math

import numpy as np
import pytest
import torch
from naive import TINY, tiny_model, tiny_vit
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from timm.models.vision_transformer import VisionTransformer

from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.checkpoints import (
    load_checkpoint,
    load_segmenter,
    save_checkpoint,
)
from weaktr_core.networks.network import prepare
from weaktr_core.networks.pretrained import ALIASES
from weaktr_core.networks.segmenter import Segmenter

NAME = "vit_tiny_patch16_224"
HALF = ((0.5,) * 3, (0.5,) * 3)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.fixture(params=[WeakTr, Segmenter])
def model(request):
    options = {"decoder": {"num_heads": 3}} if request.param is Segmenter else {}
    torch.manual_seed(0)
    return request.param.from_timm(NAME, 4, img_size=64, vit_options=TINY, **options).eval()


@pytest.fixture
def photos():
    return np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3), dtype=np.uint8)


def test_prepare_is_the_written_formula(model, photos):
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in model.statistics)
    plain = (torch.tensor(photos).permute(0, 3, 1, 2) / 255 - mean) / std
    assert torch.equal(model.prepare(photos), plain)
    assert torch.equal(model.prepare(list(photos)), plain)
    assert torch.equal(model.prepare(photos[1]), plain[1:])


def test_prepare_reads_files_the_right_way_up(model, photos, tmp_path):
    path = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(photos[0]).save(path, exif=exif)
    turned = np.rot90(photos[0], -1).copy()
    assert torch.equal(model.prepare(path), model.prepare(turned))
    assert torch.equal(model.prepare([str(path), turned])[0], model.prepare(turned)[0])


def test_prepare_refuses_what_makes_no_batch(model, photos):
    with pytest.raises(ValueError, match="one size, came 32 x 48, 16 x 48"):
        model.prepare([photos[0], photos[1, :16]])
    with pytest.raises(ValueError, match="came none"):
        model.prepare([])


@pytest.mark.parametrize("name", ALIASES)
def test_each_backbone_brings_its_own_normalisation(name):
    options = {"vit_options": {"depth": 1}}
    known = WeakTr.from_timm(name, 3, img_size=112, **options).statistics
    if name in ("deit-s", "dinov2-s"):
        assert known == IMAGENET
    else:
        assert known == HALF if name == "vit-s" else known not in (HALF, IMAGENET)


def test_a_bare_vit_is_prepared_for_and_an_unknown_one_refused(photos):
    assert torch.equal(prepare(tiny_vit(), photos), tiny_model().prepare(photos))
    stranger = VisionTransformer(img_size=32, embed_dim=48, depth=1, num_heads=3)
    with pytest.raises(ValueError, match="normalised"):
        prepare(stranger, photos)
    assert WeakTr(stranger, 3).statistics is None


def test_statistics_stay_with_the_weights(model, tmp_path):
    path, load = tmp_path / "m.safetensors", load_checkpoint
    if isinstance(model, Segmenter):
        load = load_segmenter
    model.statistics = IMAGENET  # not what timm would say
    save_checkpoint(path, model)
    assert load(path).statistics == IMAGENET


def rewritten(path, change):
    """A checkpoint as an older version would have written it."""
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["weaktr"])
    change(about)
    save_file(load_file(path), path, metadata={"weaktr": json.dumps(about)})
    return load_checkpoint(path)


def test_older_checkpoints_know_no_statistics_and_say_null_for_no_cap(tmp_path):
    path = tmp_path / "m.safetensors"
    model = WeakTr.from_timm(NAME, 4, img_size=64, vit_options=TINY, official=True)
    save_checkpoint(path, model)

    def change(about):
        assert about["options"]["cap"] is None
        del about["statistics"]

    again = rewritten(path, change)
    assert again.statistics == HALF and again.options == model.options


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("cap", [2.0, 0.5, math.inf])
def test_a_cap_that_is_given_is_kept_and_none_can_be_said(official, cap, tmp_path):
    options = dict(img_size=64, vit_options=TINY, official=official, cap=cap)
    model = WeakTr.from_timm(NAME, 4, **options).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        tokens = model.encode(images)
        maps = model.read_out(tokens).cross_attention
        free = model.read_out(tokens, cap=math.inf).cross_attention
    limit = cap * free.mean(dim=(2, 3), keepdim=True)
    assert torch.equal(maps, torch.minimum(free, limit))
    save_checkpoint(tmp_path / "m.safetensors", model)
    assert load_checkpoint(tmp_path / "m.safetensors").options["cap"] == cap


def test_head_weights_can_be_given_for_all_images_or_each():
    model = tiny_model()
    with torch.no_grad():
        tokens = model.encode(torch.randn(2, 3, 64, 64))
        out = model.read_out(tokens)
        same = model.read_out(tokens, out.head_weights)
        turned = model.read_out(tokens, out.head_weights.flip(0))
        ones = model.read_out(tokens, torch.ones(3, 3))
    assert all(
        torch.equal(a, b)
        for a, b in zip(vars(out).values(), vars(same).values(), strict=True)
    )
    assert not torch.allclose(turned.fine_cam, out.fine_cam)
    assert torch.equal(turned.coarse_cam, out.coarse_cam)
    uniform = tiny_model(fusion="uniform")
    uniform.load_state_dict(model.state_dict(), strict=False)
    expected = uniform.read_out(tokens)
    assert torch.equal(ones.fine_cam, expected.fine_cam)
    assert ones.head_weights.shape == (2, 3, 3)
