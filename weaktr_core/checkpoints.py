"""Weights on disk: our safetensors with the settings inside, the official ``.pth``.

Three versions of the official CAM network exist. V1 weighs heads by their attention
maps and has keys of its own. V2 (block output) and V3 (attention branch, the published
table) have the *same* keys: nothing in the file tells them apart, so the reader asks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from weaktr_core.backbone import build_vit
from weaktr_core.model import WeakTr
from weaktr_core.runtime import write_atomically

FUSION = "adaptive_attention_fusion."
VERSIONS = {1: "adaptive-v1", 2: "adaptive-v2", 3: "adaptive"}


class CheckpointError(Exception):
    """A checkpoint that is missing, broken or of another kind: one line."""


def save_checkpoint(path: Path, model: WeakTr, **notes: Any) -> None:
    """Write a model built by `WeakTr.from_timm`, with all that rebuilds it.

    Args:
        path: a ``.safetensors`` file, replaced atomically.
        model: its weights are stored as they are.
        notes: JSON values to keep beside, for instance classes or epoch.
    """
    if model.source is None:
        raise CheckpointError("only models made by WeakTr.from_timm know how to be rebuilt")
    about = dict(
        source=model.source,
        num_classes=model.num_classes,
        options=model.options,
        notes={**model.notes, **notes},
    )
    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    metadata = {"weaktr": json.dumps(about)}
    write_atomically(path, lambda part: save_file(state, part, metadata=metadata))


def load_checkpoint(path: str | Path) -> WeakTr:
    """Rebuild a model from `save_checkpoint`'s file; ``model.notes`` holds the notes.

    Raises:
        CheckpointError: where the file is missing, broken or not ours.
    """
    about, state = read_safetensors(Path(path))
    source = about["source"]
    vit = build_vit(source["name"], source["img_size"], **source["vit_options"])
    model = WeakTr(vit, about["num_classes"], **about["options"])
    model.source, model.notes = source, about["notes"]
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: {str(error).splitlines()[-1].strip()}") from None
    return model.eval()


def read_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Our description and the tensors of a checkpoint file."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"{path}: expected safetensors, got {error}") from None
    if "weaktr" not in metadata:
        raise CheckpointError(f"{path}: safetensors, but not written by weaktr_core")
    return json.loads(metadata["weaktr"]), state


def read_official_cam(
    source: str | Path | Mapping[str, Tensor],
    version: int | None = None,
    *,
    pool: str | None = None,
    num_heads: int | None = None,
) -> WeakTr:
    """Read a CAM network trained by the official WeakTr code.

    Layers, width, classes, patch and table size are read off the shapes. Head width
    is 64 in every released model; give ``num_heads`` for others.

    Args:
        source: a ``.pth`` file, or its state dict (``{'model': …}`` or bare).
        version: 1, 2 or 3. May be left out for V1, which its keys betray.
        pool: pooling of the fusion; a checkpoint does not say. Default: "max", as in
            the released V2 and V3 runs.
        num_heads: H.

    Returns:
        The model in eval mode with ``official=True``, head order turned to layer first.

    Raises:
        CheckpointError: where the version cannot be known or keys do not fit.
    """
    state = official_state(source)
    version = official_version(state, version)
    shapes = official_shapes(state, num_heads)
    vit = VisionTransformer(
        img_size=shapes["img_size"],
        patch_size=shapes["patch_size"],
        embed_dim=shapes["width"],
        depth=shapes["layers"],
        num_heads=shapes["heads"],
        num_classes=0,
        dynamic_img_size=True,
    )
    count = shapes["layers"] * shapes["heads"]
    model = WeakTr(
        vit,
        shapes["classes"],
        fusion=VERSIONS[version],
        pool=pool or "max",
        official=True,
        **official_reductions(state, count, shapes["width"] // shapes["heads"], version),
    )
    ours = rename(state, shapes["layers"], shapes["heads"])
    missing, unexpected = model.load_state_dict(ours, strict=False)
    if missing or unexpected:
        odd = ", ".join([*missing, *unexpected][:4])
        raise CheckpointError(f"official CAM checkpoint: keys do not fit: {odd}")
    return model.eval()


def official_state(source: str | Path | Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict in an official checkpoint, opened without running its pickles."""
    if isinstance(source, Mapping):
        return dict(source.get("model", source))  # type: ignore[call-overload]
    if not Path(source).is_file():
        raise CheckpointError(f"{source}: no such checkpoint")
    # 'miou' is a numpy scalar, which torch's safe loader refuses unless told
    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]
    dtypes = [type(np.dtype(kind)) for kind in ("f8", "f4", "i8")]
    try:
        with torch.serialization.safe_globals([scalar, np.dtype, *dtypes]):
            stored = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{source}: not a readable checkpoint: {reason}") from None
    return dict(stored.get("model", stored))


