"""A picture world generated on the spot: storybook scenes with exact masks.

No download, no licence question, any number of pictures, and a mask that is right
to the pixel. A scene is a ground (:mod:`.grounds`), one to three objects
(:mod:`.objects`) that may hide part of each other, and a little light and noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from weaktr_core.data.sample import DataError, Sample
from weaktr_core.data.scenes.drawing import Canvas, noise
from weaktr_core.data.scenes.grounds import paint_ground
from weaktr_core.data.scenes.objects import OBJECTS

CLASSES = tuple(OBJECTS)
"""The class names, in the order of tags and of mask values minus one."""

COUNT_ODDS = (0.35, 0.4, 0.25)
"""How often a scene has one, two or three objects."""

MIN_VISIBLE = 0.35
"""The share of an object's own pixels that must stay visible ..."""

MIN_AREA = 0.015
"""... and the share of the picture these must make up."""

_GROUND, _CAST, _LIGHT = range(3)
_FILL = 0.78  # the area of a typical object in square units of its drawing
_SPAN = 1.8  # a drawing, turned, lies within this many units


@dataclass(frozen=True)
class Cutout:
    """An object cut out along its bounding box.

    Attributes:
        label: index of its class, 0..K-1.
        rgb: (h, w, 3) float32 in 0..255.
        alpha: (h, w) float32 in 0..1.
    """

    label: int
    rgb: np.ndarray
    alpha: np.ndarray

    @property
    def solid(self) -> np.ndarray:
        """(h, w) bool: the pixels that count as the object's own."""
        return self.alpha >= 0.5


Placed = tuple[Cutout, int, int]
"""A cutout with the row and column of its upper left corner in the picture."""


def _stream(seed: int, index: int, part: int) -> np.random.Generator:
    """Random numbers of one part of one scene, independent of all other parts."""
    return np.random.default_rng((seed, index, part))


def draw_object(rng: np.random.Generator, label: int, side: float) -> Cutout:
    """Draw one object of a class with random colours, turn, stretch and flip.

    Args:
        rng: where the random choices come from.
        label: index into ``CLASSES``.
        side: pixels a unit of the drawing measures.

    Returns:
        The object, shaded, cropped to its bounding box.
    """
    turn, stretch = rng.uniform(-0.17, 0.17), rng.uniform(0.92, 1.08)
    flip = rng.choice((-1, 1))
    cos, sin = np.cos(turn), np.sin(turn)
    frame = np.diag([flip * stretch, 1 / stretch]) @ np.array([[cos, sin], [-sin, cos]])
    pixels = int(np.ceil(_SPAN * side))
    canvas = Canvas((pixels, pixels), side * frame, (pixels / 2, pixels / 2))
    OBJECTS[CLASSES[label]](canvas, rng)
    sheet = canvas.finish()
    sheet = sheet.crop(sheet.getbbox())
    alpha = np.asarray(sheet.getchannel("A"), np.float32) / 255
    return Cutout(label, _shade(sheet, side), alpha)


def _shade(sheet: Image.Image, side: float) -> np.ndarray:
    """Light from above and a darker rim, which set an object off its ground."""
    reach = max(1, round(0.05 * side))
    alpha = Image.new("L", (sheet.width + 2 * reach, sheet.height + 2 * reach))
    alpha.paste(sheet.getchannel("A"), (reach, reach))
    soft = np.asarray(alpha.filter(ImageFilter.BoxBlur(reach)), np.float32) / 255
    inner = soft[:, reach:-reach]
    bulge = inner[2 * reach :] - inner[: -2 * reach]
    rim = np.clip(1.9 * inner[reach:-reach] - 0.95, 0, 1)
    fall = np.linspace(1.08, 0.86, sheet.height, dtype=np.float32)[:, None]
    light = fall * (0.72 + 0.28 * rim) * (1 + 0.22 * bulge)
    return np.clip(np.asarray(sheet, np.float32)[..., :3] * light[..., None], 0, 255)


def _cast(rng: np.random.Generator, size: tuple[int, int]) -> list[Cutout]:
    """Choose and draw the objects of a scene, mostly of different classes."""
    count = 1 + int(rng.choice(len(COUNT_ODDS), p=COUNT_ODDS))
    labels = rng.choice(len(CLASSES), count, replace=bool(rng.random() < 0.15))
    largest = (0.5, 0.38, 0.28)[count - 1]
    shares = np.exp(rng.uniform(np.log(0.14), np.log(largest), count))
    sides = np.sqrt(shares * size[0] * size[1] / _FILL)
    sides = np.minimum(sides, 0.85 * min(size))
    pairs = zip(labels, sides, strict=True)
    return [draw_object(rng, int(label), float(side)) for label, side in pairs]


