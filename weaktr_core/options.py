"""Options by name that settings and checkpoint files may hand on, and no other.

A checkpoint is a stranger's file. timm's ``create_model`` also takes names that fetch
code and options that unpickle files, so what is not listed here never reaches it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

from weaktr_core.schema import Range, Share


@dataclass(frozen=True)
class Pattern:
    """A regular expression that all of a word must match, and what it means."""

    regex: str
    meaning: str

    def __str__(self) -> str:
        return f" ({self.meaning})"

    def __contains__(self, value: str) -> bool:
        return re.fullmatch(self.regex, value) is not None


Name = Annotated[str, Pattern(r"[\w.-]{1,100}", "a model's name: letters, digits, _ . -")]
Fusion = Annotated[
    str,
    Pattern(
        r"adaptive(-v1|-v2)?|uniform|random(:\d{1,9})?",
        "adaptive, adaptive-v2, adaptive-v1, uniform, random or random:SEED",
    ),
]
Rank = Annotated[int, Range(0, 256)]
Side = Annotated[int, Range(8, 4096)]
Positive = Annotated[float, Range(above=0)]
Unbounded = Annotated[float, Range(above=0, high=math.inf)]


class VitOptions(TypedDict, total=False):
    """Sizes and rates of timm's ViTs; plain numbers only."""

    patch_size: Annotated[int, Range(1, 64)]
    embed_dim: Annotated[int, Range(1, 4096)]
    depth: Annotated[int, Range(1, 64)]
    num_heads: Annotated[int, Range(1, 64)]
    mlp_ratio: Annotated[float, Range(above=0, high=16)]
    init_values: Annotated[float, Range(0, 10)] | None
    qkv_bias: bool
    qk_norm: bool
    class_token: bool
    no_embed_class: bool
    reg_tokens: Annotated[int, Range(0, 64)]
    num_reg_tokens: Annotated[int, Range(0, 64)]
    drop_rate: Share
    pos_drop_rate: Share
    proj_drop_rate: Share
    attn_drop_rate: Share
    drop_path_rate: Share
    dynamic_img_size: Literal[True]


class ModelOptions(TypedDict, total=False):
    """Options of `weaktr_core.networks.cam.WeakTr`."""

    fusion: Fusion
    pool: Literal["max", "mean"]
    reduction: Annotated[float, Range(above=0, high=4096)]
    feature_reduction: Annotated[float, Range(above=0, high=4096)]
    readout: Literal["shared", "per-class", "mean"] | None
    final_norm: bool | None
    cap: Unbounded | None
    adapters: Rank
    background: bool
    refine: Literal["attention", "features"]
    official: bool


class DecoderOptions(TypedDict, total=False):
    """Options of `weaktr_core.method.decoder.MaskTransformer`."""

    width: Annotated[int, Range(1, 4096)] | None
    layers: Annotated[int, Range(1, 32)]
    num_heads: Annotated[int, Range(1, 64)] | None
    dropout: Share
    drop_path: Share
    class_std: Positive


class Source(TypedDict):
    """How the backbone of a stored network is built."""

    name: Name
    img_size: Side | tuple[Side, Side]
    vit_options: VitOptions


class SegmenterOptions(TypedDict, total=False):
    """Options of `weaktr_core.networks.segmenter.Segmenter`."""

    decoder: DecoderOptions
    adapters: Rank


class Stored(TypedDict):
    """What every checkpoint file says of its network."""

    source: Source
    num_classes: Annotated[int, Range(1, 1000)]
    options: Any
    notes: dict


class About(Stored, total=False):
    """What newer ones say, too."""

    kind: Literal["cam", "segmenter"]
    trained_only: bool
    statistics: (
        tuple[tuple[float, float, float], tuple[Positive, Positive, Positive]] | None
    )


OPTIONS = {"cam": ModelOptions, "segmenter": SegmenterOptions}
"""Kind of network → the options it is rebuilt with."""
