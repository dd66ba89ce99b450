"""Ten storybook objects, each drawn from about a dozen parts.

Every object has a small part that gives it away (a face, wheels, a spiral shell)
and a larger, plainer body, because that is what makes masks from tags hard: a
classifier is content with the part. All colours come from one distribution, the
same for all classes, so that colour alone never tells the class.

An object fills about -0.7..0.7 in x (to the right) and y (down); one that has a
face looks to the left. Parts are painted in order, the farthest first.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from weaktr_core.data.scenes.drawing import (
    INK,
    WHITE,
    WOOD,
    Canvas,
    Colour,
    as_points,
    mix,
    tint,
)

_GLASS = (180, 216, 230)
_LAMP = (252, 218, 132)


def _eye(c: Canvas, x: float, y: float, radius: float) -> None:
    c.oval(x, y, radius, radius * 1.1, WHITE)
    c.oval(x - radius * 0.15, y + radius * 0.1, radius * 0.66, radius * 0.78, INK)
    c.oval(x - radius * 0.4, y - radius * 0.25, radius * 0.25, radius * 0.25, WHITE)


def draw_bird(c: Canvas, rng: np.random.Generator) -> None:
    """A round bird: the beak and the eye give it away."""
    coat, wing, beak = tint(rng), tint(rng), mix(tint(rng), (250, 170, 40), 0.6)
    for x in (-0.06, 0.12):
        c.ribbon([(x, 0.35), (x - 0.01, 0.58)], 0.04, WOOD)
        c.ribbon([(x - 0.11, 0.6), (x - 0.01, 0.57), (x + 0.07, 0.6)], 0.04, WOOD)
    c.poly(".28,0 .72,-.24 .76,-.08 .7,.06 .3,.26", mix(wing, INK, 0.25))
    c.poly("-.44,-.3 -.7,-.2 -.42,-.12", beak)
    breast = " 0,.44 -.3,.32 -.42,.02 -.47,-.3"
    c.blob("-.2,-.5 .02,-.36 .22,-.12 .44,.06 .3,.34" + breast, coat)
    c.oval(-0.2, 0.16, 0.16, 0.22, mix(coat, WHITE, 0.5), -0.4)
    c.blob("-.06,-.08 .2,-.06 .5,.16 .26,.26 .02,.18", wing)
    c.ribbon(".06,.14 .24,.19 .42,.16", 0.025, mix(wing, INK, 0.4))
    _eye(c, -0.26, -0.28, 0.085)


def draw_car(c: Canvas, rng: np.random.Generator) -> None:
    """A small car: the wheels and the windows give it away."""
    coat, hub = tint(rng), mix(tint(rng), WHITE, 0.4)
    line = mix(coat, INK, 0.35)
    roof = mix(coat, WHITE, 0.25)
    c.blob("-.36,-.06 -.26,-.36 -.06,-.43 .2,-.4 .42,-.04 .02,.06", roof)
    c.poly("-.27,-.06 -.19,-.31 -.03,-.33 -.03,-.06", _GLASS)
    c.poly(".03,-.33 .17,-.31 .32,-.06 .03,-.06", _GLASS)
    lower = " .6,.28 0,.28 -.62,.28 -.7,.16"
    c.blob("-.64,-.02 -.4,-.1 .4,-.1 .64,0 .7,.18" + lower, coat)
    c.ribbon("-.64,.2 .64,.2", 0.03, line)
    c.ribbon("0,-.04 0,.18", 0.018, line)
    c.ribbon(".06,0 .14,0", 0.03, line)
    c.oval(-0.62, 0.06, 0.06, 0.07, _LAMP)
    for x in (-0.36, 0.38):
        c.oval(x, 0.27, 0.18, 0.18, INK)
        c.oval(x, 0.27, 0.1, 0.1, hub)
        c.oval(x, 0.27, 0.035, 0.035, INK)


def draw_cat(c: Canvas, rng: np.random.Generator) -> None:
    """A sitting cat: the face gives it away."""
    fur = tint(rng)
    dark, light = mix(fur, INK, 0.3), mix(fur, WHITE, 0.65)
    c.ribbon(".18,.44 .46,.46 .58,.22 .5,0", (0.13, 0.1), dark)
    front = " -.28,.53 -.32,.3 -.28,0"
    c.blob("-.22,-.2 .08,-.16 .26,.1 .34,.36 .26,.53" + front, fur)
    c.oval(0.18, 0.36, 0.15, 0.17, mix(fur, INK, 0.12))
    c.oval(-0.14, 0.16, 0.11, 0.2, light)
    for x in (-0.24, -0.04, 0.2):
        c.oval(x, 0.5, 0.1, 0.055, light)
    _cat_face(c, fur, dark, light)


def _cat_face(c: Canvas, fur: Colour, dark: Colour, light: Colour) -> None:
    for sign in (-1, 1):
        ear = as_points(".3,-.36 .27,-.66 .04,-.52") * (sign, 1)
        c.poly(ear - (0.1, 0), fur)
        c.poly(0.6 * ear - (0.1 - 0.08 * sign, 0.2), (236, 158, 160))
    c.oval(-0.1, -0.32, 0.31, 0.245, fur)
    for x in (-0.16, -0.1, -0.04):
        c.ribbon([(x, -0.54), (0.5 * x - 0.05, -0.45)], 0.03, dark)
    c.oval(-0.1, -0.23, 0.14, 0.1, light)
    for sign in (-1, 1):
        _eye(c, -0.1 + 0.13 * sign, -0.36, 0.07)
        for tip in (-0.28, -0.19):
            whisker = [(0.1 * sign - 0.1, -0.23), (0.42 * sign - 0.1, tip)]
            c.ribbon(whisker, 0.014, INK)
    c.poly("-.14,-.29 -.06,-.29 -.1,-.24", (214, 96, 110))
    c.ribbon("-.15,-.2 -.1,-.18 -.05,-.2", 0.02, INK)


def draw_fish(c: Canvas, rng: np.random.Generator) -> None:
    """A fish: the face and the tail fin give it away."""
    scales, fin = tint(rng), tint(rng)
    dark = mix(fin, INK, 0.25)
    c.blob(".34,0 .52,-.24 .68,-.4 .8,-.34 .7,0 .8,.34 .68,.4 .52,.24", fin)
    for y in (-0.2, 0.0, 0.2):
        c.ribbon([(0.5, 0.5 * y), (0.64, y)], 0.02, dark)
    c.blob("-.2,-.22 -.04,-.46 .3,-.42 .28,-.1", dark)
    c.blob("-.08,.2 .12,.46 .26,.4 .22,.12", dark)
    belly = " .24,.22 -.1,.32 -.42,.24"
    c.blob("-.6,.02 -.42,-.22 -.1,-.32 .24,-.2 .5,0" + belly, scales)
    c.oval(-0.12, 0.16, 0.3, 0.09, mix(scales, WHITE, 0.45))
    if rng.random() < 0.5:
        for x, tall in ((0.02, 0.24), (0.2, 0.17), (0.34, 0.11)):
            c.ribbon([(x - 0.04, -tall), (x + 0.03, 0), (x - 0.04, tall)], 0.055, fin)
    else:
        spots = "-.06,-.14 .1,-.14 .24,-.07 .14,.03 .28,.07"
        for x, y in as_points(spots):
            scale = [(x - 0.04, y - 0.06), (x + 0.03, y), (x - 0.04, y + 0.06)]
            c.ribbon(scale, 0.03, mix(scales, INK, 0.3))
    c.ribbon("-.26,-.18 -.18,.02 -.26,.2", 0.025, mix(scales, INK, 0.4))
    c.blob("-.16,.04 .02,-.02 .1,.1 -.02,.17", dark)
    c.ribbon("-.57,.08 -.47,.11 -.42,.08", 0.025, INK)
    _eye(c, -0.4, -0.06, 0.085)


def draw_house(c: Canvas, rng: np.random.Generator) -> None:
    """A cottage: the roof, the door and the window give it away."""
    wall, roof, door = mix(tint(rng), WHITE, 0.3), tint(rng), mix(tint(rng), INK, 0.2)
    eaves = mix(roof, INK, 0.4)
    c.poly(".18,-.6 .32,-.6 .32,-.2 .18,-.2", eaves)
    c.poly("-.42,-.16 .42,-.16 .42,.46 -.42,.46", wall)
    c.poly("-.42,.38 .42,.38 .42,.46 -.42,.46", mix(wall, INK, 0.35))
    c.poly("-.56,-.08 -.04,-.58 .04,-.58 .56,-.08", roof)
    c.ribbon("-.21,-.4 .21,-.4", 0.02, mix(roof, INK, 0.25))
    c.ribbon("-.36,-.24 .36,-.24", 0.02, mix(roof, INK, 0.25))
    c.poly("-.56,-.08 .56,-.08 .54,-.03 -.54,-.03", eaves)
    c.poly("-.3,.12 -.08,.12 -.08,.46 -.3,.46", door)
    c.oval(-0.19, 0.12, 0.11, 0.08, door)
    c.oval(-0.12, 0.3, 0.02, 0.02, _LAMP)
    c.poly(".04,.04 .34,.04 .34,.32 .04,.32", WHITE)
    c.poly(".07,.07 .31,.07 .31,.29 .07,.29", _LAMP)
    c.ribbon(".19,.06 .19,.3", 0.028, WHITE)
    c.ribbon(".06,.18 .32,.18", 0.028, WHITE)


def draw_mushroom(c: Canvas, rng: np.random.Generator) -> None:
    """A toadstool: the spots on its cap give it away."""
    cap, spot = tint(rng), mix(tint(rng), WHITE, 0.75)
    stem = mix(tint(rng), (240, 228, 204), 0.75)
    c.blob("-.15,-.1 .15,-.1 .16,.2 .25,.5 0,.56 -.25,.5 -.16,.2", stem)
    c.blob("-.2,.06 .2,.06 .24,.18 0,.14 -.24,.18", mix(stem, INK, 0.16))
    rim = " .58,-.02 .3,.06 0,.08 -.3,.06"
    c.blob("-.58,-.02 -.46,-.34 -.16,-.54 .16,-.54 .46,-.34" + rim, cap)
    c.oval(0.0, 0.03, 0.42, 0.045, mix(stem, INK, 0.3))
    for x, y, r in ((-0.34, -0.16, 0.09), (-0.1, -0.38, 0.085), (0.06, -0.12, 0.105)):
        c.oval(x, y, r * 1.1, r, spot)
    for x, y, r in ((0.26, -0.34, 0.075), (0.42, -0.1, 0.06), (-0.2, -0.05, 0.045)):
        c.oval(x, y, r * 1.1, r, spot)


def draw_rocket(c: Canvas, rng: np.random.Generator) -> None:
    """A rocket on its fins: the nose and the porthole give it away."""
    hull, fin = mix(tint(rng), WHITE, 0.25), tint(rng)
    for sign in (-1, 1):
        c.blob(as_points(".14,.08 .4,.34 .44,.66 .28,.5 .12,.46") * (sign, 1), fin)
    c.poly("-.14,.4 .14,.4 .18,.58 -.18,.58", mix(INK, hull, 0.3))
    left = " -.14,.5 -.24,.26 -.27,-.1 -.17,-.48"
    c.blob("0,-.72 .17,-.48 .27,-.1 .24,.26 .14,.5" + left, hull)
    c.blob("0,-.74 .11,-.6 .205,-.42 0,-.37 -.205,-.42 -.11,-.6", fin)
    c.oval(0, -0.13, 0.15, 0.15, mix(fin, INK, 0.3))
    c.oval(0, -0.13, 0.105, 0.105, _GLASS)
    c.oval(-0.035, -0.17, 0.035, 0.035, WHITE)
    c.ribbon("-.22,.26 0,.3 .22,.26", 0.05, fin)
    c.ribbon("0,.34 0,.66", (0.05, 0.06), mix(fin, INK, 0.2))


def draw_sailboat(c: Canvas, rng: np.random.Generator) -> None:
    """A sailing boat: the sails and the pennant give it away."""
    hull, sail = tint(rng), mix(tint(rng), WHITE, 0.55)
    c.ribbon("0,-.7 0,.3", 0.045, WOOD)
    c.poly("0,-.72 .2,-.65 0,-.58", tint(rng))
    c.blob(".05,-.55 .3,-.2 .48,.16 .26,.19 .05,.18 .07,-.2", sail)
    c.poly(".07,-.06 .37,-.06 .43,.06 .07,.06", hull)
    c.blob("-.05,-.44 -.05,.17 -.25,.19 -.42,.16 -.22,-.14", mix(sail, hull, 0.2))
    keel = " .5,.46 .34,.56 -.34,.56 -.52,.46"
    c.blob("-.68,.22 -.3,.27 .3,.27 .66,.2" + keel, hull)
    c.ribbon("-.6,.3 0,.345 .58,.29", 0.04, mix(hull, WHITE, 0.6))
    for x in (-0.26, 0.0, 0.26):
        c.oval(x, 0.44, 0.05, 0.05, mix(hull, INK, 0.55))


def draw_snail(c: Canvas, rng: np.random.Generator) -> None:
    """A snail: the spiral on its shell and the eyes on stalks give it away."""
    skin, shell = mix(tint(rng), (226, 196, 150), 0.4), tint(rng)
    for x in (-0.6, -0.42):
        c.ribbon([(-0.48, -0.05), (x, -0.38)], (0.06, 0.04), skin)
        _eye(c, x, -0.4, 0.062)
    foot = " .74,.42 .3,.46 -.4,.46 -.56,.3 -.64,.08"
    c.blob("-.62,-.08 -.5,-.16 -.36,-.08 -.28,.16 .2,.2" + foot, skin)
    c.ribbon("-.6,.04 -.54,.07 -.48,.05", 0.025, INK)
    x, y = 0.1, -0.06
    c.oval(x, y, 0.39, 0.37, shell)
    turn = np.linspace(0, 4.6 * np.pi, 26)
    radius = 0.03 + 0.3 * turn / turn[-1]
    angle = turn + 1.9
    spiral = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)
    c.ribbon(spiral, (0.035, 0.06), mix(shell, INK, 0.42))


def draw_teapot(c: Canvas, rng: np.random.Generator) -> None:
    """A teapot: the spout, the handle and the lid give it away."""
    glaze, band = tint(rng), mix(tint(rng), WHITE, 0.35)
    dark = mix(glaze, INK, 0.18)
    c.ribbon(".3,-.16 .58,-.24 .66,.02 .54,.2 .3,.24", 0.08, dark)
    c.ribbon("-.28,.24 -.5,.14 -.54,-.1 -.7,-.24", (0.24, 0.09), dark)
    c.oval(0, 0.44, 0.25, 0.06, dark)
    left = " -.28,.4 -.44,.1 -.3,-.2"
    c.blob("0,-.3 .3,-.2 .44,.1 .28,.4 0,.46" + left, glaze)
    c.oval(0, -0.25, 0.25, 0.065, dark)
    c.blob("-.22,-.27 -.13,-.4 .13,-.4 .22,-.27 0,-.24", glaze)
    c.oval(0, -0.46, 0.065, 0.06, band)
    for angle in np.arange(5) * 2 * np.pi / 5:
        c.oval(0.1 * np.cos(angle), 0.1 + 0.1 * np.sin(angle), 0.065, 0.065, band)
    c.oval(0, 0.1, 0.05, 0.05, mix(band, INK, 0.4))


OBJECTS: dict[str, Callable[[Canvas, np.random.Generator], None]] = {
    "bird": draw_bird,
    "car": draw_car,
    "cat": draw_cat,
    "fish": draw_fish,
    "house": draw_house,
    "mushroom": draw_mushroom,
    "rocket": draw_rocket,
    "sailboat": draw_sailboat,
    "snail": draw_snail,
    "teapot": draw_teapot,
}
"""How each class is drawn; the order is the order of the classes."""
