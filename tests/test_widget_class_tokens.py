"""Class-token explorer: what Python packs is what the page shows and says."""

import re

import numpy as np
import pytest
from canvases import expected_map as raw_map
from canvases import heat_colours, pixels

from weaktr_core.widgets import explore_class_tokens
from weaktr_core.widgets.pack import quantise, unpack

GRID, L, H, K, N = (4, 6), 3, 2, 3, 24
RANDOM = np.random.default_rng(0)
PHOTOS = [RANDOM.integers(0, 255, (60, 90, 3), dtype=np.uint8) for _ in range(2)]
ATTENTION = [RANDOM.gamma(0.4, size=(2, L, H, K, N)).astype(np.float32) for _ in PHOTOS]
for one in ATTENTION:
    one[0] = one[0][..., :1, :]  # before: copies
WEIGHTS = RANDOM.random((2, 2, L, H)).astype(np.float32)
TAGS = np.array([[0, 1, 1], [1, 0, 0]])
COVER = np.zeros((2, K, N), dtype=np.float32)
COVER[0, 1, :6], COVER[0, 2, 6:10], COVER[1, 0, 3:9] = 1, 0.5, 1
CLASSES = ("cat", "dog", "owl")


def expected_map(row, grid):
    return raw_map(np.sqrt(row), grid)


def tokens_page(host="html", **changes):
    options = dict(
        tags=TAGS, cover=COVER, weights=WEIGHTS, names=("one", "two"), grid=GRID, host=host
    )
    return explore_class_tokens(PHOTOS, ATTENTION, CLASSES, **{**options, **changes})


def share(row, cover):
    return 100 * float((row * cover).sum() / row.sum())


def thumb(page, token, row):
    label = re.compile(rf"^{CLASSES[token]}(, in the picture)?, {row}$")
    return page.get_by_role("button", name=label).locator("canvas")


def big(page, stage):
    return page.locator(".wt-stage canvas").nth(stage)


def on_black(row):
    """What `drawOverlay` makes of a black photo: squared roots, little veils little."""
    values = np.round(quantise(np.sqrt(row)).astype(float) ** 2 / 255).astype(int)
    opacity = 0.35 + 0.5 * values / 255
    return (opacity[:, None] * heat_colours()[values]).reshape(*GRID, 3)