def _place(
    rng: np.random.Generator, cast: list[Cutout], size: tuple[int, int]
) -> list[Placed]:
    """Find room for the objects; a nearer one (lower edge lower) comes later."""
    cast = list(cast)
    for attempt in range(60):
        placed = []
        for cutout in cast:
            high, wide = cutout.alpha.shape
            # Towards the lower edge: most things stand on something.
            down = rng.random() ** 0.6
            row = -0.05 * high + down * max(0.0, size[0] - 0.92 * high)
            column = -0.06 * wide + rng.random() * max(0.0, size[1] - 0.88 * wide)
            placed.append((cutout, round(row), round(column)))
        placed.sort(key=lambda one: one[1] + one[0].alpha.shape[0])
        if _all_visible(placed, size):
            return placed
        if attempt % 20 == 19 and len(cast) > 1:
            cast.pop()
    return placed


def _all_visible(placed: list[Placed], size: tuple[int, int]) -> bool:
    """Whether each object keeps enough of itself, counting what others hide."""
    order = np.zeros(size, dtype=np.uint8)
    for number, one in enumerate(placed, start=1):
        picture, own = _overlap(one, size)
        order[picture][one[0].solid[own]] = number
    seen = np.bincount(order.ravel(), minlength=len(placed) + 1)[1:]
    whole = np.array([one[0].solid.sum() for one in placed])
    return bool(np.all((seen >= MIN_VISIBLE * whole) & (seen >= MIN_AREA * order.size)))


def _overlap(one: Placed, size: tuple[int, int]) -> tuple[tuple, tuple]:
    """Slices of the picture and of the cutout where the two meet."""
    cutout, *corner = one
    picture, own = [], []
    for start, length, limit in zip(corner, cutout.alpha.shape, size, strict=True):
        first, last = max(start, 0), min(start + length, limit)
        picture.append(slice(first, last))
        own.append(slice(first - start, last - start))
    return tuple(picture), tuple(own)


def _shadow(picture: np.ndarray, one: Placed) -> None:
    """Darken the ground softly beneath an object; no part of its mask."""
    cutout, row, column = one
    high, wide = cutout.alpha.shape
    y = (np.arange(picture.shape[0]) - (row + 0.97 * high)) / (0.09 * high)
    x = (np.arange(picture.shape[1]) - (column + 0.5 * wide)) / (0.38 * wide)
    dark = np.exp(-(y[:, None] ** 2)) * np.exp(-(x[None] ** 4))
    picture *= 1 - 0.42 * dark[..., None].astype(np.float32)


def _light(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Uneven light, a tint of the air and sensor noise; uint8 out."""
    glow = noise(rng, picture.shape[:2], (1, 1), octaves=1)[..., None]
    balance = rng.uniform(0.95, 1.05, 3).astype(np.float32)
    picture = picture * (balance * rng.uniform(0.92, 1.06)) * (1 + 0.08 * glow)
    grain = rng.standard_normal(picture.shape, dtype=np.float32)
    picture += rng.uniform(1.0, 4.0) * grain
    return np.clip(picture, 0, 255).astype(np.uint8)


def scene(seed: int, index: int, size: tuple[int, int]) -> Sample:
    """One scene, fully determined by its arguments.

    Args:
        seed: which world, >= 0.
        index: which scene of it, >= 0.
        size: height and width in pixels.

    Returns:
        The picture with its tags and its exact mask (never 255: all is known).
    """
    picture = paint_ground(_stream(seed, index, _GROUND), size)
    rng = _stream(seed, index, _CAST)
    mask = np.zeros(size, dtype=np.uint8)
    for one in _place(rng, _cast(rng, size), size):
        _shadow(picture, one)
        where, own = _overlap(one, size)
        cutout = one[0]
        cover = cutout.alpha[own][..., None]
        picture[where] += cover * (cutout.rgb[own] - picture[where])
        mask[where][cutout.solid[own]] = cutout.label + 1
    tags = np.zeros(len(CLASSES), dtype=np.float32)
    tags[np.unique(mask[mask > 0]) - 1] = 1
    image = _light(_stream(seed, index, _LIGHT), picture)
    return Sample(image, tags, mask, f"scene-{seed}-{index:05d}")


class Scenes:
    """A tagged dataset of generated scenes, drawn anew at every access.

    Args:
        count: how many scenes.
        size: height and width in pixels, or one number for both.
        seed: worlds of different seeds share no scene.

    Raises:
        ValueError: when the shorter side is below 32 pixels, too few to tell
            the objects apart.
    """

    def __init__(self, count: int, size: int | tuple[int, int] = 112, seed: int = 0):
        self.count, self.seed = count, seed
        height, width = (size, size) if isinstance(size, int) else size
        self.size = (int(height), int(width))
        if min(self.size) < 32:
            raise DataError(f"scenes are 32 pixels or larger, got {self.size}")

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, background not among them."""
        return CLASSES

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        """Draw one scene; an IndexError past the end, as of any sequence."""
        if not -self.count <= index < self.count:
            raise IndexError(f"scene {index} of {self.count}")
        return scene(self.seed, index % self.count, self.size)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(self.count))
