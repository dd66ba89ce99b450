"""The book's photos are real, credited and there without a network."""

import socket

import numpy as np
import pytest

from weaktr_core.data.photos import CREDITS, PHOTOS, photo


@pytest.mark.parametrize("name", PHOTOS)
def test_photos_are_real_and_credited_without_a_network(name, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError(f"{name} asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    image = photo(name)
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    assert min(image.shape[:2]) >= 224 and image.std() > 20
    assert CREDITS[name].rsplit(", ", 1)[1] in ("CC0", "public domain")


@pytest.mark.parametrize("name", PHOTOS)
def test_the_short_side_is_as_asked_and_the_shape_stays(name):
    whole, small = photo(name), photo(name, 96)
    assert min(small.shape[:2]) == 96
    before, after = (one.shape[0] / one.shape[1] for one in (whole, small))
    assert after == pytest.approx(before, abs=0.02)


def test_whole_patches_cut_right_and_below_only():
    whole, cut = photo("cat", 230), photo("cat", 230, patch=14)
    assert cut.shape[0] == 224 and cut.shape[1] % 14 == 0
    assert whole.shape[1] - cut.shape[1] < 14
    assert (cut == whole[: cut.shape[0], : cut.shape[1]]).all()


def test_unknown_photo_lists_the_known():
    with pytest.raises(ValueError, match="there are: cat"):
        photo("dog")
