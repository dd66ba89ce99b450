"""Sliding windows and views: invariants."""

import torch

from weaktr_core.labels.views import View, make_views
from weaktr_core.labels.windows import predict, sliding_logits, window_starts


def colours(images):
    """A "network" that looks at each pixel alone."""
    return torch.cat([images, images.sum(dim=1, keepdim=True)], dim=1)


def test_windows_cover_every_pixel_and_end_with_the_image():
    for length in (10, 48, 49, 70, 200):
        starts = window_starts(length, 48, 32)
        covered = {p for s in starts for p in range(s, min(s + 48, length))}
        assert covered == set(range(length))
        assert all(s + 48 <= length for s in starts) or starts == [0]


def test_a_network_without_context_does_not_notice_windows():
    images = torch.randn(2, 3, 61, 75)
    assert torch.allclose(
        sliding_logits(colours, images, 32, 20), colours(images), atol=1e-6
    )


def test_probabilities_sum_to_one_and_mirror_views_agree():
    images = torch.randn(1, 3, 40, 50)
    views = make_views([0.75, 1.0, 1.5])
    found = predict(colours, images, (80, 100), views=views, window=32, stride=20)
    assert found.shape == (1, 4, 80, 100)
    assert torch.allclose(found.sum(dim=1), torch.ones(1, 80, 100), atol=1e-5)
    plain, mirrored = (
        predict(colours, images, (40, 50), views=[View(1.0, m)]) for m in (False, True)
    )
    assert torch.allclose(plain, mirrored, atol=1e-6)
