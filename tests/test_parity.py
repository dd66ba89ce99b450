"""Our model against numbers computed by the official code, all three versions."""

import numpy as np
import pytest
import torch
from parity_model import image, official_state_dict, stored

from weaktr_core.method.losses import three_head_loss
from weaktr_core.networks.checkpoints import CheckpointError
from weaktr_core.networks.official import read_official_cam

TOLERANCE = 1e-5  # of an array's largest value
INPUTS = {"square": (2, 3, 64, 64), "tall": (1, 3, 96, 64), "wide": (1, 3, 70, 121)}
TAGS = torch.tensor([[1.0, 0, 0, 1, 0], [0, 1, 0, 0, 0]])
VERSIONS = [1, 2, 3]


def assert_agrees(ours, theirs):
    ours = ours.detach().numpy()
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= TOLERANCE * np.abs(theirs).max()


def read(version):
    state = official_state_dict(f"cam_v{version}")
    pool = "mean" if version == 1 else "max"
    return read_official_cam(state, version, pool=pool, num_heads=3)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", INPUTS)
def test_outputs_equal_the_official_ones(version, name):
    truth, model = stored(f"cam_v{version}"), read(version)
    with torch.no_grad():
        out = model(image(name, INPUTS[name]))
    assert_agrees(out.class_logits, truth[f"{name}.class_logits"])
    assert_agrees(out.coarse_logits, truth[f"{name}.coarse_logits"])
    assert_agrees(out.fine_logits, truth[f"{name}.fine_logits"])
    head_first = out.head_weights.transpose(1, 2).flatten(1)  # head * L + layer
    assert_agrees(head_first, truth[f"{name}.head_weights"])
    assert_agrees(out.coarse_cam, truth[f"{name}.cam_patchcam"])
    assert_agrees(out.cross_attention, truth[f"{name}.cam_cross"])
    assert_agrees(out.cam, truth[f"{name}.cam_fused"])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", INPUTS)
def test_fused_patch_attention_equals_the_official_one(version, name):
    truth, model = stored(f"cam_v{version}"), read(version)
    images = image(name, INPUTS[name])
    weights = model(images).head_weights
    attention = model.attention_maps(images)  # (B, L, H, T, T)
    fused = (weights[..., None, None] * attention).mean(dim=(1, 2))
    k = model.num_classes
    assert_agrees(fused[:, k:, k:], truth[f"{name}.patch_attention"])


@pytest.mark.parametrize("version", VERSIONS)
def test_losses_and_gradients_equal_the_official_ones(version):
    truth, model = stored(f"cam_v{version}"), read(version)
    losses = three_head_loss(model(image("square", INPUTS["square"])), TAGS)
    assert_agrees(torch.stack(losses[:3]), truth["losses"])
    losses.total.backward()
    norms = gradient_norms(model)
    checked = 0
    for key, theirs in truth.items():
        name = key.removeprefix("gradnorm.")
        if name == key or name.startswith("norm."):
            continue  # not a gradient; the final norm is in the file, never called
        ours = norms[our_name(name)]
        if theirs < 0:
            assert ours is None or ours == 0, name
        else:
            assert ours == pytest.approx(float(theirs), rel=1e-4, abs=1e-7), name
        checked += 1
    assert checked == len(norms)


def gradient_norms(model):
    return {
        name: None if p.grad is None else float(p.grad.norm())
        for name, p in model.named_parameters()
    }


def our_name(official):
    fusion = "adaptive_attention_fusion."
    if official.startswith(fusion):
        part, rest = official.removeprefix(fusion).split(".", 1)
        return f"fusion.{'squeeze' if part == 'attn_feat_ffn' else 'excite'}.{rest}"
    if official.startswith("head."):
        return "patch_" + official
    return "backbone.vit." + official


def test_version_1_is_detected_and_2_and_3_are_asked_for():
    assert read_official_cam(official_state_dict("cam_v1"), num_heads=3)
    with pytest.raises(CheckpointError, match="version=3"):
        read_official_cam(official_state_dict("cam_v3"), num_heads=3)
    with pytest.raises(CheckpointError, match="asked for version 3"):
        read_official_cam(official_state_dict("cam_v1"), 3, num_heads=3)


def test_a_stored_checkpoint_opens_without_trusting_it(tmp_path):
    state = official_state_dict("cam_v3")
    path = tmp_path / "official.pth"
    torch.save({"model": state, "epoch": 59, "miou": np.float64(0.69)}, path)
    images = image("square", INPUTS["square"])
    from_file = read_official_cam(path, 3, num_heads=3)
    assert torch.equal(from_file(images).cam, read(3)(images).cam)


def test_a_broken_checkpoint_is_one_clear_line(tmp_path):
    path = tmp_path / "broken.pth"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"broken\.pth"):
        read_official_cam(path, 3)
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        read_official_cam(tmp_path / "nothing.pth", 3)
    with pytest.raises(CheckpointError, match="not a CAM checkpoint"):
        read_official_cam({"encoder.cls_token": torch.zeros(1)}, 3)
