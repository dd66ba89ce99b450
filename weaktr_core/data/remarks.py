"""What a whole dataset can and cannot teach: remarks on its tags, and settings for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations

import numpy as np

from weaktr_core.config import PRESETS
from weaktr_core.data.coco import CLASSES as COCO_NAMES
from weaktr_core.data.files import shorten
from weaktr_core.data.voc import CLASSES as VOC_NAMES

FEW = 10
"""Photos of a class below which little can be expected."""

EVERYDAY = frozenset(map(str.lower, (*COCO_NAMES, *VOC_NAMES)))
"""Names of VOC's and COCO's classes, which models that take names know."""

THIN = 1 / 24
"""Width of half a patch of 14 pixels in a photo of 168."""

PAIRS = 5
"""How many classes that hide behind others are listed."""


def tag_remarks(classes: Sequence[str], tags: np.ndarray) -> Iterator[str]:
    """Sentences on classes that the tags alone cannot teach, each with what would.

    Args:
        classes: K names.
        tags: (images, K) bool.
    """
    counts = dict(zip(classes, tags.sum(axis=0).tolist(), strict=True))
    yield from count_remarks(counts, len(tags))
    yield from hidden_classes(classes, tags)
    few = [f"{name} ({count})" for name, count in counts.items() if 0 < count < FEW]
    if few:
        yield (
            f"fewer than {FEW} photos of {shorten(few)}: expect little; a model that knows "
            "the class by its name (SAM 3, an open-vocabulary one) may serve better"
        )
    known = [name for name, n in counts.items() if n and name.lower() in EVERYDAY]
    if known:
        yield (
            f"{shorten(known)}: words that everybody knows; a model that takes names (SAM "
            "3, arXiv 2511.16719, or an open-vocabulary one) needs neither tags nor "
            "training: try one first"
        )


def count_remarks(counts: Mapping[str, int], photos: int) -> Iterator[str]:
    """Sentences on classes that no photo shows, and those that every photo does.

    Args:
        counts: photos of each class.
        photos: of all.
    """
    if absent := [name for name, count in counts.items() if not count]:
        yield f"no photo of {shorten(absent)}: what is never tagged is never learned"
    for name in (name for name, count in counts.items() if count == photos):
        yield (
            f"every photo shows {name}: add photos without it, with no tag; nothing else "
            "says where it is not"
        )


def thin_remark(
    classes: Sequence[str], widths: Mapping[int, Sequence[float]]
) -> Iterator[str]:
    """Classes narrower than half a patch, whose maps take in what lies around.

    Args:
        classes: K names.
        widths: class k → mean width of it in each mask, over the photo's short side.
    """
    mean = {classes[k]: float(np.median(values)) for k, values in widths.items()}
    thin = [f"{name} (1/{1 / w:.0f})" for name, w in mean.items() if w < THIN]
    if thin:
        yield (
            f"{shorten(thin)} of the short side wide, less than half a patch at 168 "
            "pixels (1/24): maps will take in what lies around; take a larger img_size, "
            "cut photos into tiles, or draw masks"
        )


def width_of(area: np.ndarray) -> float:
    """Mean width of a thing (height, width) bool, over the short side: 2 area / border."""
    inside = area[1:-1, 1:-1] & area[:-2, 1:-1] & area[2:, 1:-1]
    inside &= area[1:-1, :-2] & area[1:-1, 2:]
    border = max(int(area.sum()) - int(inside.sum()), 1)
    return 2 * float(area.sum()) / border / min(area.shape)


def hidden_classes(classes: Sequence[str], tags: np.ndarray) -> Iterator[str]:
    """Classes that never occur without another: nothing tells the two apart.

    A class that every photo shows is left out, it has a remark of its own.
    """
    together = tags.T.astype(int) @ tags.astype(int)  # (K, K) photos that show both
    counts = together.diagonal().tolist()
    usable = [k for k, count in enumerate(counts) if 0 < count < len(tags)]
    found: list[tuple[int, str]] = []
    for one, other in permutations(usable, 2):
        if together[one, other] < counts[one]:
            continue
        if counts[one] < counts[other]:
            text = f"{classes[one]} never without {classes[other]}"
            found.append((-counts[one], f"{text} ({counts[one]} photos)"))
        elif one < other:
            text = f"{classes[one]} and {classes[other]} always together"
            found.append((-counts[one], f"{text} ({counts[one]} photos)"))
    for _, text in sorted(found)[:PAIRS]:
        yield f"{text}: tags cannot tell them apart; add photos of one without the other"
    if len(found) > PAIRS:
        yield f"{len(found) - PAIRS} more classes never without another"


def mask_remark(classes: Sequence[str], pixels: np.ndarray) -> str | None:
    """Why masks that show no class measure nothing, and the mend.

    Args:
        classes: K names.
        pixels: (256,) pixels of each mask value.
    """
    if pixels[1 : len(classes) + 1].any() or not pixels.any():
        return None
    if not pixels[255]:
        return "every pixel of every mask is 0, background"
    return (
        "masks hold 0 and 255 only, and 255 means 'do not count'; if it means "
        f"{classes[0]}, a file labelmap.txt with the line {classes[0]}:255,255,255 says so"
    )


FOLDERS = PRESETS["photos"]

PRESET_STEPS = FOLDERS.epochs * 53 // FOLDERS.batch_size
"""Steps that the preset "photos" was chosen with: 60 epochs of 53 photos, 16 at a time."""

MIB_A_PATCH, MIB_BESIDES = 1.0, 1400
"""Memory that training takes for a patch of each photo of a batch, and besides; float32,
a little more than ``benchmarks/memory.py`` measured."""


def advise_settings(
    images: int, sides: Sequence[int], side: int | None = None, free: int | None = None
) -> Iterator[tuple[str, str]]:
    """Settings that fit so many photos and this machine, each with its reason.

    Args:
        images: to train on.
        sides: short sides of the photos, pixels.
        side: ``img_size`` that was asked for; default: by the sides.
        free: bytes of memory; default: what is free where the training will run.
    """
    from accelerate.utils import get_max_memory

    free = next(iter(get_max_memory().values())) if free is None else free
    short = int(np.median(sides)) if len(sides) else 0
    if side is None and 0 < short < FOLDERS.img_size:
        side = max(56, short // 14 * 14)
        yield f"img_size={side} eval_size={side}", f"half of the photos are below {short}"
    side = side or FOLDERS.img_size
    each = MIB_A_PATCH * (side // 14) ** 2
    fitting = int((free / 2**21 - MIB_BESIDES) / each)  # in half of what is free
    batch = max(1, min(FOLDERS.batch_size, images // 2, fitting))
    yield (
        f"batch_size={batch}",
        f"a photo of {side} pixels takes {each / 2**10:.2f} GiB, and half of the "
        f"{free / 2**30:.0f} that are free may be used; two batches at least, and "
        f"{FOLDERS.batch_size} photos at most",
    )
    epochs = round(4 * PRESET_STEPS * batch / max(images, 1))
    epochs = max(3, min(FOLDERS.epochs, epochs))
    yield (
        f"epochs={epochs}",
        f"{epochs * images // batch:,} steps of {batch}; more photos need fewer passes",
    )
    yield (
        f"model={FOLDERS.model}".replace(" ", ""),
        "the same for any number of photos: nothing else was compared, and this was "
        "trained with 25 to 400 photos of three classes and 3,469 of twenty",
    )
