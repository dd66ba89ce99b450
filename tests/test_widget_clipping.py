"""Clip map: threshold and clipped pixels are those of Python, pixel for pixel."""

import re

import numpy as np
import pytest
import torch
from canvases import heat_colours, pixels

from weaktr_core.method.losses import clipping_threshold
from weaktr_core.widgets import explore_clipping
from weaktr_core.widgets.clipping import STEP, pack_loss, unpack_loss

NAMES = ("boat", "cat", "tree")
SIZE = (25, 38)  # no multiple of the windows below
RANDOM = np.random.default_rng(5)
PHOTOS = [RANDOM.integers(0, 255, (*SIZE, 3), dtype=np.uint8) for _ in range(3)]
LABELS = [RANDOM.integers(0, 4, SIZE).astype(np.uint8) for _ in range(3)]
LABELS[0][:6, :9] = 255
TRUTHS = [
    np.where(RANDOM.random(SIZE) < 0.3, 0, np.where(m == 255, 1, m)).astype(np.uint8)
    for m in LABELS
]
TRUTHS[1][20:] = 255
LOSSES = [RANDOM.gamma(0.7, 0.6 + n, SIZE) * (LABELS[n] != 255) for n in range(3)]
BLUE, ORANGE, PINK = (0, 114, 178), (230, 159, 0), (204, 121, 167)


def explorer(host="html", **changes):
    options = dict(class_names=NAMES, start=2.0, window=12, names=["one", "two", "three"])
    return explore_clipping(
        PHOTOS, LABELS, LOSSES, TRUTHS, host=host, **{**options, **changes}
    )


def kept_losses():
    return np.stack([unpack_loss(pack_loss(loss)) for loss in LOSSES])


def python_says(start, window, per_image):
    """(3, h, w) thresholds and clipped pixels by the package's own loss."""
    raw = torch.from_numpy(kept_losses())
    ceiling = clipping_threshold(raw, window, per_image=per_image).expand(3, -1, -1)
    mean = raw.mean((1, 2), keepdim=True) if per_image else raw.mean()
    clipped = (raw > ceiling) & (mean <= start)
    return ceiling.numpy(), clipped.numpy()


def heat(values, top):
    steps = np.floor(255 * np.minimum(values / top, 1) + 0.5).astype(int)
    return heat_colours()[steps]


def check(page, shown, index, start, window, per_image):
    ceiling, clipped = python_says(start, window, per_image)
    top = shown.state["data"]["top"]
    found = pixels(page.locator(".wt-lambda"))
    assert np.abs(found.astype(int) - heat(ceiling[index], top)).max() <= 8  # one step
    marked = (pixels(page.locator(".wt-clip")) == BLUE).all(axis=-1)
    assert np.array_equal(marked, clipped[index])


def test_packing_keeps_thousandths():
    loss = RANDOM.gamma(1.0, 3.0, SIZE)
    assert np.abs(unpack_loss(pack_loss(loss)) - loss).max() <= 0.5 / STEP
    assert unpack_loss(pack_loss(np.full((2, 2), 1e9))).max() == 65.535


@pytest.mark.parametrize("width", [1000, 390])
def test_clipped_pixels_are_those_of_python(opened, width):
    shown = explorer()
    page = opened(shown._repr_html_(), width)
    top = shown.state["data"]["top"]
    assert np.array_equal(pixels(page.locator(".wt-loss")), heat(kept_losses()[0], top))
    window = page.get_by_role("slider", name="Window")
    for per_image in (False, True):
        page.get_by_role("checkbox", name="each image").set_checked(per_image)
        for side in (2, 7, 12, 30, 38):
            window.fill(str(side))
            for index, name in enumerate(("one", "two", "three")):
                page.get_by_role("combobox", name="Scene").select_option(label=name)
                check(page, shown, index, 2.0, side, per_image)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_above_the_start_value_nothing_is_clipped(opened):
    shown = explorer()
    page = opened(shown._repr_html_())
    means = kept_losses().mean(axis=(1, 2))
    start = page.get_by_role("slider", name="Start value")
    below = np.floor(100 * means.mean()) / 100
    start.fill(f"{below:.2f}")
    assert not (pixels(page.locator(".wt-clip")) == BLUE).all(axis=-1).any()
    assert "all pixels teach" in page.locator(".wt-say").inner_text()
    start.fill(f"{below + 0.01:.2f}")
    check(page, shown, 0, below + 0.01, 12, False)
    page.get_by_role("checkbox", name="each image").check()
    start.fill(f"{(means[0] + means[2]) / 2:.2f}")  # one image is clipped, the other not
    check(page, shown, 0, (means[0] + means[2]) / 2, 12, True)
    page.get_by_role("combobox", name="Scene").select_option(label="three")
    check(page, shown, 2, (means[0] + means[2]) / 2, 12, True)


