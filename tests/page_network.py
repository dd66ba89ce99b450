"""Run the page's network in Node, and PyTorch beside it."""

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from weaktr_core.page.compiling import KERNEL
from weaktr_core.page.packing import write_network
from weaktr_core.page.rounding import rounded

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="no node on this machine")
SCRIPT = Path(__file__).with_name("page_parity.js")


def raw_network(model, folder):
    """The safetensors file inside the parts."""
    packed = write_network(model, folder)
    parts = [(folder / f"{name}.bin").read_bytes() for name in packed.parts]
    path = folder / "network.safetensors"
    path.write_bytes(gzip.decompress(b"".join(parts)))
    return path


def in_node(model, pictures, folder):
    """For each (h·patch, w·patch, 3) picture everything the page's network says of it."""
    patch, jobs = model.backbone.patch_size[0], []
    for i, picture in enumerate(pictures):
        pixels, out = folder / f"{i}.rgb", folder / f"{i}.out"
        pixels.write_bytes(np.ascontiguousarray(picture).tobytes())
        grid = [side // patch for side in picture.shape[:2]]
        jobs.append(dict(pixels=str(pixels), grid=grid, out=str(out)))
    job = dict(wasm=str(KERNEL), network=str(raw_network(model, folder)), pictures=jobs)
    (folder / "job.json").write_text(json.dumps(job))
    command = [NODE, str(SCRIPT), str(folder / "job.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [read(Path(one["out"])) for one in jobs]


def read(path):
    """Name → flat float32, as page_parity.js writes it."""
    head, _, body = path.read_bytes().partition(b"\n")
    found, at = {}, 0
    for name, length in json.loads(head)["lengths"].items():
        found[name] = np.frombuffer(body, np.float32, length, 4 * at)
        at += length
    return found


def double_rows(layer):
    """All of a layer's attention."""
    return (layer.scale * layer.query @ layer.key.transpose(-2, -1)).softmax(dim=-1)


def in_single(tokens):
    """Tokens and records as the readout takes them."""
    for one in (tokens, *tokens.layers):
        for name, value in vars(one).items():
            if isinstance(value, torch.Tensor):
                setattr(one, name, value.float())
    return tokens


@torch.no_grad()
def in_torch(model, picture):
    """The same from PyTorch, with the same rounded weights.

    The transformer computes in double precision: in single, PyTorch itself is as far from
    that as the page may be.
    """
    model = rounded(model)
    model.backbone.double()
    tokens = model.encode(model.prepare(picture).double())
    attention = torch.stack([double_rows(layer) for layer in tokens.layers], dim=1)
    tokens = in_single(tokens)
    output = model.read_out(tokens)
    patches = tokens.patches.transpose(1, 2).unflatten(2, tokens.grid)
    found = dict(
        attention=attention,
        class_logits=output.class_logits,
        map=model.patch_head(patches),
        coarse_logits=output.coarse_logits,
        fine_logits=output.fine_logits,
        head_weights=output.head_weights,
        coarse_cam=output.coarse_cam,
        cross_attention=output.cross_attention,
        cam=output.cam,
        fine_cam=output.fine_cam,
    )
    for index, layer in enumerate(tokens.layers):
        wide = lambda x: x.transpose(1, 2).flatten(2)  # (B, H, T, dim) -> (B, T, D)  # noqa: E731
        found[f"query{index}"], found[f"key{index}"] = wide(layer.query), wide(layer.key)
        found[f"gathered{index}"] = wide(layer.head_output)
        found[f"output{index}"] = layer.block
    return {name: value.numpy().ravel() for name, value in found.items()}
