"""Settings: frozen dataclasses and the presets everybody can name."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

from weaktr_core.options import DecoderOptions, ModelOptions, Name, Rank, VitOptions
from weaktr_core.schema import (
    Count,
    Pixels,
    Range,
    Rate,
    Scale,
    SettingError,
    Share,
    check,
)

_C = TypeVar("_C", bound="_Config")


Whole = Annotated[int, Range(0)]
Precision = Literal["auto", "no", "bf16", "fp16"]


class _Config:
    """What settings of either step can do; each is checked against its type."""

    def __post_init__(self) -> None:
        """Check what was given, however it was given."""
        for name, value in self.checked(self.as_dict()).items():
            object.__setattr__(self, name, value)

    @classmethod
    def checked(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Values as their types want them, lists as tuples.

        Raises:
            SettingError: for a value that a setting cannot have.
        """
        hints = get_type_hints(cls, include_extras=True)
        return {name: check(value, hints[name], name) for name, value in values.items()}

    @classmethod
    def names(cls) -> list[str]:
        """All settings."""
        return [f.name for f in fields(cls)]  # type: ignore[arg-type]

    def changed(self: _C, **changes: Any) -> _C:
        """A copy with some settings changed.

        Raises:
            SettingError: for a setting that does not exist, or a value it cannot have.
        """
        if unknown := sorted(set(changes) - set(self.names())):
            raise SettingError(
                f"no setting named {', '.join(unknown)}; there are: "
                + ", ".join(sorted(self.names()))
            )
        return replace(self, **self.checked(changes))  # type: ignore[type-var]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls: type[_C], values: dict[str, Any]) -> _C:
        """Undo `as_dict`, from JSON too; what is no setting is left aside."""
        return cls(**cls.checked({k: values[k] for k in cls.names() if k in values}))