def official_version(state: Mapping[str, Tensor], version: int | None) -> int:
    """1, 2 or 3; asks rather than guesses between 2 and 3."""
    if not any(key.startswith(FUSION) for key in state):
        raise CheckpointError("no adaptive_attention_fusion keys: not a CAM checkpoint")
    is_v1 = FUSION + "fc.0.weight" in state
    if version is None and not is_v1:
        raise CheckpointError(
            "V2 and V3 checkpoints have the same keys; say version=3 for the published "
            "table's models (fed by the attention branch) or version=2 (block output)"
        )
    version = 1 if version is None else version
    if version not in VERSIONS or is_v1 != (version == 1):
        found = "1" if is_v1 else "2 or 3"
        raise CheckpointError(f"asked for version {version}, the keys are of {found}")
    return version


def official_shapes(state: Mapping[str, Tensor], heads: int | None) -> dict[str, Any]:
    """Sizes of the model, read off its tensors."""
    classes, width = state["cls_token"].shape[1:]
    patch = state["patch_embed.proj.weight"].shape[-1]
    side = round((state["pos_embed"].shape[1] - classes) ** 0.5)
    blocks = {m[1] for key in state if (m := re.match(r"blocks\.(\d+)\.", key))}
    return dict(
        classes=classes,
        width=width,
        patch_size=patch,
        img_size=side * patch,
        layers=len(blocks),
        heads=heads or width // 64,
    )


def official_reductions(
    state: Mapping[str, Tensor], count: int, head_dim: int, version: int
) -> dict[str, Any]:
    """The two bottleneck factors that give the stored sizes, int() and all."""

    def factor(channels: int, size: int) -> float:
        # any factor with int(channels / factor) == size serves; take a middle one
        return channels / (size + 0.5) if channels % size else channels // size

    if version == 1:
        return dict(reduction=factor(count, len(state[FUSION + "fc.0.weight"])))
    mixer = state[FUSION + "attn_head_ffn.0.weight"]
    squeeze = state[FUSION + "attn_feat_ffn.0.weight"]
    return dict(
        reduction=factor(count, len(mixer)),
        feature_reduction=factor(head_dim, len(squeeze)),
    )


def rename(state: Mapping[str, Tensor], layers: int, heads: int) -> dict[str, Tensor]:
    """Official names → ours, and the fusion's head-first order → layer first."""
    order = torch.arange(layers * heads).view(heads, layers).T.flatten()
    names = {"fc": "excite", "attn_head_ffn": "excite", "attn_feat_ffn": "squeeze"}
    renamed: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.startswith("norm."):
            continue  # in the checkpoint, never called
        if key.startswith("head."):
            renamed["patch_head" + key.removeprefix("head")] = value
        elif key.startswith(FUSION):
            part, rest = key.removeprefix(FUSION).split(".", 1)
            if names[part] == "excite":
                value = value[:, order] if rest == "0.weight" else value[order]
            renamed[f"fusion.{names[part]}.{rest}"] = value
        else:
            renamed["backbone.vit." + key] = value
    return renamed


def head_first(head_weights: Tensor) -> Tensor:
    """(B, L, H) → (B, H·L), the order of the official vector: head·L + layer."""
    return head_weights.transpose(1, 2).flatten(1)


def count_parameters(module: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
