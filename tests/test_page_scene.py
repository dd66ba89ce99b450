"""The scene of the page: what is moved, what is true, what the network says of it."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from axe import violations
from canvases import pixels
from naive import tiny_model
from PIL import Image

from weaktr_core.labels.recipe import label_map
from weaktr_core.method.cams import normalise
from weaktr_core.method.grid import map_to_image
from weaktr_core.page.explorer import your_scene
from weaktr_core.page.packing import write_network

NAMES = ["cat", "dog", "cow", "car", "cup"]
SHOWN, GRID, THRESHOLD = 168, (4, 4), 0.4
FINE = np.random.default_rng(4).random((len(NAMES), *GRID))
HERE = re.compile(r"this scene\)\.$")


def drawing(colour, size=(20, 20)):
    """A plain picture as a data URI."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def square(sprite, x, y):
    """A thing that is 42 of 168 pixels wide."""
    return dict(sprite=sprite, x=x, y=y, size=0.5, flip=False)


@pytest.fixture
def page(opened, tmp_path):
    """A cat behind a car, each a square, and two plain grounds."""
    model = tiny_model()
    model.statistics = ((0.5,) * 3, (0.25,) * 3)
    model.notes["classes"] = NAMES
    packed = write_network(model, tmp_path / "_static" / "network")
    scene = dict(
        sprites=[
            dict(k=k, variant=1, unit=40, src=drawing((50 * k, 90, 200))) for k in (0, 3)
        ],
        grounds=[dict(name=n, src=drawing(c)) for n, c in (("meadow", "green"), ("snow", "white"))],
        threshold=THRESHOLD,
        start=dict(
            scene=dict(ground=0, things=[square(0, 0.375, 0.375), square(1, 0.5, 0.5)]),
            grid=list(GRID),
            probabilities=[0.9, 0.1, 0.2, 0.8, 0.7],
            fine=FINE.reshape(len(NAMES), -1).tolist(),
        ),
    )  # fmt: skip
    html = your_scene(packed, scene)._repr_html_()
    return opened(f"<main><h1>A scene</h1>{html}</main>")


def truth(*things):
    """(168, 168) labels of squares (label, top, left), the nearer later."""
    mask = np.zeros((SHOWN, SHOWN), dtype=np.uint8)
    for label, top, left in things:
        mask[top : top + 42, left : left + 42] = label
    return mask


def scores(mask, found):
    """What the page says: IoU of each label that either has, and their mean."""
    each = {}
    for label in np.union1d(mask, found).tolist():
        both = ((mask == label) & (found == label)).sum()
        each[label] = both / ((mask == label) | (found == label)).sum()
    return each, np.mean(list(each.values()))


def percent(share):
    return f"{int(100 * share + 0.5)} %"


def found_in(classes):
    """The mask that becomes of the stored maps."""
    maps = torch.from_numpy(FINE[classes])[None]
    one = normalise(map_to_image(maps, (SHOWN, SHOWN)))[0].numpy()
    return label_map(one, np.array(classes), THRESHOLD)


def load(page):
    page.locator(".wt-main-button").click()
    page.locator(".wt-main-button").wait_for(state="hidden")
    page.locator(".wt-verdict").filter(has_text=HERE).wait_for()


def true_mask(page):
    """Where the page's second mask has any class."""
    dimmed = pixels(page.locator(".wt-two canvas").last).astype(int)
    empty = (0.45 * np.array([0, 128, 0])).astype(int)
    return np.abs(dimmed - empty).sum(axis=-1) > 30


@pytest.mark.parametrize("told", ["tags", "beliefs"])
def test_the_score_is_that_of_both_masks(page, told):
    """Before any download; a class that is believed in and not there counts, too."""
    page.get_by_role("combobox", name="Maps of").select_option(told)
    mask = truth((1, 42, 42), (4, 63, 63))
    each, mean = scores(mask, found_in([0, 3] if told == "tags" else [0, 3, 4]))
    said = page.locator(".wt-side").inner_text()
    assert f"mean over classes: {percent(mean)} (this scene)" in said
    for label, iou in each.items():
        assert f"{['background', *NAMES][label]} {percent(iou)}" in said
    assert len(each) == (3 if told == "tags" else 4)


def test_what_is_moved_is_true_elsewhere(page):
    """By keys, by buttons and by the pointer; each can be undone."""
    before = truth((1, 42, 42), (4, 63, 63)) > 0
    load(page)
    assert np.array_equal(true_mask(page), before)
    canvas = page.locator(".wt-scene")
    canvas.focus()
    for _ in range(3):
        canvas.press("ArrowUp")
    page.wait_for_timeout(100)
    page.locator(".wt-verdict").filter(has_text=HERE).wait_for()
    # 0.12 of the side up: 20 of 168 pixels and a part of one
    expected = truth((1, 22, 42), (4, 63, 63)) > 0
    assert (true_mask(page) != expected).mean() < 0.006
    for _ in range(3):
        page.get_by_role("button", name="Undo").click()
    page.wait_for_timeout(100)
    page.locator(".wt-verdict").filter(has_text=HERE).wait_for()
    assert np.array_equal(true_mask(page), before)
    box = canvas.bounding_box()
    at = lambda share: box["x"] + share * box["width"]  # noqa: E731
    down = box["y"] + 0.5 * box["height"]
    page.mouse.move(at(0.55), down)
    page.mouse.down()
    page.mouse.move(at(0.8), down, steps=5)
    page.mouse.up()
    page.wait_for_timeout(200)
    page.locator(".wt-verdict").filter(has_text=HERE).wait_for()
    assert page.locator(".wt-who").inner_text() == "car"
    expected = truth((1, 42, 42), (4, 63, 105)) > 0
    assert (true_mask(page) != expected).mean() < 0.02
    page.get_by_role("button", name="Undo").click()
    page.wait_for_timeout(100)
    page.locator(".wt-verdict").filter(has_text=HERE).wait_for()
    assert np.array_equal(true_mask(page), before)


def test_things_come_and_go(page):
    """Six are the most, one is the least; the ground is another one when it is asked for."""
    who = page.locator(".wt-scene")
    for _ in range(5):
        page.get_by_role("button", name="Add it").click()
    assert (
        who.get_attribute("aria-label").count("cat") == 6
    )  # five, and the chosen one's name
    assert "6 things are the most" in page.locator(".wt-say").inner_text()
    for _ in range(6):
        page.get_by_role("button", name="Take away").click()
    assert "One thing must stay" in page.locator(".wt-say").inner_text()
    page.get_by_role("combobox", name="Ground").select_option("1")
    assert "Ground: snow" in who.get_attribute("aria-label")
    assert "(the first scene)" in page.locator(".wt-verdict").inner_text()


def test_everybody_can_use_it(page):
    for width in (1000, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(200)
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    heights = page.locator(".wt-acts button").evaluate_all(
        "all => all.map((e) => e.getBoundingClientRect()).flatMap((b) => [b.width, b.height])"
    )
    assert min(heights) >= 44
