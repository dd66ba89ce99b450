"""What both networks share: where they come from, and what their input looks like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from weaktr_core.data.files import read_image
from weaktr_core.data.transforms import Statistics, to_batch
from weaktr_core.method.attention import TimmViT
from weaktr_core.method.grid import Size
from weaktr_core.networks.pretrained import load_vit

Photo = np.ndarray | str | Path
"""(height, width, 3) uint8, or the file that holds it."""

_N = TypeVar("_N", bound="Network")


class Network(nn.Module):
    """A network on a timm ViT.

    Attributes:
        num_classes: K, background not among them.
        options: what the class was built with; rebuilds it from a checkpoint.
        statistics: mean and standard deviation of R, G, B that its input is normalised
            by, those its backbone was trained with; None if nobody knows.
        source: how `from_timm` built the backbone, None if it did not.
        notes: JSON values kept in checkpoints: classes, settings.
    """

    def __init__(self, vit: TimmViT, num_classes: int, options: dict[str, Any]):
        super().__init__()
        self.num_classes, self.options = num_classes, options
        known = hasattr(vit, "pretrained_cfg")
        self.statistics: Statistics | None = statistics_of(vit) if known else None
        self.source: dict[str, Any] | None = None
        self.notes: dict[str, Any] = {}

    @classmethod
    def from_timm(
        cls: type[_N],
        name: str,
        num_classes: int,
        *,
        img_size: int | Size,
        pretrained: bool = False,
        vit_options: dict[str, Any] | None = None,
        **options,
    ) -> _N:
        """The network on a timm model.

        Args:
            name: timm model name, or a short one of `weaktr_core.networks.pretrained`.
            num_classes: K.
            img_size: training size in pixels; other sizes work too.
            pretrained: load weights, see `weaktr_core.networks.pretrained.load_vit`.
            vit_options: passed to timm, for instance drop_path_rate, or ``patch_size=16``,
                which resizes DINOv2's kernel of 14 pixels, as the published table does.
            options: those of the class.
        """
        more = dict(vit_options or {})
        vit = load_vit(name, img_size, pretrained=pretrained, **more)
        model = cls(vit, num_classes, **options)
        model.source = dict(name=name, img_size=img_size, vit_options=more)
        return model

    @classmethod
    def pretrained(cls: type[_N], name: str) -> _N:
        """A trained network that comes with the package, in eval mode.

        Its notes hold its classes and settings; ``weights/README.md`` says what it
        learned from. The backbone beneath it is fetched once.

        Args:
            name: "voc": VOC 2012's twenty kinds of things.
        """
        from weaktr_core.networks.checkpoints import load_shipped  # it knows all classes

        return load_shipped(cls, name)  # type: ignore[return-value]

    def prepare(self, images: Photo | Sequence[Photo]) -> Float[Tensor, "B 3 height width"]:
        """Photos → one normalised batch, where the network is; see `prepare`."""
        return prepare(self, images)


def prepare(
    model: nn.Module, images: Photo | Sequence[Photo]
) -> Float[Tensor, "B 3 height width"]:
    """Photos → one batch, normalised as a network wants it, on the network's device.

    Args:
        model: a `Network`, or any timm ViT.
        images: arrays or files of one size; one alone is a batch of one.

    Raises:
        ValueError: where sizes differ, or the network's statistics are unknown.
        DataError: a file that is missing or broken.
    """
    alone = isinstance(images, (str, Path)) or getattr(images, "ndim", 0) == 3
    photos: Sequence[Any] = [images] if alone else images  # type: ignore[assignment]
    arrays = [
        photo if isinstance(photo, np.ndarray) else read_image(photo, upright=True)
        for photo in photos
    ]
    if len({array.shape for array in arrays}) != 1:
        came = ", ".join(f"{a.shape[0]} x {a.shape[1]}" for a in arrays) or "none"
        raise ValueError(f"a batch wants photos of one size, came {came}")
    return to_batch(arrays, statistics_of(model)).to(next(model.parameters()).device)


def statistics_of(model: nn.Module) -> Statistics:
    """Mean and standard deviation of a network's input: its own, else those timm knows.

    Raises:
        ValueError: where neither is known.
    """
    if (own := getattr(model, "statistics", None)) is not None:
        return own
    if (config := getattr(model, "pretrained_cfg", None)) is None:
        raise ValueError("nobody knows how this network's input is normalised")
    return tuple(config["mean"]), tuple(config["std"])
