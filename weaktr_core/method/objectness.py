"""Which patches show a thing at all, told by no tag and no mask.

The keys of a self-supervised transformer's last layer differ most, over a whole dataset,
between things and what is around them: their first principal component is a prior for
objects. Its sign follows from where things are, away from the borders of a photo.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

SHARPNESS = 0.5
"""Width of the step from background to object, in standard deviations."""


@dataclass(frozen=True)
class Objectness:
    """A prior for objects, fitted to the keys of a dataset.

    Attributes:
        mean: (D,) of all keys.
        direction: (D,), of length 1, towards objects.
        threshold: Otsu's, on the keys along the direction.
        spread: their standard deviation.
    """

    mean: Float[Tensor, " D"]
    direction: Float[Tensor, " D"]
    threshold: float
    spread: float

    def __call__(self, keys: Float[Tensor, "B N D"]) -> Float[Tensor, "B N"]:
        """Between 0, background, and 1, object; 0.5 at the threshold."""
        place = (keys.float() - self.mean.to(keys)) @ self.direction.to(keys)
        return ((place - self.threshold) / (SHARPNESS * self.spread)).sigmoid()


def fit_objectness(keys: Float[Tensor, "M D"], border: Bool[Tensor, " M"]) -> Objectness:
    """The first principal component of keys, and a threshold on it.

    Args:
        keys: of the patches of many photos.
        border: which of them lie at the border of their photo.

    Source: Otsu 1979, as scikit-image computes it.
    """
    from skimage.filters import threshold_otsu

    keys = keys.float()
    mean = keys.mean(dim=0)
    centred = keys - mean
    covariance = (centred.T @ centred / len(keys)).double().cpu()
    direction = torch.linalg.eigh(covariance)[1][:, -1].to(keys)
    place = centred @ direction
    if place[border].mean() > place[~border].mean():
        direction, place = -direction, -place
    threshold = float(threshold_otsu(place.cpu().numpy()))
    return Objectness(mean, direction, threshold, float(place.std()))