@pytest.mark.parametrize("width", [1000, 390])
def test_every_thumbnail_is_what_python_computes(opened, width):
    page = opened(tokens_page()._repr_html_(), width)
    assert page.locator(".wt-table canvas").count() == K * (L + 2)
    page.get_by_role("combobox", name="Picture").select_option(label="two")
    rows = ATTENTION[1][1].mean(axis=1)  # (L, K, N), after
    for token in range(K):
        for layer in range(L):
            shown = pixels(thumb(page, token, f"layer {layer + 1}"))
            assert np.array_equal(shown, expected_map(rows[layer, token], GRID))
        mean = rows[:, token].mean(axis=0)
        shown = pixels(thumb(page, token, "the mean of all layers"))
        assert np.array_equal(shown, expected_map(mean, GRID))
        fused = (WEIGHTS[1, 1][..., None] * ATTENTION[1][1, :, :, token]).mean((0, 1))
        shown = pixels(thumb(page, token, "the mean of all heads, weighted"))
        assert np.array_equal(shown, expected_map(fused, GRID))
    page.get_by_role("combobox", name="Small maps").select_option(label="before")
    row = ATTENTION[1][0, 1].mean(axis=0)[0]
    assert np.array_equal(pixels(thumb(page, 2, "layer 2")), expected_map(row, GRID))
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_stages_stand_side_by_side_on_the_photo(opened):
    black = [np.zeros_like(photo) for photo in PHOTOS]
    page = opened(
        explore_class_tokens(
            black, ATTENTION, CLASSES, tags=TAGS, grid=GRID, host="html"
        )._repr_html_()
    )
    thumb(page, 2, "layer 1").click()
    for stage in range(2):
        row = ATTENTION[0][stage, 0].mean(axis=0)[2]
        canvas = pixels(big(page, stage)).astype(float)
        step = len(canvas) // GRID[0]  # pixels of a patch: look at its middle
        shown = canvas[step // 2 :: step, step // 2 :: step]
        assert np.abs(shown - on_black(row)).max() <= 2


def test_the_numbers_are_those_of_the_masks(opened):
    page = opened(tokens_page()._repr_html_())
    said = page.locator(".wt-say").inner_text()
    assert said.startswith("one: class token of dog, layer 3, its attention.")
    for stage, name in enumerate(("before", "after")):
        row = ATTENTION[0][stage, 2].mean(axis=0)[1]
        own, others = share(row, COVER[0, 1]), share(row, COVER[0, 2])
        assert f"{name} {own:.1f} %" in said
        text = page.locator(".wt-stage p").nth(stage).inner_text()
        assert f"{own:.1f} % on dog, {others:.1f} % on other objects" in text
    assert f"looking evenly: {100 * COVER[0, 1].mean():.1f} %" in said
    page.get_by_role("combobox", name="Class").select_option(label="cat")
    row = ATTENTION[0][1, 2].mean(axis=0)[0]
    objects = share(row, COVER[0].sum(axis=0))
    assert f"after {objects:.1f} %" in page.locator(".wt-say").inner_text()
    widths = (
        page.locator(".wt-share")
        .first.locator("i")
        .evaluate_all("bars => bars.map(b => b.getBoundingClientRect().width)")
    )
    assert widths[0] == 0 and widths[1] > 0 and widths[2] > 0


def test_what_sets_a_class_apart_is_nothing_for_copies(opened):
    page = opened(tokens_page()._repr_html_())
    page.get_by_label("only what sets the class apart").check()
    rows = ATTENTION[0][1, 2].mean(axis=0)
    shares = rows / rows.sum(axis=1, keepdims=True)
    apart = shares - shares.mean(axis=0)
    expected = expected_map(apart[1].clip(min=0), GRID)
    assert np.array_equal(pixels(thumb(page, 1, "layer 3")), expected)
    away = 100 * np.abs(apart[1]).sum() / 2
    assert f"{away:.1f} % elsewhere" in page.locator(".wt-stage p").nth(1).inner_text()
    page.get_by_role("combobox", name="Small maps").select_option(label="before")
    shown = pixels(thumb(page, 1, "layer 3"))
    assert (shown == heat_colours()[0]).all()
    assert page.locator(".wt-stage p").nth(0).inner_text().count(" 0.0 % elsewhere") == 1


def test_keyboard(opened):
    page = opened(tokens_page()._repr_html_())
    page.locator('.wt-table button[aria-pressed="true"]').focus()
    for key in ("ArrowLeft", "ArrowDown", "Enter"):  # dog, owl are first: tagged
        page.keyboard.press(key)
    assert "class token of owl, layer 2" in page.locator(".wt-say").inner_text()
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    page.get_by_role("slider", name="Layer").focus()
    page.keyboard.press("End")
    assert "mean of all heads, weighted" in page.locator(".wt-say").inner_text()
    page.keyboard.press("ArrowLeft")
    assert "mean of all layers" in page.locator(".wt-say").inner_text()
    page.get_by_role("combobox", name="Class").focus()
    page.keyboard.press("ArrowUp")
    assert "class token of dog" in page.locator(".wt-say").inner_text()
    assert page.evaluate("document.activeElement.tagName") == "SELECT"


def test_another_photo_turns_to_a_class_that_it_has(opened):
    page = opened(tokens_page()._repr_html_())
    page.get_by_role("combobox", name="Picture").select_option(label="two")
    assert "two: class token of cat" in page.locator(".wt-say").inner_text()


def test_one_stage_without_tags_masks_or_heads_is_enough(opened):
    attention = [one[1:, :, 0] for one in ATTENTION]  # (1, L, K, N)
    page = opened(
        explore_class_tokens(
            PHOTOS, attention, CLASSES, stages=("DeiT",), grid=GRID, host="html"
        )._repr_html_()
    )
    assert page.locator(".wt-stage").count() == 1
    assert page.get_by_role("combobox", name="Small maps").count() == 0
    assert page.locator(".wt-table canvas").count() == K * (L + 1)
    row = ATTENTION[0][1, 0, 0, 0]
    assert np.array_equal(pixels(thumb(page, 0, "layer 1")), expected_map(row, GRID))
    assert not page.locator(".wt-share").first.is_visible()
    assert "Elsewhere than" in page.locator(".wt-say").inner_text()


def test_every_row_of_every_stage_is_packed():
    packed = tokens_page().state["data"]["photos"][0]["maps"]
    assert unpack(packed).shape == (2, 2, L + 2, K, N)


def test_wrong_arguments_are_explained():
    with pytest.raises(ValueError, match=r"2 photos, but entries for \{'tags': 1\}"):
        tokens_page(tags=TAGS[:1])
    with pytest.raises(ValueError, match=r"S=1 stages and K=3 classes, came \(2, 3, 2"):
        tokens_page(stages=("after",))
    with pytest.raises(ValueError, match="24 patches, but that is no square"):
        tokens_page(grid=None)
    with pytest.raises(ValueError, match=r"weights are \(S, L, H\)"):
        tokens_page(weights=WEIGHTS[..., :1])


def test_page_size(note):
    """12 layers, 10 classes, 12 x 12 patches, six photos: the case of chapter 4."""
    photos = [RANDOM.integers(0, 255, (168, 168, 3), dtype=np.uint8)] * 6
    attention = RANDOM.gamma(0.4, size=(6, 2, 12, 10, 144)).astype(np.float32)
    names = [f"class {k}" for k in range(10)]
    html = explore_class_tokens(photos, attention, names, host="html")._repr_html_()
    note(f"class tokens: {len(html) / 1e6:.2f} MB")
    assert len(html) < 2e6