@dataclass(frozen=True)
class CamConfig(_Config):
    """Settings of step 1, training the CAM network on tags.

    Attributes:
        backbone: timm name or alias (dinov2-s, deit-s, vit-s, eva02-s).
        pretrained: start from pretrained weights.
        img_size: side of the square that is trained on, pixels.
        frozen_layers: blocks, counted from the input, that are not trained, with the
            embeddings before them. Saves their backward pass.
        vit_options: passed to timm, for instance drop_path_rate.
        model: options of `weaktr_core.networks.cam.WeakTr`.
        epochs, batch_size: as they say; the batch is per device.
        backbone_lr, class_token_lr, head_lr, fusion_lr: peak learning rates of the
            transformer, its class tokens, the two classifiers, the fusion.
        token_weight: of the class-token loss, see `losses.three_head_loss`.
        patch_weight: of `losses.patch_loss`, which wants ``model`` to have a background;
            0 leaves it out.
        balance: 0 shows every image once an epoch; up to 1, images are drawn the more
            often the rarer their tags are, see `train.cam.draw_weights`.
        weight_decay: of AdamW.
        decay_all: decay biases, norms, tokens and positions too.
        schedule: "one-cycle", "cosine" or "official-cosine", see `training`.
        warmup_epochs: of the schedule.
        warmup_lr, min_lr: of the cosines.
        augment: see `weaktr_core.data.transforms.train_transform`.
        eval_size: short side of images in evaluation, pixels; None keeps theirs.
        eval_every: epochs between evaluations; the last epoch always has one.
        scales: of multi-scale CAMs, each also mirrored.
        threshold: background score of a pseudo-mask.
        precision: "auto", "no" (float32), "bf16" or "fp16".
        workers: processes that load images.
        probe: how many evaluation images' own head weights and maps are kept.
        seed: of everything random.
    """

    backbone: Name = "dinov2-s"
    pretrained: bool = True
    img_size: Pixels = 112
    frozen_layers: Whole = 0
    vit_options: VitOptions = field(default_factory=VitOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    epochs: Count = 4
    batch_size: Count = 16
    backbone_lr: Rate = 5e-5
    class_token_lr: Rate = 5e-5
    head_lr: Rate = 1e-3
    fusion_lr: Rate = 1e-3
    token_weight: Rate = 1.0
    patch_weight: Rate = 0.0
    balance: Share = 0.0
    weight_decay: Rate = 0.03
    decay_all: bool = False
    schedule: Literal["one-cycle", "cosine", "official-cosine"] = "one-cycle"
    warmup_epochs: Rate = 1
    warmup_lr: Rate = 1e-6
    min_lr: Rate = 1e-6
    augment: Literal["flip", "crop", "strong"] = "flip"
    eval_size: Pixels | None = None
    eval_every: Count = 1
    scales: tuple[Scale, ...] = (1.0,)
    threshold: Share = 0.4
    precision: Precision = "auto"
    workers: Annotated[int, Range(0, 256)] = 0
    probe: Whole = 32
    seed: Whole = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.schedule != "one-cycle" and not self.backbone_lr:
            raise SettingError(
                f"backbone_lr: expected a rate above 0, which {self.schedule} divides by"
            )


@dataclass(frozen=True)
class SegConfig(_Config):
    """Settings of step 2, retraining a segmentation network on pseudo-masks.

    Attributes:
        backbone, pretrained, vit_options, frozen_layers: as in `CamConfig`.
        adapters: rank of the encoder's low-rank adapters; 0 trains the encoder itself.
        decoder: options of `weaktr_core.method.decoder.MaskTransformer`.
        img_size: side of the square crops, pixels.
        short_side: of an image at ratio 1, in training and evaluation; None keeps it.
        train_ratios: smallest and largest random resize.
        class_cap: crops of which one label fills more are drawn again.
        photometric: random colours.
        epochs, batch_size: as they say; the batch is per device.
        optimizer: "sgd" (Nesterov 0.9) or "adamw".
        lr, min_lr: of the decoder; it falls along a polynomial.
        encoder_factor: of the encoder's learning rate; 0 leaves the encoder as it is.
        power: of the polynomial.
        warmup_epochs: linear rise before it.
        weight_decay: of the optimiser.
        loss: "clipped" or "cross-entropy".
        clip_start, clip_window: of `losses.gradient_clipping_loss`.
        clip_per_image, clip_count_ignored: its options.
        eval_every: epochs between validations; the last epoch always has one.
        eval_ratios: of multi-scale evaluation, each also mirrored.
        window, stride: of sliding windows, pixels.
        precision, workers, seed: as in `CamConfig`.
    """

    backbone: Name = "dinov2-s"
    pretrained: bool = True
    vit_options: VitOptions = field(default_factory=VitOptions)
    frozen_layers: Whole = 0
    adapters: Rank = 0
    decoder: DecoderOptions = field(default_factory=DecoderOptions)
    img_size: Pixels = 168
    short_side: Pixels | None = 168
    train_ratios: tuple[Scale, Scale] = (0.5, 2.0)
    class_cap: Share = 0.75
    photometric: bool = True
    epochs: Count = 4
    batch_size: Count = 16
    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: Annotated[float, Range(above=0, high=1000)] = 1e-3
    min_lr: Rate = 1e-5
    encoder_factor: Rate = 0.1
    power: Rate = 0.9
    warmup_epochs: Rate = 0.0
    weight_decay: Rate = 0.01
    loss: Literal["clipped", "cross-entropy"] = "clipped"
    clip_start: Rate = 1.2
    clip_window: Count = 120
    clip_per_image: bool = False
    clip_count_ignored: bool = True
    eval_every: Count = 1
    eval_ratios: tuple[Scale, ...] = (1.0,)
    window: Pixels = 480
    stride: Pixels = 320
    precision: Precision = "auto"
    workers: Annotated[int, Range(0, 256)] = 0
    seed: Whole = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stride > self.window:
            raise SettingError(
                f"stride: expected at most the window, {self.window} pixels, so that no "
                f"part of a photo is skipped, came {self.stride}"
            )
        if self.train_ratios[0] > self.train_ratios[1]:
            raise SettingError(
                f"train_ratios: expected smallest and largest, came {self.train_ratios}"
            )


PAPER = CamConfig(
    backbone="deit-s",
    img_size=224,
    vit_options={"drop_path_rate": 0.1},
    model={"official": True},
    epochs=60,
    batch_size=64,
    backbone_lr=7.5e-5,
    class_token_lr=7.5e-5,
    head_lr=7.5e-5,
    fusion_lr=7.5e-5,
    decay_all=True,
    schedule="official-cosine",
    warmup_epochs=5,
    warmup_lr=1e-6,
    min_lr=1e-5,
    augment="strong",
    workers=8,
)
"""What the VOC and COCO presets share: the published schedule, official code and all."""

PRESETS: dict[str, CamConfig] = {
    "smoke": CamConfig(
        backbone="vit_tiny_patch16_224",
        pretrained=False,
        img_size=64,
        vit_options={"embed_dim": 48, "depth": 3, "num_heads": 3},
        epochs=2,
        batch_size=8,
        probe=4,
    ),
    "laptop": CamConfig(
        img_size=168,
        frozen_layers=6,
        epochs=3,
        backbone_lr=1e-4,
        class_token_lr=1e-2,
        fusion_lr=5e-4,
        token_weight=0.05,
        warmup_epochs=0.6,
        scales=(1.0, 1.5),
    ),
    "photos": CamConfig(
        img_size=168,
        model={"adapters": 8, "background": True, "refine": "features"},
        epochs=60,
        backbone_lr=3e-4,
        class_token_lr=1e-2,
        fusion_lr=5e-4,
        token_weight=0.1,
        patch_weight=1.0,
        balance=0.5,
        warmup_epochs=6,
        augment="crop",
        eval_size=224,
        eval_every=10,
        scales=(1.0, 1.5),
    ),
    "voc-part": CamConfig(
        img_size=224,
        model={"adapters": 8, "background": True, "refine": "features"},
        epochs=6,
        batch_size=32,
        backbone_lr=3e-4,
        class_token_lr=1e-2,
        fusion_lr=5e-4,
        token_weight=0.1,
        patch_weight=1.0,
        balance=0.5,
        weight_decay=0.01,
        warmup_epochs=0.6,
        augment="crop",
        eval_size=252,
        eval_every=6,
        scales=(1.0, 4 / 3),
        threshold=0.42,
    ),
    "colab": replace(
        PAPER, model={}, epochs=15, batch_size=48, schedule="cosine", workers=2
    ),
    "voc12": replace(PAPER, scales=(1.0, 1.2), threshold=0.43),
    "coco14": replace(
        PAPER,
        backbone_lr=2.5e-5,
        class_token_lr=2.5e-5,
        head_lr=2.5e-5,
        fusion_lr=2.5e-5,
        scales=(1.0, 0.8, 1.2),
        threshold=0.42,
    ),
}
"""smoke: seconds, random weights. laptop: real DINOv2-S on scenes, CPU minutes. photos:
low-rank adapters, a background and classes that take turns, for a folder of photos.
voc-part: as the shipped CAM network was trained. colab: one T4, VOC. voc12, coco14: the
paper's schedules."""


SEG_PAPER = SegConfig(
    backbone="vit-s",
    vit_options={"drop_path_rate": 0.1},
    img_size=480,
    short_side=520,
    epochs=100,
    batch_size=4,
    optimizer="sgd",
    lr=1e-4,
    weight_decay=0.0,
    eval_every=5,
    eval_ratios=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75),
    workers=8,
)
"""The published schedule of step 2; for DINOv2 add vit_options patch_size=16."""

