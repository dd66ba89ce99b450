"""The grounds objects stand on: gradients, noise and clutter of no class.

A ground knows nothing of the objects, and any object may come to stand on any
ground: a fish on a meadow teaches a classifier to look at the fish.
"""

from __future__ import annotations

import numpy as np

from weaktr_core.data.scenes.drawing import (
    INK,
    WHITE,
    WOOD,
    Backdrop,
    Canvas,
    Colour,
    hsv,
    mix,
    tint,
)


def _cloud(c: Canvas, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    for step, size in ((-1.1, 0.6), (-0.4, 0.9), (0.5, 0.8), (1.2, 0.5)):
        puff = size * r
        c.oval(x + step * r, y - 0.3 * puff, puff, 0.6 * puff, (*WHITE, 170))


def _dot(c: Canvas, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    c.oval(x, y, r, r, (*WHITE, 200))


def _bubble(c: Canvas, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    c.oval(x, y, r, r, (220, 245, 250, 170))
    c.oval(x, y, 0.75 * r, 0.75 * r, (190, 230, 240, 70))
    c.oval(x - 0.3 * r, y - 0.3 * r, 0.25 * r, 0.25 * r, WHITE)


def _pebble(c: Canvas, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    stone = hsv(rng.random(), 0.12, rng.uniform(0.4, 0.75))
    c.oval(x, y + 0.25 * r, 1.1 * r, 0.65 * r, (*INK, 70))
    c.oval(x, y, r, 0.7 * r, stone)
    c.oval(x - 0.2 * r, y - 0.2 * r, 0.5 * r, 0.25 * r, mix(stone, WHITE, 0.3))


def _tuft(c: Canvas, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    grass = hsv(rng.uniform(0.2, 0.36), 0.6, rng.uniform(0.35, 0.65))
    for lean in (-0.7, -0.25, 0.2, 0.65):
        tip = (x + lean * r, y - r * (1.3 - abs(lean)))
        root, half = x + 0.3 * lean * r, 0.09 * r
        c.poly([(root - half, y), tip, (root + half, y)], grass)


def _leaf(c: Canvas, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    turn = rng.uniform(0, 3.1)
    colour = hsv(rng.uniform(0.02, 0.22), 0.65, rng.uniform(0.45, 0.8))
    c.oval(x, y, r, 0.42 * r, colour, turn)
    dx, dy = r * np.cos(turn), r * np.sin(turn)
    c.ribbon([(x - dx, y - dy), (x + dx, y + dy)], 0.14 * r, mix(colour, INK, 0.4))


def _ball(c: Canvas, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    colour = tint(rng)
    c.oval(x, y + 0.9 * r, 1.0 * r, 0.3 * r, (*INK, 80))
    c.oval(x, y, r, r, colour)
    c.oval(x, y, r, 0.3 * r, mix(colour, WHITE, 0.45), rng.uniform(-0.6, 0.6))
    c.oval(x - 0.35 * r, y - 0.4 * r, 0.2 * r, 0.2 * r, WHITE)


def _bush(c: Canvas, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    colour = hsv(rng.uniform(0.22, 0.42), 0.45, rng.uniform(0.35, 0.6))
    for step, size in ((-0.7, 0.6), (0.7, 0.6), (0.0, 0.85)):
        c.oval(x + step * r, y - 0.3 * size * r, size * r, 0.7 * size * r, colour)
        colour = mix(colour, WHITE, 0.06)


def _trunk(c: Canvas, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    bark = (*mix(WOOD, INK, rng.uniform(0.2, 0.7)), 190)
    c.poly([(x - 0.7 * r, -0.1), (x + 0.7 * r, -0.1), (x + r, y), (x - r, y)], bark)


def _weed(c: Canvas, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    colour = hsv(rng.uniform(0.3, 0.5), 0.55, rng.uniform(0.3, 0.6))
    sway = rng.uniform(0.2, 0.5) * r
    stem = [(x, y), (x + sway, y - 0.5 * r), (x - sway, y - r), (x, y - 1.5 * r)]
    c.ribbon(stem, (0.25 * r, 0.08 * r), (*colour, 220))


def meadow(b: Backdrop) -> None:
    """Grass and hills under a clouded sky."""
    sky, grass = b.rng.uniform(0.52, 0.6), b.rng.uniform(0.2, 0.34)
    b.wash(hsv(sky, 0.55, 0.88), hsv(sky, 0.15, 0.98))
    b.scatter(_cloud, (1, 4), (0.05, 0.3), (0.05, 0.12))
    level = b.rng.uniform(0.3, 0.55)
    b.hills(level, 0.06, hsv(grass + 0.08, 0.35, 0.72), hsv(grass, 0.45, 0.6))
    near = hsv(grass, 0.55, 0.72), hsv(grass, 0.65, 0.45)
    b.hills(level + 0.12, 0.04, *near, grain=0.16, cells=(6, 16))
    b.scatter(_bush, (0, 3), (level + 0.1, level + 0.16), (0.06, 0.12))
    b.scatter(_tuft, (4, 12), (level + 0.25, 1.0), (0.03, 0.07))


def beach(b: Backdrop) -> None:
    """Sand before the sea."""
    sea, sand = b.rng.uniform(0.47, 0.58), b.rng.uniform(0.08, 0.13)
    b.wash(hsv(sea + 0.04, 0.4, 0.92), hsv(sea, 0.08, 1.0))
    b.scatter(_cloud, (0, 3), (0.05, 0.2), (0.05, 0.1))
    level = b.rng.uniform(0.25, 0.45)
    water = hsv(sea, 0.65, 0.65), hsv(sea - 0.05, 0.35, 0.9)
    b.hills(level, 0.0, *water, grain=0.12, cells=(24, 3))
    shore = level + b.rng.uniform(0.12, 0.25)
    b.hills(shore - 0.025, 0.03, WHITE, WHITE, grain=0.03)
    b.hills(shore, 0.03, hsv(sand, 0.35, 0.85), hsv(sand, 0.4, 0.95), grain=0.07)
    b.scatter(_pebble, (3, 10), (shore + 0.08, 1.0), (0.012, 0.04))


def snow(b: Backdrop) -> None:
    """Snowy slopes before jagged mountains."""
    hue = b.rng.uniform(0.52, 0.68)
    b.wash(hsv(hue, 0.4, 0.85), hsv(hue - 0.05, 0.1, 0.96))
    level = b.rng.uniform(0.3, 0.5)
    b.hills(level - 0.05, 0.1, hsv(hue, 0.15, 0.8), hsv(hue, 0.3, 0.6), jagged=True)
    b.hills(level + 0.1, 0.06, hsv(hue, 0.05, 0.95), hsv(hue, 0.24, 0.74), grain=0.05)
    b.hills(level + 0.28, 0.05, hsv(hue, 0.03, 0.96), hsv(hue, 0.17, 0.84), grain=0.05)
    b.scatter(_pebble, (0, 5), (level + 0.2, 1.0), (0.015, 0.035))
    b.scatter(_dot, (0, 40), (0.0, 1.0), (0.005, 0.01))


def night(b: Backdrop) -> None:
    """Dark hills under stars and a moon."""
    hue = b.rng.uniform(0.6, 0.78)
    b.wash(hsv(hue, 0.6, 0.22), hsv(hue + b.rng.uniform(0, 0.25), 0.45, 0.6))
    b.scatter(_dot, (15, 40), (0.0, 0.5), (0.003, 0.008))
    b.scatter(_dot, (0, 2), (0.1, 0.25), (0.05, 0.09))
    level = b.rng.uniform(0.45, 0.6)
    b.hills(level, 0.08, hsv(hue, 0.5, 0.36), hsv(hue, 0.5, 0.28))
    b.hills(level + 0.14, 0.05, hsv(hue - 0.1, 0.45, 0.4), hsv(hue - 0.1, 0.5, 0.22))
    b.scatter(_pebble, (0, 5), (level + 0.25, 1.0), (0.015, 0.04))


def room(b: Backdrop) -> None:
    """Wallpaper, a skirting board and a wooden floor."""
    base = hsv(b.rng.random(), b.rng.uniform(0.1, 0.35), b.rng.uniform(0.7, 0.92))
    b.wash(base, mix(base, WHITE, 0.15), grain=0.03)
    _wallpaper(b, (*mix(base, tint(b.rng), 0.35), 180))
    b.settle()
    level, wood = b.rng.uniform(0.5, 0.7), b.rng.uniform(0.05, 0.1)
    b.hills(level - 0.04, 0.0, WHITE, mix(WHITE, INK, 0.3), grain=0.02)
    floor = hsv(wood, 0.5, 0.55), hsv(wood, 0.5, 0.75)
    b.hills(level, 0.0, *floor, grain=0.13, cells=(18, 2))


def _wallpaper(b: Backdrop, motif: Colour) -> None:
    """Stripes or staggered dots."""
    tall, wide = b.extent
    pitch, striped = b.rng.uniform(0.1, 0.2), b.rng.random() < 0.5
    for column, x in enumerate(np.arange(pitch / 2, wide, pitch)):
        if striped:
            right = x + pitch / 3
            b.canvas.poly([(x, 0), (right, 0), (right, tall), (x, tall)], motif)
            continue
        for y in np.arange(pitch * (0.5 + column % 2 / 2), 0.7 * tall, pitch):
            b.canvas.oval(x, y, 0.16 * pitch, 0.16 * pitch, motif)


def forest(b: Backdrop) -> None:
    """Trunks in the haze above a floor of leaves."""
    hue = b.rng.uniform(0.2, 0.42)
    b.wash(hsv(hue, 0.3, 0.75), hsv(hue, 0.3, 0.6), grain=0.14)
    level = b.rng.uniform(0.45, 0.65)
    b.scatter(_trunk, (3, 8), (level + 0.03, level + 0.1), (0.015, 0.05))
    b.settle()
    soil = b.rng.uniform(0.05, 0.16)
    b.hills(level, 0.05, hsv(soil + 0.1, 0.4, 0.5), hsv(soil, 0.45, 0.36), grain=0.22)
    b.scatter(_leaf, (10, 26), (level + 0.05, 1.0), (0.015, 0.04))
    b.scatter(_tuft, (0, 6), (level + 0.1, 1.0), (0.03, 0.07))


def underwater(b: Backdrop) -> None:
    """A sandy sea bed under green-blue water."""
    hue = b.rng.uniform(0.44, 0.6)
    b.wash(hsv(hue, 0.4, 0.88), hsv(hue + 0.03, 0.7, 0.5), grain=0.1)
    level = b.rng.uniform(0.65, 0.85)
    b.hills(level - 0.12, 0.08, hsv(hue, 0.5, 0.55), hsv(hue, 0.5, 0.45))
    b.hills(level, 0.04, hsv(0.14, 0.25, 0.75), hsv(0.11, 0.35, 0.6))
    b.scatter(_weed, (0, 6), (level + 0.02, 0.98), (0.08, 0.2))
    b.scatter(_pebble, (1, 7), (level + 0.05, 1.0), (0.015, 0.04))
    b.scatter(_bubble, (4, 14), (0.0, 0.8), (0.01, 0.03))


def desert(b: Backdrop) -> None:
    """Dunes in warm light."""
    hue = b.rng.uniform(0.02, 0.1)
    b.wash(hsv(hue + 0.5, 0.25, 0.85), hsv(hue + 0.02, 0.35, 0.98))
    b.scatter(_dot, (0, 2), (0.1, 0.25), (0.05, 0.09))
    level = b.rng.uniform(0.35, 0.5)
    b.hills(level, 0.09, hsv(hue, 0.35, 0.85), hsv(hue, 0.5, 0.6), grain=0.05)
    b.hills(level + 0.16, 0.08, hsv(hue + 0.03, 0.4, 0.92), hsv(hue, 0.5, 0.65))
    b.scatter(_pebble, (2, 8), (level + 0.25, 1.0), (0.015, 0.045))


def cloth(b: Backdrop) -> None:
    """A chequered table cloth, seen from above, with marbles and leaves."""
    base, motif = mix(tint(b.rng), WHITE, 0.7), mix(tint(b.rng), WHITE, 0.2)
    b.wash(base, mix(base, INK, 0.12), grain=0.05)
    pitch = b.rng.uniform(0.14, 0.3)
    y = np.linspace(0, b.extent[0], b.size[0])[:, None]
    x = np.linspace(0, b.extent[1], b.size[1])[None]
    bands = (y % pitch < pitch / 2) * 0.3 + (x % pitch < pitch / 2) * 0.3
    share = bands[..., None].astype(np.float32)
    b.pixels += share * (np.asarray(motif, np.float32) - b.pixels)
    b.scatter(_ball, (0, 4), (0.05, 0.95), (0.025, 0.05))
    b.scatter(_leaf, (0, 4), (0.05, 0.95), (0.02, 0.04))


GROUNDS = (meadow, beach, snow, night, room, forest, underwater, desert, cloth)
"""Every kind of ground; all are equally likely."""


def paint_ground(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """One ground of any kind, (height, width, 3) float32 in 0..255."""
    backdrop = Backdrop(rng, size)
    GROUNDS[rng.integers(len(GROUNDS))](backdrop)
    # Balls may lie anywhere; painted like the objects, they make colour no clue.
    if rng.random() < 0.4:
        backdrop.scatter(_ball, (1, 4), (0.6, 0.95), (0.025, 0.06))
    return backdrop.finish()
