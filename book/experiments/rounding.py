"""What bytes for weights cost: python book/experiments/rounding.py → rounding.json.

Maps of scikit-image's photos by rounded weights, beside those by the weights as they
were trained. Some seconds a row, on one core.
"""

from __future__ import annotations

import gzip

import numpy as np
import torch
from safetensors.torch import save
from scipy.stats import spearmanr
from torch import Tensor
from weaktr_core.data.photos import PHOTOS, photo
from weaktr_core.data.transforms import resize_short_side
from weaktr_core.labels.recipe import label_map
from weaktr_core.method.cams import normalise
from weaktr_core.method.grid import map_to_image
from weaktr_core.networks.cam import CamOutput, WeakTr
from weaktr_core.page.packing import tensors
from weaktr_core.page.rounding import LEVELS, rounded
from weaktr_core.runtime import write_json

from tables import RESULTS

STEPS = (LEVELS, 63, 31, 15, 7)
NETWORK, SIDE, PATCH, THRESHOLD = "voc", 224, 14, 0.4


def main() -> None:
    """Measure all rows and store them."""
    network = WeakTr.pretrained(NETWORK)
    photos = [whole_patches(photo(name)) for name in PHOTOS]
    before = [look(network, one) for one in photos]
    rows = [row(network, photos, before, levels) for levels in STEPS]
    result = dict(
        photos=len(photos),
        float_bytes=sum(
            4 * v.numel() for n, v in tensors(network).items() if "scale" not in n
        ),
        rows=rows,
    )
    write_json(RESULTS / "rounding.json", result)


def whole_patches(image: np.ndarray) -> np.ndarray:
    """A photo of 224 pixels a short side, cut to patches at the right and below."""
    image = resize_short_side(image, SIDE)
    height, width = (side // PATCH * PATCH for side in image.shape[:2])
    return image[:height, :width]


@torch.no_grad()
def look(network: WeakTr, image: np.ndarray) -> tuple[CamOutput, Tensor]:
    """All maps of a photo, and its heads' class rows (L·H·K, N)."""
    tokens = network.encode(network.prepare(image))
    rows = torch.cat([layer.rows(slice(0, network.num_classes)) for layer in tokens.layers])
    return network.read_out(tokens), rows[..., network.num_classes :].flatten(0, -2)


def row(
    network: WeakTr,
    photos: list[np.ndarray],
    before: list[tuple[CamOutput, Tensor]],
    levels: int,
) -> dict[str, float]:
    """Size and differences at a number of steps, means over photos."""
    other = rounded(network, levels)
    packed = len(gzip.compress(save(tensors(network, levels)), 9, mtime=0))
    each = [
        differences(old, look(other, image), image.shape[:2])
        for image, old in zip(photos, before, strict=True)
    ]
    means = {name: float(np.mean([d[name] for d in each])) for name in each[0]}
    return dict(levels=levels, bytes=packed, **means)


def differences(
    old: tuple[CamOutput, Tensor], new: tuple[CamOutput, Tensor], size: tuple[int, int]
) -> dict[str, float]:
    """Of one photo: how alike heads rank patches, how far maps and masks are apart."""
    (output, rows), (other, other_rows) = old, new
    ranks = [
        spearmanr(a, b).statistic
        for a, b in zip(rows.numpy(), other_rows.numpy(), strict=True)
    ]
    off = (other.fine_cam - output.fine_cam).norm() / output.fine_cam.norm()
    masks = [mask(one, output, size) for one in (output, other)]
    both, either = np.logical_and(*masks).sum(), np.logical_or(*masks).sum()
    same = np.logical_and(masks[0] > 0, masks[0] == masks[1]).sum()
    return dict(
        rank_correlation=float(np.mean(ranks)),
        fine_cam=float(off),
        mask_iou=float(same / either) if both else float(not either),
    )


def mask(output: CamOutput, judge: CamOutput, size: tuple[int, int]) -> np.ndarray:
    """Labels (height, width) of the classes that ``judge`` believes in."""
    likely = judge.coarse_logits[0]
    classes = np.union1d(np.flatnonzero(likely > 0), [int(likely.argmax())])
    scores = normalise(map_to_image(output.fine_cam[:, classes], size))[0].numpy()
    return label_map(scores, classes, THRESHOLD)


if __name__ == "__main__":
    main()