SEG_PRESETS: dict[str, SegConfig] = {
    "smoke": SegConfig(
        backbone="vit_tiny_patch16_224",
        pretrained=False,
        vit_options={"embed_dim": 48, "depth": 3, "num_heads": 3},
        decoder={"num_heads": 3},
        img_size=64,
        short_side=64,
        epochs=2,
        batch_size=8,
        clip_window=16,
        window=64,
        stride=48,
    ),
    "laptop": SegConfig(
        frozen_layers=6,
        decoder={"dropout": 0.0, "class_std": 1.0},
        train_ratios=(0.8, 1.25),
        batch_size=8,
        clip_start=0.45,
        clip_window=42,
        warmup_epochs=0.3,
        eval_every=10,
        eval_ratios=(1.0, 1.5),
    ),
    "photos": SegConfig(
        adapters=8,
        decoder={"width": 192, "class_std": 1.0},
        img_size=224,
        short_side=224,
        train_ratios=(0.75, 1.5),
        epochs=40,
        encoder_factor=0.3,
        warmup_epochs=3,
        loss="cross-entropy",
        eval_every=20,
        window=224,
        stride=160,
    ),
    "voc-part": SegConfig(
        adapters=8,
        decoder={"width": 192, "class_std": 1.0},
        img_size=252,
        short_side=252,
        train_ratios=(1.0, 1.8),
        epochs=12,
        batch_size=32,
        encoder_factor=0.3,
        warmup_epochs=1,
        loss="cross-entropy",
        eval_every=12,
        eval_ratios=(1.0, 4 / 3),
    ),
    "colab": replace(SEG_PAPER, epochs=15, batch_size=8, workers=2),
    "voc12": SEG_PAPER,
    "coco14": SEG_PAPER,
}
"""As `PRESETS`, for step 2."""


def preset(name: str, **changes: Any) -> CamConfig:
    """A preset of step 1 by name, with changes."""
    return _named(PRESETS, name).changed(**changes)


def seg_preset(name: str, **changes: Any) -> SegConfig:
    """A preset of step 2 by name, with changes."""
    return _named(SEG_PRESETS, name).changed(**changes)


def _named(presets: dict[str, Any], name: str) -> Any:
    if name not in presets:
        raise SettingError(f"no preset named {name!r}; there are: {', '.join(presets)}")
    return presets[name]
