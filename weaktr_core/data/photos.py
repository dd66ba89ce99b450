"""Real photos for looking: those that scikit-image ships, free to use, offline."""

from __future__ import annotations

import numpy as np
from skimage import data

from weaktr_core.data.transforms import resize_short_side

CREDITS = {
    "cat": "Chelsea the cat, Stefan van der Walt, CC0",
    "astronaut": "Eileen Collins, NASA, public domain",
    "coffee": "A cup of espresso, Rachel Michetti, CC0",
    "rocket": "Falcon 9 lift-off, SpaceX, CC0",
}
"""Photo → who took it and under which terms."""

PHOTOS = tuple(CREDITS)
"""Names of the photos."""

_LOADERS = {
    "cat": data.chelsea,
    "astronaut": data.astronaut,
    "coffee": data.coffee,
    "rocket": data.rocket,
}


def photo(name: str, short_side: int | None = None, patch: int | None = None) -> np.ndarray:
    """One photo, (height, width, 3) uint8.

    Args:
        name: one of ``PHOTOS``.
        short_side: resize so that the shorter side has so many pixels.
        patch: cut off, right and below, what does not fill a patch of so many pixels.

    Raises:
        ValueError: for any other name.
    """
    if name not in _LOADERS:
        raise ValueError(f"no photo named {name!r}; there are: {', '.join(PHOTOS)}")
    image = np.ascontiguousarray(_LOADERS[name]()[..., :3])
    image = resize_short_side(image, short_side)
    if patch is None:
        return image
    height, width = (side // patch * patch for side in image.shape[:2])
    return image[:height, :width]
