"""Explorers: what Python packs, what the page shows, on desktop, phone and in a sandbox."""

import json

import numpy as np
import pytest
from canvases import expected_map, pixels, without_photo

from weaktr_core.widgets import explore_heads, explore_patches
from weaktr_core.widgets.host import Page, choose_host
from weaktr_core.widgets.pack import pack, quantise, unpack

GRID, LAYERS, HEADS = (6, 8), 3, 2
RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.integers(0, 255, (60, 80, 3), dtype=np.uint8)


def random_attention(tokens=1 + 48):
    scores = RANDOM.gamma(0.4, size=(LAYERS, HEADS, tokens, tokens)).astype(np.float32)
    return scores / scores.sum(axis=-1, keepdims=True)


ATTENTION = [random_attention(), random_attention()]


def heads_page(names=("one", "two")):
    return explore_heads([PHOTO, PHOTO], ATTENTION, names=names, grid=GRID, host="html")


def patches_page():
    return explore_patches(PHOTO, ATTENTION[0], grid=GRID, heads=(1,), host="html")


def test_packing_is_undone_and_quantising_is_close():
    values = RANDOM.integers(0, 255, (3, 4, 5), dtype=np.uint8)
    assert np.array_equal(unpack(pack(values)), values)
    rows = RANDOM.random((7, 20))
    steps = quantise(rows)
    assert len(np.unique(steps)) <= 32 and (steps.max(axis=1) == 255).all()
    assert (
        np.abs(steps / 255 - rows / rows.max(axis=1, keepdims=True)).max()
        <= 0.5 / 31 + 0.5 / 255
    )


def test_page_size(note):
    """12 x 6 heads, two photos of 12 x 12 patches: the case of chapter 3."""
    scores = RANDOM.gamma(0.4, size=(12, 6, 145, 145)).astype(np.float32)
    page = explore_heads([PHOTO, PHOTO], [scores, scores[::-1]], host="html")
    sizes = {"heads": len(page._repr_html_()), "patches": len(patches_page()._repr_html_())}
    for name, size in sizes.items():
        note(f"{name}: {size / 1e6:.2f} MB")
    assert max(sizes.values()) < 2e6


def test_host_is_argument_then_environment_then_what_is_there(monkeypatch):
    monkeypatch.setenv("WEAKTR_WIDGETS", "html")
    assert choose_host() == "html" and choose_host("live") == "live"
    monkeypatch.delenv("WEAKTR_WIDGETS")
    assert choose_host() == "live"
    monkeypatch.setitem(__import__("sys").modules, "google.colab", object())
    assert choose_host() == "html"
    with pytest.raises(ValueError, match="live or html, got 'web'"):
        choose_host("web")


def test_wrong_shapes_are_explained():
    with pytest.raises(ValueError, match=r"photo is \(height, width, 3\) uint8"):
        explore_heads(PHOTO.astype(float), ATTENTION[0], grid=GRID)
    with pytest.raises(ValueError, match=r"attention is \(L, H, T, T\)"):
        explore_heads(PHOTO, ATTENTION[0][:, :, :5], grid=GRID)
    with pytest.raises(ValueError, match="48 patches, but that is no square"):
        explore_heads(PHOTO, ATTENTION[0])
    with pytest.raises(ValueError, match="1 photos, 2 attention"):
        explore_heads([PHOTO], ATTENTION, grid=GRID)


def test_every_second_patch_is_kept_as_a_query():
    packed = heads_page().state["data"]["photos"][0]["attention"]
    assert packed["shape"] == [LAYERS, HEADS, 1 + 12, 48]


@pytest.mark.parametrize("width", [1000, 390])
def test_head_explorer_shows_what_python_computes(opened, width):
    page = opened(heads_page()._repr_html_(), width)
    without_photo(page)
    thumbs = page.locator(".wt-grid canvas")
    assert thumbs.count() == LAYERS * HEADS
    for index in range(LAYERS * HEADS):
        row = ATTENTION[0][index // HEADS, index % HEADS, 0, 1:]
        assert np.array_equal(pixels(thumbs.nth(index)), expected_map(row, GRID))
    box = page.locator(".wt-big canvas").bounding_box()
    x, y = box["width"] * 4.5 / GRID[1], box["height"] * 2.5 / GRID[0]
    page.locator(".wt-big canvas").click(position={"x": x, "y": y})
    said = page.locator(".wt-say").inner_text()
    assert "patch row 3, column 5" in said
    row = ATTENTION[0][2, 1, 1 + 2 * GRID[1] + 4, 1:]
    assert np.array_equal(pixels(thumbs.nth(5)), expected_map(row, GRID))
    page.get_by_role("combobox", name="Photo").select_option(label="two")
    row = ATTENTION[1][0, 1, 0, 1:]
    assert np.array_equal(pixels(thumbs.nth(1)), expected_map(row, GRID))
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_head_explorer_by_keyboard_and_sorting(opened):
    page = opened(heads_page()._repr_html_())
    chosen = page.locator('.wt-grid button[aria-pressed="true"]')
    chosen.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert "layer 2, head 1" in page.locator(".wt-say").inner_text()
    page.locator(".wt-big canvas").focus()
    page.keyboard.press("ArrowRight")
    assert "patch row" in page.locator(".wt-say").inner_text()
    page.get_by_role("combobox", name="Seen from").select_option(label="class token")
    page.get_by_role("combobox", name="Sort heads by").select_option("entropy")
    rows = quantise(ATTENTION[0][:, :, 0, 1:]).reshape(-1, 48).astype(float)
    share = rows / rows.sum(axis=1, keepdims=True)
    entropy = -np.sum(np.where(share > 0, share * np.log(share + 1e-30), 0), axis=1)
    shown = page.locator(".wt-grid button").evaluate_all("b => b.map(x => x.title)")
    order = np.argsort(-entropy)
    assert shown == [f"layer {i // HEADS + 1}, head {i % HEADS + 1}" for i in order]


@pytest.mark.parametrize("width", [1000, 390])
def test_patch_explorer_shows_what_python_computes(opened, width):
    page = opened(patches_page()._repr_html_(), width)
    small = page.locator(".wt-map")
    box = page.locator(".wt-big canvas").bounding_box()
    x, y = box["width"] * 6.5 / GRID[1], box["height"] * 4.5 / GRID[0]
    page.locator(".wt-big canvas").click(position={"x": x, "y": y})
    query = 1 + 4 * GRID[1] + 6
    mean = ATTENTION[0][2, :, query, 1:].mean(axis=0)
    assert np.array_equal(pixels(small), expected_map(mean, GRID))
    page.get_by_role("slider", name="Layer").fill("1")
    page.get_by_role("combobox", name="Head").select_option(label="head 2")
    assert np.array_equal(pixels(small), expected_map(ATTENTION[0][0, 1, query, 1:], GRID))
    page.locator(".wt-big canvas").focus()
    page.keyboard.press("ArrowLeft")
    assert np.array_equal(
        pixels(small), expected_map(ATTENTION[0][0, 1, query - 1, 1:], GRID)
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_page_is_a_whole_document_and_its_data_are_json():
    page = heads_page()
    assert isinstance(page, Page)
    text = page.document("Heads <of> a cat")
    assert text.startswith("<!doctype html>") and "Heads &lt;of&gt; a cat" in text
    data = text.split('type="application/json"')[1].split(">", 1)[1].split("</script")[0]
    assert json.loads(data)["data"]["shape"] == [LAYERS, HEADS]
