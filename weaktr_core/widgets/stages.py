"""The stage explorer: cap, product and jumps as switches, map and mask follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weaktr_core.widgets.fusion import tagged_photo
from weaktr_core.widgets.host import explorer
from weaktr_core.widgets.pack import check_photo, pack_rows, photo_names


def explore_stages(
    photos: np.ndarray | Sequence[np.ndarray],
    inputs: Sequence[Mapping[str, np.ndarray]],
    masks: np.ndarray | Sequence[np.ndarray],
    *,
    class_names: Sequence[str],
    names: Sequence[str] | None = None,
    cap: float = 1.0,
    host: str | None = None,
) -> Any:
    """Switch the steps from evidence to an object on and off; map, mask, mIoU follow.

    The mIoU is counted as in `fusion.explore_fusion`: of one photo at its best
    threshold, of all photos at one threshold for all. Both peek at the masks.

    Args:
        photos: each (height, width, 3) uint8, whole patches.
        inputs: of each photo the plain arrays that `look.stage_inputs` returns:
            ``classes`` (P,) indices, ``coarse`` (P, h, w), ``cross`` (P, h, w) without
            a cap, ``affinity`` (N, N), what each of the N = h·w patches gathers.
        masks: each (height, width) uint8: 0, k + 1 for class k, 255.
        class_names: K names.
        names: what the photos show; default "photo 1", …
        cap: of the cross-attention map, in means of it.
        host: "live", "html", or None to find out, see `host.choose_host`.

    Returns:
        A live widget or a `host.Page`. Traits: ``photo``, ``shown`` (which of the
        photo's classes is drawn), ``coarse``, ``cross`` and ``cap`` (bool), ``jumps``
        (int), ``threshold`` (float) and ``follow`` (it is kept at the best).

    Raises:
        ValueError: where shapes do not fit.
    """
    if not len(photos) == len(inputs) == len(masks):
        came = f"{len(photos)} photos, {len(inputs)} inputs, {len(masks)} masks"
        raise ValueError(f"one of each per photo, came {came}")
    names = photo_names(names, len(photos))
    shown = [
        describe(*one, class_names=class_names)
        for one in zip(photos, inputs, masks, names, strict=True)
    ]
    data = dict(photos=shown, labels=1 + len(class_names), cap=float(cap))
    state = dict(
        photo=0,
        shown=0,
        coarse=True,
        cross=False,
        cap=True,
        jumps=0,
        threshold=0.5,
        follow=True,
    )
    sentence = f"{names[0]}: how cap, product and jumps turn evidence into an object."
    return explorer(
        "stages", data, state, sentence=sentence, poster=shown[0]["jpeg"], host=host
    )


def describe(
    photo: np.ndarray,
    inputs: Mapping[str, np.ndarray],
    mask: np.ndarray,
    name: str,
    *,
    class_names: Sequence[str],
) -> dict[str, Any]:
    """A photo, its maps before any step, and its mask."""
    check_photo(photo)
    check_stages(inputs, mask)
    rows = {n: inputs[n].astype(np.float32) for n in ("coarse", "cross", "affinity")}
    count = len(rows["coarse"])
    return dict(
        **tagged_photo(photo, inputs, mask, name, class_names),
        coarse=pack_rows(rows["coarse"].reshape(count, -1)),
        cross=pack_rows(rows["cross"].reshape(count, -1)),
        affinity=pack_rows(rows["affinity"]),
    )


def check_stages(inputs: Mapping[str, np.ndarray], mask: np.ndarray) -> None:
    """Raise ValueError unless the arrays of one photo fit together."""
    classes, h, w = inputs["coarse"].shape
    expected = {
        "classes": (classes,),
        "cross": (classes, h, w),
        "affinity": (h * w, h * w),
    }
    for key, shape in expected.items():
        if inputs[key].shape != shape:
            raise ValueError(f"{key} is {shape}, came {inputs[key].shape}")
    if mask.ndim != 2:
        raise ValueError(f"a mask is (height, width), came {mask.shape}")
