"""Checkpoints of the official code, read without running their pickles.

Three versions of the official CAM network exist. V1 weighs heads by their attention
maps and has keys of its own. V2 (block output) and V3 (attention branch, the published
table) have the *same* keys: nothing in the file tells them apart, so the reader asks.
A segmentation network's file does not say how its input was normalised either; the
``variant.yml`` beside it does, and where that is missing the reader asks again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.checkpoints import CheckpointError
from weaktr_core.networks.official_files import official_state
from weaktr_core.networks.segmenter import Segmenter

FUSION = "adaptive_attention_fusion."
VERSIONS = {1: "adaptive-v1", 2: "adaptive-v2", 3: "adaptive"}
STATISTICS = {
    "vit": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "deit": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "eva02": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
}
"""Input normalisations by the names that ``variant.yml`` uses: mean, deviation."""


def read_official_cam(
    source: str | Path | Mapping[str, Any],
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
    vit = plain_vit(shapes)
    count = shapes["layers"] * shapes["heads"]
    model = WeakTr(
        vit,
        shapes["classes"],
        fusion=VERSIONS[version],
        pool=pool or "max",
        official=True,
        **official_reductions(state, count, shapes["width"] // shapes["heads"], version),
    )
    load_all(model, rename(state, shapes["layers"], shapes["heads"]))
    model.statistics = STATISTICS["deit"]  # as the official code of step 1 always does
    return model.eval()


def plain_vit(shapes: Mapping[str, Any], **options) -> VisionTransformer:
    """A timm ViT of the sizes that `official_shapes` found."""
    return VisionTransformer(
        img_size=shapes["img_size"],
        patch_size=shapes["patch_size"],
        embed_dim=shapes["width"],
        depth=shapes["layers"],
        num_heads=shapes["heads"],
        num_classes=0,
        dynamic_img_size=True,
        **options,
    )


def load_all(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load a state dict of which nothing may be missing or left over."""
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"official checkpoint: {reason}") from None
    if missing or unexpected:
        odd = ", ".join([*missing, *unexpected][:4])
        raise CheckpointError(f"official checkpoint: keys do not fit: {odd}")


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


def read_official_segmenter(
    source: str | Path | Mapping[str, Any],
    normalisation: str | None = None,
    *,
    num_heads: int | None = None,
) -> Segmenter:
    """Read a segmentation network trained by the official code: plain ViT or DINOv2.

    Layers, width, patch and table size, and the number of outputs (21 for VOC, 60 for
    Pascal Context, 91 for COCO with its unused ids) are read off the shapes. The wrong
    normalisation costs points in silence, so it is never guessed.

    Args:
        source: a ``.pth`` file, or its state dict (``{'model': …}`` or bare).
        normalisation: "vit", "deit" or "eva02"; needed where no ``variant.yml`` lies
            beside the file.
        num_heads: H; default: heads 64 wide.

    Returns:
        The model in eval mode; it knows its normalisation from then on.

    Raises:
        CheckpointError: where the normalisation cannot be known or keys do not fit.
    """
    state = official_state(source)
    statistics = STATISTICS[official_normalisation(source, normalisation)]
    if "decoder.cls_emb" not in state:
        raise CheckpointError("no decoder.cls_emb: not a segmentation checkpoint")
    encoder = {k.removeprefix("encoder."): v for k, v in state.items()
               if k.startswith("encoder.") and ".head" not in k}  # fmt: skip
    if "blocks.0.attn.q_bias" in encoder:
        raise CheckpointError("EVA-02 segmentation checkpoints are not read yet")
    shapes = official_shapes({"cls_token": encoder["cls_token"], **encoder}, num_heads)
    scaled = "blocks.0.ls1.gamma" in encoder
    vit = plain_vit(
        shapes,
        init_values=1.0 if scaled else None,
        norm_layer=nn.LayerNorm,  # eps 1e-5 here, unlike the CAM network
    )
    options = decoder_options(state, num_heads)
    model = Segmenter(vit, state["decoder.cls_emb"].shape[1] - 1, decoder=options)
    ours = {k: v for k, v in state.items() if k.startswith("decoder.")}
    for key, value in encoder.items():
        ours[key if key.startswith("norm.") else "vit." + key] = value
    load_all(model, ours)
    model.statistics = statistics
    return model.eval()


def official_normalisation(source: Any, name: str | None) -> str:
    """The normalisation given, else the one that ``variant.yml`` names."""
    if name is None and isinstance(source, (str, Path)):
        variant = Path(source).with_name("variant.yml")
        # it holds Python tuples, which a safe YAML reader refuses; one line is enough
        text = variant.read_text("utf8") if variant.is_file() else ""
        found = re.search(r"^\s*normalization:\s*(\w+)", text, re.MULTILINE)
        name = found[1] if found else None
    if name not in STATISTICS:
        came = "no variant.yml names it" if name is None else f"came {name!r}"
        raise CheckpointError(
            f"say how its input was normalised, one of {', '.join(STATISTICS)}: {came}"
        )
    return name


def decoder_options(state: Mapping[str, Tensor], num_heads: int | None) -> dict[str, Any]:
    """Options of the `MaskTransformer` that fits."""
    width = state["decoder.cls_emb"].shape[2]
    blocks = {k.split(".")[2] for k in state if k.startswith("decoder.blocks.")}
    return dict(width=width, layers=len(blocks), num_heads=num_heads or width // 64)
