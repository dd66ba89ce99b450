"""Settings: frozen dataclasses and the presets everybody can name."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any


@dataclass(frozen=True)
class CamConfig:
    """Settings of step 1, training the CAM network on tags.

    Attributes:
        backbone: timm name or alias (dinov2-s, deit-s, vit-s, eva02-s).
        pretrained: start from pretrained weights.
        img_size: side of the square that is trained on, pixels.
        frozen_layers: blocks, counted from the input, that are not trained, with the
            embeddings before them. Saves their backward pass.
        vit_options: passed to timm, for instance drop_path_rate.
        model: options of `weaktr_core.model.WeakTr`.
        epochs, batch_size: as they say; the batch is per device.
        backbone_lr, class_token_lr, head_lr, fusion_lr: peak learning rates of the
            transformer, its class tokens, the two classifiers, the fusion.
        token_weight: of the class-token loss, see `losses.three_head_loss`.
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
        probe: how many evaluation images' own head weights are kept every epoch.
        seed: of everything random.
    """

    backbone: str = "dinov2-s"
    pretrained: bool = True
    img_size: int = 112
    frozen_layers: int = 0
    vit_options: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    epochs: int = 4
    batch_size: int = 16
    backbone_lr: float = 5e-5
    class_token_lr: float = 5e-5
    head_lr: float = 1e-3
    fusion_lr: float = 1e-3
    token_weight: float = 1.0
    weight_decay: float = 0.03
    decay_all: bool = False
    schedule: str = "one-cycle"
    warmup_epochs: float = 1
    warmup_lr: float = 1e-6
    min_lr: float = 1e-6
    augment: str = "flip"
    eval_size: int | None = None
    eval_every: int = 1
    scales: tuple[float, ...] = (1.0,)
    threshold: float = 0.4
    precision: str = "auto"
    workers: int = 0
    probe: int = 32
    seed: int = 0

    def changed(self, **changes: Any) -> CamConfig:
        """A copy with some settings changed.

        Raises:
            ValueError: for a setting that does not exist.
        """
        known = {f.name for f in fields(self)}
        if unknown := sorted(set(changes) - known):
            raise ValueError(
                f"no setting named {', '.join(unknown)}; there are: "
                + ", ".join(sorted(known))
            )
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> CamConfig:
        """Undo `as_dict`, from JSON too."""
        return cls(**{**values, "scales": tuple(values["scales"])})


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
        frozen_layers=6,
        epochs=60,
        backbone_lr=1e-4,
        class_token_lr=1e-2,
        fusion_lr=5e-4,
        token_weight=0.05,
        warmup_epochs=6,
        augment="crop",
        eval_size=224,
        eval_every=10,
        scales=(1.0, 1.5),
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
the same on a folder of photos. colab: one T4, VOC. voc12, coco14: the paper's schedules."""


def preset(name: str, **changes: Any) -> CamConfig:
    """A preset by name, with changes."""
    if name not in PRESETS:
        raise ValueError(f"no preset named {name!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[name].changed(**changes)
