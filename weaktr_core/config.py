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
        drop_path: stochastic depth of the transformer.
        model: options of `weaktr_core.model.WeakTr`.
        epochs, batch_size: as they say; the batch is per device.
        backbone_lr, head_lr, token_lr, fusion_lr: peak learning rates of the
            transformer, the patch classifier, the class-token readout, the fusion.
        weight_decay: of AdamW.
        decay_all: decay biases, norms, tokens and positions too.
        schedule: "one-cycle" or "cosine" (warm-up, then cosine to ``min_lr``).
        warmup_epochs, warmup_lr, min_lr: of "cosine".
        augment: see `weaktr_core.data.transforms.train_transform`.
        eval_size: short side of images in evaluation, pixels; None keeps theirs.
        scales: of multi-scale CAMs, each also mirrored.
        threshold: background score of a pseudo-mask.
        probe: how many evaluation images' own head weights are kept every epoch.
        seed: of everything random.
    """

    backbone: str = "dinov2-s"
    pretrained: bool = True
    img_size: int = 112
    frozen_layers: int = 0
    drop_path: float = 0.0
    model: dict[str, Any] = field(default_factory=dict)
    epochs: int = 4
    batch_size: int = 16
    backbone_lr: float = 5e-5
    head_lr: float = 1e-3
    token_lr: float = 1e-3
    fusion_lr: float = 1e-3
    weight_decay: float = 0.03
    decay_all: bool = False
    schedule: str = "one-cycle"
    warmup_epochs: float = 1
    warmup_lr: float = 1e-6
    min_lr: float = 1e-6
    augment: str = "flip"
    eval_size: int | None = None
    scales: tuple[float, ...] = (1.0,)
    threshold: float = 0.4
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
