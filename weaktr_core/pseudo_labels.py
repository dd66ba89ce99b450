"""From class activation maps to label maps, and both on disk.

CAMs are one ``.npz`` per image: ``classes`` (P,) and ``maps`` (P, height, width) float16,
normalised. Masks are palette PNGs as VOC stores them: 0 background, k + 1, 255.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from weaktr_core.data.sample import DataError, TaggedDataset
from weaktr_core.data.transforms import Statistics, resize_short_side, to_batch
from weaktr_core.grid import map_to_image
from weaktr_core.inference import View, infer_cams, tagged_scores
from weaktr_core.metrics import best_class
from weaktr_core.model import WeakTr
from weaktr_core.runtime import write_atomically


def label_map(scores: np.ndarray, classes: np.ndarray, threshold: float) -> np.ndarray:
    """Label each pixel with its best class if that beats the background score.

    Ties go to the background: a score must be strictly above the threshold.

    Args:
        scores: (P, height, width), normalised maps of the classes present.
        classes: (P,), their indices k.
        threshold: background score.

    Returns:
        (height, width) uint8: 0 or k + 1.
    """
    labels, score = best_class(scores, classes)
    return np.where(score > threshold, labels, 0).astype(np.uint8)


def make_cams(
    model: WeakTr,
    dataset: TaggedDataset,
    statistics: Statistics,
    folder: Path,
    *,
    views: Sequence[View],
    eval_size: int | None = None,
    stage: str = "fine_cam",
) -> None:
    """Write the CAM file of every image; images that have one are skipped.

    Args:
        model: a trained CAM network; put in eval mode.
        dataset: images and tags; masks are not read.
        statistics: of the backbone.
        folder: receives ``NAME.npz``.
        views: scales and flips that are summed.
        eval_size: short side in pixels at scale 1; None keeps the images as they are.
        stage: which map of `CamOutput`.
    """
    device = next(model.parameters()).device
    model.eval()
    for sample in tqdm(dataset, desc="CAMs", unit="image"):
        path = folder / f"{sample.name}.npz"
        if path.exists():
            continue
        image = resize_short_side(sample.image, eval_size)
        maps, _ = infer_cams(
            model, to_batch([image], statistics).to(device), views, [stage]
        )
        full = map_to_image(maps[stage], sample.image.shape[:2])[0]
        scores, classes = tagged_scores(full, sample.tags)
        write_cam(path, scores, classes)


def make_masks(
    dataset: TaggedDataset, cams: Path, folder: Path, threshold: float, sheet: int = 24
) -> None:
    """Turn CAM files into palette masks, and the first few into an overview picture.

    Args:
        dataset: the images, for names and for the sheet.
        cams: folder of `make_cams`.
        folder: receives ``NAME.png`` and ``sheet.jpg`` beside it.
        threshold: background score.
        sheet: how many images the overview shows.
    """
    shown = []
    for index, sample in enumerate(tqdm(dataset, desc="masks", unit="image")):
        scores, classes = read_cam(cams / f"{sample.name}.npz")
        labels = label_map(scores, classes, threshold)
        write_mask(folder / f"{sample.name}.png", labels)
        if index < sheet:
            shown.append(tile(sample.image, labels))
    if shown:
        write_sheet(folder.parent / "sheet.jpg", shown)


TILE = 160  # pixels, side of a picture on the sheet


def tile(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Photo beside its mask overlay, (TILE, 2·TILE, 3)."""
    painted = voc_palette()[labels] * 0.6 + image * 0.4
    overlay = np.where((labels > 0)[..., None], painted, image * 0.6)
    pair = [Image.fromarray(p.astype(np.uint8)).resize((TILE, TILE))
            for p in (image, overlay)]  # fmt: skip
    return np.concatenate([np.asarray(p) for p in pair], axis=1)


def write_sheet(path: Path, tiles: list[np.ndarray], columns: int = 3) -> None:
    """Tiles in rows, as one JPEG."""
    blank = np.full_like(tiles[0], 255)
    tiles = tiles + [blank] * (-len(tiles) % columns)
    rows = [
        np.concatenate(tiles[start : start + columns], axis=1)
        for start in range(0, len(tiles), columns)
    ]
    sheet = Image.fromarray(np.concatenate(rows))
    write_atomically(path, lambda part: sheet.save(part, quality=88))


def write_cam(path: Path, scores: np.ndarray, classes: np.ndarray) -> None:
    """Store normalised maps (P, height, width) of the classes (P,)."""
    classes, maps = classes.astype(np.uint8), scores.astype(np.float16)
    write_atomically(
        path, lambda part: np.savez_compressed(part, classes=classes, maps=maps)
    )


def read_cam(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Scores (P, height, width) float32 and classes (P,) of a CAM file."""
    try:
        with np.load(path) as stored:
            return stored["maps"].astype(np.float32), stored["classes"]
    except FileNotFoundError:
        raise DataError(f"{path}: no CAM file; make-labels writes them") from None
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: expected a CAM file, got {error}") from None


def write_mask(path: Path, labels: np.ndarray) -> None:
    """Store a label map (height, width) uint8 as a palette PNG."""
    image = Image.fromarray(labels.astype(np.uint8), mode="P")
    image.putpalette(voc_palette().flatten().tolist())
    write_atomically(path, lambda part: image.save(part, format="PNG"))


def voc_palette() -> np.ndarray:
    """(256, 3) uint8, VOC's: bits 3j, 3j+1, 3j+2 of an id are bit 7-j of R, G, B."""
    ids = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            on = (ids >> (3 * bit + channel)) & 1
            colours[:, channel] |= (on << (7 - bit)).astype(np.uint8)
    return colours