def test_wrong_labels_are_marked_and_counted(opened):
    page = opened(explorer()._repr_html_())
    page.get_by_role("checkbox", name="mark wrong").check()
    clipped = python_says(2.0, 12, False)[1]
    stacks = np.stack(LABELS), np.stack(TRUTHS)
    known = (stacks[0] != 255) & (stacks[1] != 255)
    wrong = known & (stacks[0] != stacks[1])
    for index, name in enumerate(("one", "two", "three")):
        page.get_by_role("combobox", name="Scene").select_option(label=name)
        found = pixels(page.locator(".wt-clip"))
        for colour, expected in (
            (BLUE, clipped & wrong),
            (ORANGE, clipped & ~wrong),
            (PINK, wrong & ~clipped),
        ):
            assert np.array_equal((found == colour).all(axis=-1), expected[index])
        said = page.locator(".wt-say").inner_text()
        shares = [int(v) for v in re.findall(r"(\d+) %", said)]
        expected = [clipped[index].mean()]
        for c, e in ((clipped[index], wrong[index]), (clipped, wrong)):
            expected += [e[c].mean(), e.mean(), c[e].mean()]
        assert np.abs(np.array(shares) - 100 * np.array(expected)).max() <= 0.5001


def test_keyboard_moves_both_sliders(opened):
    page = opened(explorer()._repr_html_())
    for name, before, after in (
        ("Window", "12 px", "13 px"),
        ("Start value", "2.00", "2.01"),
    ):
        slider = page.get_by_role("slider", name=name)
        assert slider.get_attribute("aria-valuetext") == before
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") == after


def test_without_true_masks_nothing_is_marked(opened):
    page = opened(
        explore_clipping(
            PHOTOS, LABELS, LOSSES, class_names=NAMES, start=2.0, window=12, host="html"
        )._repr_html_()
    )
    assert page.get_by_role("checkbox", name="mark wrong").is_disabled()
    assert "Clipped:" in page.locator(".wt-say").inner_text()


def test_page_size(note):
    """Four scenes of 168 pixels, as in chapter 10."""
    shape = (168, 168)
    losses = [RANDOM.gamma(0.3, 1.0, shape) for _ in range(4)]
    labels = [RANDOM.integers(0, 2, shape).astype(np.uint8)] * 4
    photo = RANDOM.integers(0, 255, (*shape, 3), dtype=np.uint8)
    html = explore_clipping(
        [photo] * 4, labels, losses, labels, class_names=NAMES, window=42, host="html"
    )._repr_html_()
    note(f"clip map: {len(html) / 1e6:.2f} MB")
    assert len(html) < 1e6


def test_wrong_shapes_are_explained():
    with pytest.raises(ValueError, match=r"maps of a batch are \(25, 38\), label is"):
        explore_clipping(PHOTOS[:1], [LABELS[0][1:]], LOSSES[:1], class_names=NAMES)
    with pytest.raises(ValueError, match=r"a photo is \(height, width, 3\) uint8"):
        explore_clipping([PHOTOS[0][..., 0]], LABELS[:1], LOSSES[:1], class_names=NAMES)
