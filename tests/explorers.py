"""One of each explorer with little in it, for the tests that all of them must pass."""

import numpy as np

from weaktr_core.widgets import (
    explore_class_tokens,
    explore_clipping,
    explore_fusion,
    explore_heads,
    explore_patches,
    explore_review,
    explore_stages,
    explore_thresholds,
    explore_training,
    explore_votes,
)

GRID, LAYERS, HEADS, SIZE = (6, 8), 3, 2, (60, 80)
RANDOM = np.random.default_rng(2)
PHOTO = RANDOM.integers(0, 255, (*SIZE, 3), dtype=np.uint8)
SCORES = RANDOM.gamma(0.4, size=(2, LAYERS, HEADS, 50, 50)).astype(np.float32)
SCORES /= SCORES.sum(axis=-1, keepdims=True)
WEIGHTS = RANDOM.uniform(0.5, 1.5, (3, 2, LAYERS, HEADS))
MAPS = RANDOM.gamma(0.5, size=(3, 2, 2, *GRID))
LABEL, TRUTH = RANDOM.integers(0, 3, (2, *SIZE)).astype(np.uint8)
SOFT = RANDOM.random((2, *SIZE))
LOSS = RANDOM.gamma(0.7, 1.0, SIZE)


def named(name, host, **options):
    """What explorers of two photos share: the names of the photos and the host."""
    return dict(names=[name, f"{name} again"], host=host, **options)


def heads(name="cat", host="html"):
    """Two tokens before the patches, all patches as queries."""
    tokens = [f"{name} token", "dog token"]
    options = named(name, host, tokens=tokens, grid=GRID, every=1)
    return explore_heads([PHOTO, PHOTO], list(SCORES), **options)


def patches(name="cat", host="html"):
    """Both heads and their mean."""
    options = dict(prefix=2, grid=GRID, heads=(0, 1), host=host)
    return explore_patches(PHOTO, SCORES[0], name=name, **options)


def class_tokens(name="cat", host="html"):
    """Two stages, masks and head weights."""
    rows = SCORES[:, :, :, :2, 2:]
    options = named(name, host, stages=[f"{name} before", "after"], grid=GRID)
    options |= dict(weights=WEIGHTS[:2], tags=np.array([[1, 0], [1, 1]]))
    options["cover"] = (MAPS[0] > 0.5).reshape(2, 2, -1).astype(np.float32)
    return explore_class_tokens([PHOTO] * 2, [rows, rows[::-1]], [name, "dog"], **options)


def thresholds(name="cat", host="html"):
    """True masks, curves, both marks and labels after a CRF."""
    options = named(name, host, class_names=[name, "dog"], iou=RANDOM.random((101, 3)))
    options |= dict(otsu=0.4, peeked=0.6, crf=[LABEL[None]] * 2, crf_thresholds=(0.5,))
    return explore_thresholds(
        [PHOTO] * 2, [SOFT] * 2, [np.array([0, 1])] * 2, [TRUTH] * 2, **options
    )


def clipping(name="cat", host="html"):
    """True labels; more is clipped in the second photo."""
    options = named(name, host, class_names=[name, "dog"], start=2.0, window=12)
    losses, truths = [LOSS, 2 * LOSS], [TRUTH] * 2
    return explore_clipping([PHOTO] * 2, [LABEL] * 2, losses, truths, **options)


def fusion(name="cat", host="html"):
    """Two classes on each photo, with a fine CAM."""
    one = dict(
        classes=np.array([0, 1]),
        class_rows=SCORES[0, :, :, :2, 2:],
        patch_rows=SCORES[0, :, :, 2:, 2:],
        coarse=MAPS[0, 0],
        learned=WEIGHTS[0, 0],
    )
    options = named(name, host, class_names=[name, "dog"])
    return explore_fusion([PHOTO] * 2, [one] * 2, [TRUTH] * 2, **options)


def training(name="cat", host="html"):
    """Two stages, one panel of curves."""
    options = named(name, host, stages=[f"{name} coarse", "fine"])
    curves = {name: {name: [1, 2.5, None]}}
    return explore_training(WEIGHTS, MAPS, [PHOTO] * 2, curves, **options)


def votes(name="cat", host="html"):
    """Two classes, the second in both photos, the first in one."""
    options = named(name, host, class_names=[name, "dog"], tags=np.array([[1, 1], [0, 1]]))
    return explore_votes([PHOTO] * 2, [MAPS[0, 0] - 0.4, MAPS[1, 1] - 0.6], **options)


def stages(name="cat", host="html"):
    """Two classes on each photo."""
    one = dict(
        classes=np.array([0, 1]),
        coarse=MAPS[0, 0],
        cross=SCORES[0, 0, 0, :2, 2:].reshape(2, *GRID),
        affinity=SCORES[0, 1, 0, 2:, 2:],
    )
    options = named(name, host, class_names=[name, "dog"])
    return explore_stages([PHOTO] * 2, [one] * 2, [TRUTH] * 2, **options)


def review(name="cat", host="html"):
    """Two tags on the first photo, one on the second; nothing said."""
    options = dict(class_names=[name, "dog"], threshold=0.4, host=host)
    options["names"] = [name, f"{name} again"]
    sure = [np.array([0.2, 0.9]), np.array([0.6, 0.1])]
    tags = [np.array([0, 1]), np.array([0])]
    return explore_review([PHOTO] * 2, [SOFT, SOFT[:1]], tags, sure, **options)


# Another explorer joins the tests of all of them here, and with its lines in their tables.
ALL = [heads, patches, class_tokens, thresholds, clipping, fusion, training, votes, stages,
       review]  # fmt: skip
