"""Draw the first page's strip from two photographs: ``python book/story.py``.

The network is the one that the package ships, which learned from tags of VOC's
photographs; it never saw these two, which scikit-image ships, nor a mask of any photo.
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
from weaktr_core import WeakTr
from weaktr_core.data.photos import photo
from weaktr_core.figures import show_image, show_mask, show_overlay
from weaktr_core.figures.style import HEAT
from weaktr_core.labels import crf, recipe
from weaktr_core.labels.views import infer_cams, make_views, tagged_scores

TARGET = Path(__file__).parent / "vendor" / "story.png"
TOLD = (("cat", "cat"), ("astronaut", "person"))  # photo, tag
SIDE, PATCH = 280, 14  # pixels
WIDTH = 10.0  # inches, at 120 dots each
TITLES = (
    "a photo and its tag",
    "how each of the 72 heads looks at it",
    "evidence for them",
    "with the heads' help",
    "mask",
)


@dataclass
class Told:
    """One photograph and what the network made of it."""

    image: np.ndarray  # (height, width, 3)
    tags: str
    heads: np.ndarray  # (L, H, h, w), the tag's class token
    coarse: np.ndarray  # (h, w)
    fine: np.ndarray  # (height, width), in 0…1
    labels: np.ndarray  # (height, width)


def main() -> int:
    """Tell both photographs, draw them, say how large the picture is."""
    model = WeakTr.pretrained("voc")
    seen = [look(model, name, tag) for name, tag in TOLD]
    background = recipe.label_free_threshold(s for _, s, *_ in seen)
    settings = crf.CRF_PRESETS["voc-cam"] if crf.crf_available() else None
    labeller = recipe.LabelRecipe(background, settings)
    stories = [
        Told(image, tag, heads, coarse, scores[0], labeller(image, scores, k))
        for (_, tag), (image, scores, k, coarse, heads) in zip(
            TOLD, seen, strict=True
        )
    ]
    save(draw(stories), TARGET)
    sys.stdout.write(f"{TARGET}: {TARGET.stat().st_size / 1e3:.0f} kB\n")
    return 0


@torch.no_grad()
def look(model, name, tag):
    """Photo, scores (1, height, width), class (1,), coarse (h, w), heads (L, H, h, w)."""
    image = square(photo(name, SIDE))
    kinds = list(model.notes["classes"])
    tags = np.eye(len(kinds))[kinds.index(tag)]
    images = model.prepare(image)
    maps, out = infer_cams(model, images, make_views([1.0]), ["fine_cam"])
    scores, classes = tagged_scores(maps["fine_cam"][0], tags)
    attention = model.attention_maps(images)[0]
    grid = out.coarse_cam.shape[2:]
    heads = attention[:, :, classes[0], len(kinds) :].unflatten(2, grid)
    coarse = out.coarse_cam[0, classes[0]]
    return image, scores, classes, coarse.numpy(), heads.numpy()


def square(image: np.ndarray) -> np.ndarray:
    """The middle of a photo, as high as wide, in whole patches."""
    side = min(image.shape[:2]) // PATCH * PATCH
    top, left = ((n - side) // 2 for n in image.shape[:2])
    return image[top : top + side, left : left + side]


def draw(stories: list[Told]) -> plt.Figure:
    """A row per photograph; the heads' panel is as wide as two."""
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
