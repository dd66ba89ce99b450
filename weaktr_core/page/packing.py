"""A CAM network → the files that a page loads.

One safetensors file: bytes with a scale a row for matrices, float32 for the rest, and
in its header all that `vit.js` must know. It is compressed and cut into parts, and
each part is written twice: as it is, for pages that a server sends, and as a script,
for pages opened from a disk, which may load scripts only.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from weaktr_core.errors import WeakTrError
from weaktr_core.method.fusion import AdaptiveFusion, FixedFusion
from weaktr_core.networks.cam import WeakTr
from weaktr_core.page.rounding import LEVELS, matrices, merged, to_steps
from weaktr_core.runtime import write_atomically

LEFT_OUT = (".ls1.gamma", ".ls2.gamma", ".up", ".down")
"""Ends of names of what is multiplied into other weights."""

PART = 4_000_000  # bytes; a progress bar wants some parts, a cache wants few


class PackingError(WeakTrError):
    """A network that the page's code cannot run: says what is in the way."""


@dataclass(frozen=True)
class PackedNetwork:
    """What a page must know to load a network.

    Attributes:
        parts: names of the files without ending, in order; they hold their content's
            hash, so a name never means two things.
        bytes: of all parts as a server sends them.
        about: what the network is, as in the file's header.
    """

    parts: tuple[str, ...]
    bytes: int
    about: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def write_network(model: WeakTr, folder: Path) -> PackedNetwork:
    """Write ``NAME.bin`` and ``NAME.js`` for each part into a folder.

    Raises:
        PackingError: where the page could not run the network.
    """
    about = describe(model)
    header = {"weaktr": json.dumps(about)}
    packed = gzip.compress(save(tensors(model), metadata=header), 9, mtime=0)
    digest = hashlib.sha256(packed).hexdigest()[:12]
    parts = [packed[i : i + PART] for i in range(0, len(packed), PART)]
    names = tuple(f"network-{digest}-{i}" for i in range(len(parts)))
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in zip(names, parts, strict=True):
        write_part(folder / name, part)
    return PackedNetwork(names, len(packed), about)


def write_part(path: Path, part: bytes) -> None:
    """One part in both of its forms."""
    text = base64.b64encode(part).decode()
    script = f'(self.weaktrParts ??= {{}})["{path.name}"] = "{text}";\n'
    write_atomically(path.with_suffix(".bin"), lambda p: p.write_bytes(part))
    write_atomically(path.with_suffix(".js"), lambda p: p.write_text(script, "ascii"))


def describe(model: WeakTr) -> dict[str, Any]:
    """Sizes and choices of a network, as `vit.js` reads them.

    Raises:
        PackingError: where the page could not run the network.
    """
    check(model)
    vit, fusion = model.backbone.vit, model.fusion
    layers, heads, dim = model.backbone.shape
    assert model.statistics is not None  # or it would not have passed
    mean, std = model.statistics
    cap = model.options["cap"]
    return dict(
        classes=list(model.notes.get("classes", range(model.num_classes))),
        layers=layers,
        heads=heads,
        dim=dim,
        patch=model.backbone.patch_size[0],
        grid=list(vit.patch_embed.grid_size),
        epsilon=vit.blocks[0].norm1.eps,
        mean=mean,
        std=std,
        finalNorm=model.options["final_norm"],
        readout=model.options["readout"],
        cap=cap if math.isfinite(cap) else None,
        pool=fusion.pooling if isinstance(fusion, AdaptiveFusion) else None,
        background=model.options["background"],
        refine=model.options["refine"],
        backbone=(model.source or {}).get("name"),
        notes={k: v for k, v in model.notes.items() if k != "classes"},
    )


def check(model: WeakTr) -> None:
    """Raise PackingError for what `vit.js` does not do."""
    vit, options = model.backbone.vit, model.options
    block = vit.blocks[0]
    wrong = {
        "official=True": options["official"],
        "an input that nobody knows how to normalise": not model.statistics,
        "register tokens": vit.num_prefix_tokens != model.num_classes,
        "a norm on queries and keys": not isinstance(
            getattr(block.attn, "q_norm", torch.nn.Identity()), torch.nn.Identity
        ),
        "rotary positions": getattr(vit, "rope", None) is not None,
        "no position table": vit.pos_embed is None or vit.no_embed_class,
        "an MLP that is not fc1, GELU, fc2": not isinstance(
            getattr(block.mlp, "act", None), torch.nn.GELU
        ),
        f"fusion {options['fusion']!r}": type(model.fusion)
        not in (AdaptiveFusion, FixedFusion),
    }
    for what in [name for name, found in wrong.items() if found]:
        raise PackingError(f"the page runs plain ViTs, not a network with {what}")


@torch.no_grad()
def tensors(model: WeakTr, levels: int = LEVELS) -> dict[str, Tensor]:
    """Everything that is computed with, under `vit.js`'s names.

    Layer scale multiplies the rows of the matrix before it; the classifier's kernel is
    turned so that channels are contiguous: (K, D, 3, 3) → (K, 3, 3, D).
    """
    packed: dict[str, Tensor] = {}
    model = merged(model)
    rounded = matrices(model)
    gains = layer_scales(model)
    for name, value in model.state_dict().items():
        gain = gains.get(name.rpartition(".")[0], torch.tensor(1.0))
        short = name.removeprefix("backbone.").removeprefix("vit.")
        if name in rounded:
            steps, scale = to_steps(value[0] if len(value) == 1 else value, levels)
            packed[short] = turned(short, steps).flatten(1).contiguous()
            packed[short.removesuffix(".weight") + ".scale"] = scale * gain
        elif not name.endswith(LEFT_OUT):
            packed[short] = (value.float() * gain).contiguous()
    return packed


def turned(name: str, steps: Tensor) -> Tensor:
    """The classifier's kernel with its channels last; all else as it is."""
    return steps.permute(0, 2, 3, 1) if name == "patch_head.weight" else steps


def layer_scales(model: WeakTr) -> dict[str, Tensor]:
    """Module → the factors by which its outputs are multiplied afterwards."""
    gains = {}
    for index, block in enumerate(model.backbone.vit.blocks):
        for scale, module in (("ls1", "attn.proj"), ("ls2", "mlp.fc2")):
            gain = getattr(getattr(block, scale), "gamma", None)
            if gain is not None:
                gains[f"backbone.vit.blocks.{index}.{module}"] = gain
    return gains
