"""The fusion mixer: a fader for each attention head, maps and their score follow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weaktr_core.figures.style import PALETTE
from weaktr_core.widgets.host import explorer
from weaktr_core.widgets.pack import check_photo, jpeg, pack, pack_rows, photo_names

PATCH_LEVELS = 6
"""Steps of a patch → patch row. They are most of a page: 0.3 MB for a photo of 12 x 12
patches with 72 heads, more than twice that at 32 steps. L·H rows are averaged, so the mIoU
of a photo stays within a few tenths of a point."""


def explore_fusion(
    photos: np.ndarray | Sequence[np.ndarray],
    inputs: Sequence[Mapping[str, np.ndarray]],
    masks: np.ndarray | Sequence[np.ndarray],
    *,
    class_names: Sequence[str],
    names: Sequence[str] | None = None,
    cap: float = 1.0,
    host: str | None = None,
) -> Any:
    """Weigh all heads by hand; maps, masks and their mIoU follow at once.

    The mIoU is counted on the pixels of the mask, over background and the given classes,
    after bilinear upsampling and `cams.normalise`, as `metrics.threshold_sweep` counts
    it: of one photo at the best of 101 thresholds, of all photos at one threshold for
    all. Both peek at the masks. A setting is recorded once it stands and was judged on
    all photos.

    Args:
        photos: each (height, width, 3) uint8, whole patches.
        inputs: of each photo the plain arrays that `look.fusion_inputs` returns:
            ``class_rows`` (L, H, P, N), attention of P class tokens to the N = h·w
            patches, rows after the softmax; ``coarse`` (P, h, w); ``learned`` (L, H);
            ``classes`` (P,) indices; perhaps ``patch_rows`` (L, H, N, N), without which
            there is no fine CAM.
        masks: each (height, width) uint8: 0, k + 1 for class k, 255. It may be smaller
            than its photo; a few hundred pixels a side keep the mixer quick.
        class_names: K names.
        names: what the photos show; default "photo 1", …
        cap: of the cross-attention map, see `weaktr_core.method.cams.cross_attention`.
            No cap: `math.inf`.
        host: "live", "html", or None to find out, see `host.choose_host`.

    Returns:
        A live widget or a `host.Page`. Traits: ``weights`` (list of L·H floats, layer
        slow), ``photo``, ``shown`` (which of the photo's classes is drawn), ``stage``
        ("cross_attention", "cam" or "fine_cam": drawn large and scored),
        ``threshold``, ``follow`` (the threshold is kept at the best), ``solo`` (index
        of the one head that is listened to, -1: all).

    Raises:
        ValueError: where shapes do not fit.
    """
    if not len(photos) == len(inputs) == len(masks):
        came = f"{len(photos)} photos, {len(inputs)} inputs, {len(masks)} masks"
        raise ValueError(f"one of each per photo, came {came}")
    names = photo_names(names, len(photos))
    shown = [
        describe_photo(*one, class_names=class_names)
        for one in zip(photos, inputs, masks, names, strict=True)
    ]
    layers, heads = inputs[0]["learned"].shape
    fine = all(one["patch"] is not None for one in shown)
    largest = max(max(one["learned"]) for one in shown)
    state = dict(
        weights=[1.0] * (layers * heads),
        photo=0,
        shown=0,
        stage="fine_cam" if fine else "cam",
        threshold=0.5,
        follow=True,
        solo=-1,
    )
    stages = ["cross_attention", "cam", "fine_cam"][: 2 + fine]
    top = max(2.0, float(np.ceil(2 * largest) / 2))
    data = dict(
        shape=[layers, heads],
        cap=cap if math.isfinite(cap) else None,  # JSON has no infinity
        top=top,
        stages=stages,
        labels=1 + len(class_names),
        photos=shown,
    )
    sentence = (
        f"{names[0]}: maps of {layers} x {heads} attention heads, to be mixed by hand."
    )
    return explorer(
        "fusion", data, state, sentence=sentence, poster=shown[0]["jpeg"], host=host
    )


def describe_photo(
    photo: np.ndarray,
    inputs: Mapping[str, np.ndarray],
    mask: np.ndarray,
    name: str,
    *,
    class_names: Sequence[str],
) -> dict[str, Any]:
    """A photo and all that the page must know to weigh its heads."""
    check_photo(photo)
    check_inputs(inputs, mask)
    coarse, patch_rows = inputs["coarse"], inputs.get("patch_rows")
    flat = coarse.reshape(len(coarse), -1).astype(np.float32)  # (P, N)
    return dict(
        **tagged_photo(photo, inputs, mask, name, class_names),
        cross=pack_rows(inputs["class_rows"].astype(np.float32)),
        patch=None if patch_rows is None else pack_rows(patch_rows, PATCH_LEVELS),
        coarse=pack_rows(flat),
        learned=np.round(inputs["learned"], 4).astype(float).ravel().tolist(),
    )


def tagged_photo(
    photo: np.ndarray,
    inputs: Mapping[str, np.ndarray],
    mask: np.ndarray,
    name: str,
    class_names: Sequence[str],
) -> dict[str, Any]:
    """A photo, the classes it is tagged with, and its mask in their numbering."""
    classes = [int(k) for k in inputs["classes"]]
    return dict(
        name=str(name),
        jpeg=jpeg(photo),
        grid=list(inputs["coarse"].shape[1:]),
        classes=[str(class_names[k]) for k in classes],
        labels=[0, *(k + 1 for k in classes)],
        colours=[PALETTE[1 + k % 10].tolist() for k in classes],
        mask=pack(local_mask(mask, classes)),
    )


def local_mask(mask: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """Dataset labels → 0, p + 1 for the p-th given class, 255 for all else."""
    local = np.where(mask == 0, 0, 255).astype(np.uint8)
    for place, k in enumerate(classes):
        local[mask == k + 1] = place + 1
    return local


def check_inputs(inputs: Mapping[str, np.ndarray], mask: np.ndarray) -> None:
    """Raise ValueError unless the arrays of one photo fit together."""
    classes, h, w = inputs["coarse"].shape
    layers, heads = inputs["learned"].shape
    expected = {
        "classes": (classes,),
        "class_rows": (layers, heads, classes, h * w),
        "patch_rows": (layers, heads, h * w, h * w),
    }
    for key, shape in expected.items():
        if key in inputs and inputs[key].shape != shape:
            raise ValueError(f"{key} is {shape}, came {inputs[key].shape}")
    if mask.ndim != 2:
        raise ValueError(f"a mask is (height, width), came {mask.shape}")
