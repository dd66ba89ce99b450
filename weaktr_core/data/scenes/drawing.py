"""The tools the generated scenes are drawn with.

Colours, a :class:`Canvas` for shapes in unit coordinates, and a :class:`Backdrop`
for gradients and noise. Nothing here knows what is drawn.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, ...]
Points = str | Sequence[Sequence[float]] | np.ndarray
"""Points (n, 2), or their text as in SVG: ``"x,y x,y ..."``."""

SUPERSAMPLE = 2
"""Shapes are drawn this much larger and reduced: that smooths their edges."""

INK: Colour = (38, 32, 48)
WHITE: Colour = (255, 253, 246)
WOOD: Colour = (122, 86, 62)
PAPER: Colour = (238, 216, 178)

_ANGLES = np.linspace(0, 2 * np.pi, 36, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_t = np.linspace(0, 1, 7, endpoint=False)[:, None]
_SPLINE = 0.5 * np.concatenate(
    [
        -_t + 2 * _t**2 - _t**3,
        2 - 5 * _t**2 + 3 * _t**3,
        _t + 4 * _t**2 - 3 * _t**3,
        _t**3 - _t**2,
    ],
    axis=1,
)


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Colour of a hue (any real number, 1 is once around) as RGB in 0..255."""
    rgb = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return tuple(round(255 * part) for part in rgb)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Colour at ``share`` (0..1) of the way from the first to the second."""
    pairs = zip(first[:3], second[:3], strict=True)
    return tuple(round(a + share * (b - a)) for a, b in pairs)


def tint(rng: np.random.Generator) -> Colour:
    """Any friendly colour: the one distribution all objects are painted from.

    A touch of paper in every colour keeps the picture together.
    """
    grey = rng.random() < 0.12
    saturation = rng.uniform(0.05, 0.2) if grey else rng.uniform(0.45, 0.85)
    return mix(hsv(rng.random(), saturation, rng.uniform(0.55, 0.92)), PAPER, 0.24)


@lru_cache(maxsize=256)
def _parse(text: str) -> np.ndarray:
    return np.array([pair.split(",") for pair in text.split()], dtype=float)


def as_points(points: Points) -> np.ndarray:
    """Points in any accepted form as an array (n, 2)."""
    return _parse(points) if isinstance(points, str) else np.asarray(points, float)


def _curve(points: Points, closed: bool) -> np.ndarray:
    """Catmull-Rom curve through the points, (n, 2) -> about (7n, 2)."""
    knots = as_points(points)
    steps = np.arange(-1, 3)[:, None] + np.arange(len(knots) - (not closed))
    steps = steps % len(knots) if closed else steps.clip(0, len(knots) - 1)
    curve = _SPLINE @ knots[steps].reshape(4, -1)
    curve = curve.reshape(len(_SPLINE), -1, 2).transpose(1, 0, 2).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, knots[-1:]])


class Canvas:
    """A transparent sheet; shapes are given in units, x to the right, y down.

    Args:
        size: height and width of the finished sheet in pixels.
        frame: (2, 2) matrix; the rows are the unit x and y steps in pixels (x, y).
        origin: where the point (0, 0) lies, in pixels (x, y).
    """

    def __init__(
        self, size: tuple[int, int], frame: np.ndarray, origin: tuple[float, float]
    ):
        height, width = size
        self._sheet = Image.new("RGBA", (SUPERSAMPLE * width, SUPERSAMPLE * height))
        self._pen = ImageDraw.Draw(self._sheet)
        self._frame = SUPERSAMPLE * np.asarray(frame, dtype=float)
        self._origin = SUPERSAMPLE * np.asarray(origin, dtype=float) - 0.5

    def poly(self, points: Points, colour: Colour) -> None:
        """Fill the polygon through the points (n, 2)."""
        corners = as_points(points) @ self._frame + self._origin
        self._pen.polygon(corners.ravel().tolist(), fill=colour)

    def blob(self, points: Points, colour: Colour) -> None:
        """Fill the smooth closed curve through the points (n, 2)."""
        self.poly(_curve(points, closed=True), colour)

    def oval(
        self, x: float, y: float, rx: float, ry: float, colour: Colour, turn: float = 0
    ) -> None:
        """Fill an ellipse around (x, y), turned by ``turn`` radians."""
        cos, sin = np.cos(turn), np.sin(turn)
        axes = np.array([[rx * cos, rx * sin], [-ry * sin, ry * cos]])
        self.poly(_CIRCLE @ axes + (x, y), colour)

    def ribbon(
        self, points: Points, width: float | tuple[float, float], colour: Colour
    ) -> None:
        """Draw a smooth line with round ends, as wide as ``width`` (start, end)."""
        first, last = width if isinstance(width, tuple) else (width, width)
        spine = _curve(points, closed=False)
        along = np.gradient(spine, axis=0)
        along /= np.hypot(along[:, :1], along[:, 1:]) + 1e-9
        half = np.linspace(first, last, len(spine))[:, None] / 2
        side = half * along[:, ::-1] * (-1, 1)
        self.poly(np.concatenate([spine + side, (spine - side)[::-1]]), colour)
        for (x, y), radius in ((spine[0], first / 2), (spine[-1], last / 2)):
            self.oval(x, y, radius, radius, colour)

    def finish(self) -> Image.Image:
        """The sheet at its finished size, RGBA with smooth edges."""
        return self._sheet.reduce(SUPERSAMPLE)


def noise(
    rng: np.random.Generator,
    size: tuple[int, int],
    cells: tuple[float, float] = (4, 4),
    octaves: int = 3,
) -> np.ndarray:
    """Value noise: random grids, each twice as fine and half as strong.

    Args:
        rng: where the values come from.
        size: height and width of the result.
        cells: grid cells along y and x within the shorter side of the picture.
        octaves: how many grids are added.

    Returns:
        (height, width) float32, mostly within -1..1.
    """
    height, width = size
    total = np.zeros(size, dtype=np.float32)
    for octave in range(octaves):
        scale = 2**octave / min(size)
        shape = [int(n * scale * side) + 2 for n, side in zip(cells, size, strict=True)]
        grid = rng.uniform(-1, 1, shape).astype(np.float32)
        smooth = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(smooth) * 0.5**octave
    return total


class Backdrop:
    """A picture painted from the far to the near, each layer covering the last.

    Attributes:
        pixels: (height, width, 3) float32 in 0..255.
        canvas: a sheet for clutter, whose unit is the picture's shorter side.
        extent: height and width in that unit.
    """

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]):
        self.rng, self.size = rng, size
        height, width = size
        self.pixels = np.zeros((height, width, 3), dtype=np.float32)
        unit = min(size)
        self.extent = height / unit, width / unit
        self.canvas = self._sheet()
        self._y = ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None]
        self._x = ((np.arange(width, dtype=np.float32) + 0.5) / unit)[None]

    def wash(self, top: Colour, bottom: Colour, grain: float = 0.03) -> None:
        """Cover everything with a gradient, slightly mottled."""
        self._cover(np.full((1, 1), -1.0, np.float32), top, bottom, grain, (3, 3))

    def hills(
        self,
        level: float,
        swing: float,
        top: Colour,
        bottom: Colour,
        *,
        grain: float = 0.1,
        cells: tuple[float, float] = (6, 6),
        jagged: bool = False,
    ) -> None:
        """Cover all below a rolling (or jagged) line around ``level`` (0..1)."""
        if jagged:
            knots = np.linspace(0, self._x[0, -1], int(9 * self.extent[1]))
            heights = self.rng.uniform(-1, 1, len(knots))
            line = np.interp(self._x[0], knots, heights)[None]
        else:
            phase, pace = self.rng.uniform(0, 6, 2), self.rng.uniform(3, 6)
            line = np.sin(pace * self._x + phase[0])
            line = 0.7 * line + 0.3 * np.sin(2.3 * pace * self._x + phase[1])
        ridge = (level + swing * line).astype(np.float32)
        self._cover(ridge, top, bottom, grain, cells)

    def _cover(
        self,
        ridge: np.ndarray,
        top: Colour,
        bottom: Colour,
        grain: float,
        cells: tuple[float, float],
    ) -> None:
        """Blend in a layer whose upper edge is ``ridge``, in picture heights."""
        below = np.clip((self._y - ridge) * self.size[0] + 0.5, 0, 1)[..., None]
        start = np.maximum(ridge, 0)
        depth = np.clip((self._y - start) / (1 - start + 1e-3), 0, 1)[..., None]
        first, last = np.asarray(top, np.float32), np.asarray(bottom, np.float32)
        texture = noise(self.rng, self.size, cells, octaves=4)[..., None]
        layer = (first + depth * (last - first)) * (1 + np.float32(grain) * texture)
        self.pixels += below * (layer - self.pixels)

    def scatter(
        self,
        draw: Callable[[Canvas, np.random.Generator, float, float, float], None],
        count: tuple[int, int],
        band: tuple[float, float],
        radius: tuple[float, float],
    ) -> None:
        """Draw clutter at random within a band of the height, the far ones first."""
        tall, wide = self.extent
        spots = np.sort(self.rng.uniform(*band, self.rng.integers(*count)))
        for y in spots:
            x, r = self.rng.uniform(0, wide), self.rng.uniform(*radius)
            draw(self.canvas, self.rng, x, y * tall, r)

    def settle(self) -> None:
        """Put the clutter into the picture, so that later layers hide it."""
        sheet = np.asarray(self.canvas.finish(), dtype=np.float32)
        cover = sheet[..., 3:] / 255
        self.pixels += cover * (sheet[..., :3] - self.pixels)
        self.canvas = self._sheet()

    def _sheet(self) -> Canvas:
        return Canvas(self.size, min(self.size) * np.eye(2), (0, 0))

    def finish(self) -> np.ndarray:
        """The ground with its clutter, (height, width, 3) float32 in 0..255."""
        self.settle()
        return self.pixels
