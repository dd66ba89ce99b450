"""Draw the first page's strip from the trained run: ``python book/story.py``.

The run is the one of chapter 8, trained here if it is not there yet. Of sixty unseen
scenes the one with the best mask and the one with the worst are shown, so that the strip
neither flatters nor has to be chosen by anybody.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from weaktr_core import data
from weaktr_core.config import preset
from weaktr_core.figures import show_image, show_mask, show_overlay
from weaktr_core.figures.style import HEAT
from weaktr_core.labels import crf, recipe
from weaktr_core.labels.views import infer_cams, make_views, tagged_scores
from weaktr_core.networks.checkpoints import load_checkpoint
from weaktr_core.recipes import train_or_load
from weaktr_core.scores import metrics

TARGET = Path(__file__).parent / "vendor" / "story.png"
COUNT = 60
WIDTH = 10.0  # inches, at 120 dots each
TITLES = (
    "a scene and its tags",
    "how each of the 72 heads looks at it",
    "evidence for them",
    "with the heads' help",
    "mask",
)


@dataclass
class Told:
    """One scene and what the network made of it."""

    image: np.ndarray  # (height, width, 3)
    tags: str
    heads: np.ndarray  # (L, H, h, w), the first tag's class token
    coarse: np.ndarray  # (h, w), largest over the tags
    fine: np.ndarray  # (height, width), the same, in 0…1
    labels: np.ndarray  # (height, width)
    miou: float


def main() -> int:
    """Draw the strip; 0."""
    stories = sorted(tell(COUNT), key=lambda story: story.miou)
    figure = draw([stories[-1], stories[0]])
    save(figure, TARGET)
    sizes = ", ".join(f"{100 * s.miou:.0f} %" for s in stories[:: COUNT - 1])
    sys.stdout.write(
        f"{TARGET}: {TARGET.stat().st_size / 1e3:.0f} kB, worst and best {sizes}\n"
    )
    return 0


def tell(count: int) -> list[Told]:
    """What the trained network makes of unseen scenes, no mask used but for the score."""
    config = preset("laptop")
    model = load_checkpoint(train_or_load(config).best).eval()
    scenes = data.open_dataset(
        "scenes", "val", size=config.img_size, count=count
    )
    samples = [scenes[i] for i in range(count)]
    seen = [look(model, sample) for sample in samples]
    background = recipe.label_free_threshold(s for _, s, _, _ in seen)
    settings = crf.CRF_PRESETS["voc-cam"] if crf.crf_available() else None
    labeller = recipe.LabelRecipe(background, settings)
    return [
        one_story(sample, *found, labeller, scenes.classes)
        for sample, found in zip(samples, seen, strict=True)
    ]


@torch.no_grad()
def look(model, sample):
    """Coarse CAM (h, w), scores (P, height, width), their classes, heads (L, H, h, w)."""
    images = model.prepare(sample.image)
    maps, out = infer_cams(model, images, make_views([1.0]), ["fine_cam"])
    scores, classes = tagged_scores(maps["fine_cam"][0], sample.tags)
    grid = out.coarse_cam.shape[2:]
    attention = model.attention_maps(images)[0]
    kinds = out.coarse_cam.shape[1]
    heads = attention[:, :, classes[0], kinds:].unflatten(2, grid)
    coarse = out.coarse_cam[0, classes].amax(dim=0)
    return coarse.numpy(), scores, classes, heads.numpy()


def one_story(sample, coarse, scores, classes, heads, labeller, names) -> Told:
    """Label one scene and score the labels over the classes that are there."""
    labels = labeller(sample.image, scores, classes)
    confusion = metrics.ConfusionMatrix(len(names) + 1)
    confusion.update(sample.mask, labels)
    tags = ", ".join(names[k] for k in classes)
    return Told(
        sample.image,
        tags,
        heads,
        coarse,
        scores.max(axis=0),
        labels,
        confusion.miou,
    )


def draw(stories: list[Told]) -> plt.Figure:
    """A row per scene; the heads' panel is as wide as two."""
    unit = WIDTH / (len(TITLES) + 1)
    figure, grid = plt.subplots(
        len(stories),
        len(TITLES),
        figsize=(WIDTH, len(stories) * unit + 0.24),
        width_ratios=[1, 2.02, 1, 1, 1],
        facecolor="white",
        layout="constrained",
    )
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.02, wspace=0, hspace=0)
    for row, story in zip(grid, stories, strict=True):
        titles = TITLES if row[0] is grid[0, 0] else [""] * len(TITLES)
        show_image(story.image, titles[0], row[0])
        row[0].text(0.03, 0.04, story.tags, transform=row[0].transAxes, fontsize=9,
                    bbox={"facecolor": "white", "alpha": 0.85, "pad": 2, "lw": 0})  # fmt: skip
        show_image(mosaic(story.heads), titles[1], row[1])
        show_overlay(story.image, story.coarse, titles[2], row[2])
        show_overlay(story.image, story.fine, titles[3], row[3])
        show_mask(story.image, story.labels, titles[4], row[4])
    return figure


def mosaic(heads: np.ndarray) -> np.ndarray:
    """(rows, columns, 3): a small picture per head, layers from left to right."""
    layers, per_layer, h, w = heads.shape
    sheet = np.full((per_layer * (h + 1) - 1, layers * (w + 1) - 1, 3), 255)
    for layer, head in np.ndindex(layers, per_layer):
        picture = np.sqrt(heads[layer, head])
        colours = matplotlib.colormaps[HEAT](picture / picture.max())
        top, left = head * (h + 1), layer * (w + 1)
        sheet[top : top + h, left : left + w] = 255 * colours[..., :3]
    return sheet.astype(np.uint8)


def save(figure: plt.Figure, path: Path) -> None:
    """As a PNG of 256 colours, which is a quarter of the size."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=120)
    picture = Image.open(buffer).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
