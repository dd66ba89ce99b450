"""Explorers for everyone: axe-core, hostile names, sandboxes, keys, fingers, still motion."""

import sys

import numpy as np
import pytest
from axe import violations
from canvases import expected_map, pixels, sticking_out

from weaktr_core.widgets import explore_heads, explore_patches
from weaktr_core.widgets.pack import quantise

GRID, LAYERS, HEADS = (6, 8), 3, 2
RANDOM = np.random.default_rng(2)
PHOTO = RANDOM.integers(0, 255, (60, 80, 3), dtype=np.uint8)
SCORES = RANDOM.gamma(0.4, size=(2, LAYERS, HEADS, 50, 50)).astype(np.float32)
SCORES /= SCORES.sum(axis=-1, keepdims=True)
EVIL = """</script><img src=x onerror="window.hit='it'">'"`&lt;{evil}<!--<script>"""


def heads(name="cat", host="html"):
    """Two photos, two tokens before the patches, all patches as queries."""
    return explore_heads(
        [PHOTO, PHOTO],
        list(SCORES),
        names=[name, name + " again"],
        tokens=[f"{name} token", "dog token"],
        grid=GRID,
        every=1,
        host=host,
    )


def patches(name="cat", host="html"):
    """Both heads and their mean."""
    return explore_patches(
        PHOTO, SCORES[0], name=name, prefix=2, grid=GRID, heads=(0, 1), host=host
    )


# Another explorer joins all tests of this list with one line: (name, host) -> explorer.
FACTORIES = [heads, patches]


@pytest.fixture(params=FACTORIES, ids=lambda factory: factory.__name__)
def factory(request):
    return request.param


def click_patch(canvas, row, column):
    box = canvas.bounding_box()
    x, y = (column + 0.5) / GRID[1], (row + 0.5) / GRID[0]
    canvas.click(position={"x": box["width"] * x, "y": box["height"] * y})


@pytest.mark.parametrize("width", [1000, 390])
def test_axe_finds_nothing(opened, factory, width):
    page = opened(f"<main><h1>Explorer</h1>{factory()._repr_html_()}</main>", width)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [350, 390, 700, 1000])
def test_nothing_sticks_out_of_the_box(opened, factory, width):
    page = opened(factory()._repr_html_(), width)
    assert sticking_out(page) == []


def test_axe_would_find_something(opened):
    page = opened(f"{heads()._repr_html_()}<button></button>")
    assert any("button-name" in line for line in violations(page))


def test_hostile_names_are_shown_and_not_run(opened, factory):
    dialogs = []
    page = opened(factory(EVIL)._repr_html_())
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.wait_for_timeout(300)
    assert page.evaluate("window.hit") is None and not dialogs
    assert page.locator("img").count() == 0
    assert EVIL in page.locator(".wt-say").inner_text()
    assert EVIL in page.locator(".wt-big canvas").get_attribute("aria-label")


def test_hostile_names_are_harmless_without_scripts_and_as_title(
    browser, factory, tmp_path
):
    path = tmp_path / "page.html"
    path.write_text(factory(EVIL).document(EVIL), "utf8")
    for scripts in (False, True):
        context = browser.new_context(java_script_enabled=scripts)
        page = context.new_page()
        page.goto(path.as_uri())
        assert page.title() == " ".join(EVIL.split())
        if scripts:
            page.wait_for_selector(".wt canvas")
            assert page.evaluate("window.hit") is None
        else:
            assert EVIL in page.locator("img").get_attribute("alt")
        context.close()


def test_every_control_is_reached_by_tab_and_seen(opened, factory):
    page = opened(factory()._repr_html_())
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        outline, tag = page.evaluate(
            "[getComputedStyle(document.activeElement).outlineWidth,"
            " document.activeElement.tagName]"
        )
        if tag == "BODY":
            break
        assert outline == "3px", tag
        reached.add(tag)
    assert {"SELECT", "CANVAS", "BUTTON"} <= reached


def sandboxed(opened, monkeypatch, factory):
    """The explorer as Colab shows it: chosen there, in a frame of an opaque origin."""
    monkeypatch.delenv("WEAKTR_WIDGETS", raising=False)
    monkeypatch.setitem(sys.modules, "google.colab", object())
    html = factory(host=None)._repr_html_()
    inner = html.replace("&", "&amp;").replace('"', "&quot;")
    page = opened(
        '<div class="wt"><canvas></canvas></div>'
        f'<iframe sandbox="allow-scripts" srcdoc="{inner}" width=980 height=850></iframe>'
    )
    frame = page.frame_locator("iframe")
    frame.locator(".wt-grid canvas").first.wait_for(timeout=30_000)
    return frame


def test_heads_in_a_sandbox_as_on_colab(opened, monkeypatch):
    frame = sandboxed(opened, monkeypatch, heads)
    frame.get_by_role("button", name="layer 1, head 2").click()
    click_patch(frame.locator(".wt-big canvas"), 4, 6)
    assert "layer 1, head 2, seen from patch row 5" in frame.locator(".wt-say").inner_text()
    thumbs = frame.locator(".wt-grid canvas")
    for index in range(LAYERS * HEADS):
        row = SCORES[0, index // HEADS, index % HEADS, 2 + 4 * GRID[1] + 6, 2:]
        assert np.array_equal(pixels(thumbs.nth(index)), expected_map(row, GRID))


def test_patches_in_a_sandbox_as_on_colab(opened, monkeypatch):
    frame = sandboxed(opened, monkeypatch, patches)
    click_patch(frame.locator(".wt-big canvas"), 1, 3)
    frame.get_by_role("combobox", name="Head").select_option(label="head 2")
    frame.get_by_role("button", name="layer 2").click()
    row = SCORES[0, 1, 1, 2 + GRID[1] + 3, 2:]
    assert np.array_equal(pixels(frame.locator(".wt-map")), expected_map(row, GRID))


def words(table):
    """What a table's head says, without line breaks."""
    return table.locator("thead").inner_text().replace("\n", "")


def test_comparing_by_mouse_by_key_and_kept(opened):
    page = opened(heads()._repr_html_())
    side, table = page.locator(".wt-versus canvas"), page.locator(".wt-versus table")
    assert "meanof all" in words(table)
    page.get_by_role("button", name="layer 2, head 1").hover()
    assert np.array_equal(pixels(side), expected_map(SCORES[0, 1, 0, 0, 2:], GRID))
    page.mouse.move(1, 1)
    assert "meanof all" in words(table)
    page.get_by_role("button", name="layer 3, head 1").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    assert "layer 1,head 1" in words(table)
    page.get_by_role("button", name="Keep to compare").click()
    page.get_by_role("button", name="layer 1, head 2").click()
    page.mouse.move(1, 1)
    page.get_by_role("combobox", name="Photo").focus()
    # kept: the head that was large when the button was pressed
    assert np.array_equal(pixels(side), expected_map(SCORES[0, 2, 0, 0, 2:], GRID))


def test_table_says_what_python_computes(opened):
    page = opened(heads()._repr_html_())
    numbers = page.locator(".wt-versus td:nth-child(2)").all_inner_texts()
    maps = np.round(
        SCORES[0, :, :, 0, 2:] / SCORES[0, :, :, 0, 2:].max(-1, keepdims=True) * 31
    )
    share = maps[2, 0] / maps[2, 0].sum()
    used = 2 ** -(share[share > 0] * np.log2(share[share > 0])).sum()
    assert abs(float(numbers[-3]) - used) <= 1
    ys, xs = np.divmod(np.arange(48), GRID[1])
    far = np.hypot(ys - (share * ys).sum(), xs - (share * xs).sum())
    assert abs(float(numbers[-2]) - (share * far).sum()) <= 0.11
    alike = np.corrcoef(maps[2, 0], maps.reshape(6, 48).mean(axis=0))[0, 1]
    assert abs(float(numbers[-1]) - alike) <= 0.011


def test_dragging_asks_along_the_way(opened, factory):
    page = opened(factory()._repr_html_())
    box = page.locator(".wt-big canvas").bounding_box()
    place = lambda row, column: (  # noqa: E731
        box["x"] + box["width"] * (column + 0.5) / GRID[1],
        box["y"] + box["height"] * (row + 0.5) / GRID[0],
    )
    page.mouse.move(*place(1, 1))
    page.mouse.down()
    page.mouse.move(*place(2, 4))
    page.wait_for_timeout(100)
    assert "row 3, column 5" in page.locator(".wt-say").inner_text()
    page.mouse.up()
    page.mouse.move(*place(5, 7))
    page.wait_for_timeout(100)
    assert "row 3, column 5" in page.locator(".wt-say").inner_text()


def test_a_finger_asks_and_the_page_still_scrolls(browser, factory, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(factory().document("On a phone"), "utf8")
    phone = dict(width=390, height=800)
    context = browser.new_context(viewport=phone, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(path.as_uri())
    canvas = page.locator(".wt-big canvas")
    canvas.wait_for()
    box = canvas.bounding_box()
    canvas.tap(position={"x": box["width"] * 2.5 / 8, "y": box["height"] * 3.5 / 6})
    assert "row 4, column 3" in page.locator(".wt-say").inner_text()
    assert canvas.evaluate("c => getComputedStyle(c).touchAction") == "pan-y"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_sorting_glides_unless_motion_is_unwelcome(browser, tmp_path, motion):
    path = tmp_path / "page.html"
    path.write_text(heads().document("Motion"), "utf8")
    page = browser.new_page(reduced_motion=motion)
    page.goto(path.as_uri())
    page.get_by_role("combobox", name="Sort heads by").select_option("entropy")
    moving = page.evaluate("document.getAnimations().length")
    page.close()
    assert (moving == 0) == (motion == "reduce")


def test_keyboard_focus_survives_choosing(opened):
    page = opened(heads()._repr_html_())
    page.get_by_role("combobox", name="Seen from").focus()
    page.keyboard.press("ArrowDown")
    assert "seen from dog token" in page.locator(".wt-say").inner_text()
    page.keyboard.press("ArrowDown")
    assert "seen from patch row" in page.locator(".wt-say").inner_text()
    assert page.evaluate("document.activeElement.tagName") == "SELECT"


def test_lifting_shows_faint_values(opened):
    page = opened(heads()._repr_html_())
    page.get_by_role("checkbox", name="Lift faint values").check()
    steps = quantise(SCORES[0, 0, 0, 0, 2:]).astype(float)
    shown = pixels(page.locator(".wt-grid canvas").first)
    assert np.array_equal(shown, expected_map(np.sqrt(steps), GRID, levels=256))


def test_the_picture_can_be_saved(opened, tmp_path):
    from PIL import Image

    page = opened(heads()._repr_html_())
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save picture").click()
    assert waiting.value.suggested_filename == "attention-heads.png"
    waiting.value.save_as(tmp_path / "saved.png")
    picture = np.array(Image.open(tmp_path / "saved.png").convert("RGB"))
    assert picture.shape[1] > 600 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_python_may_set_more_than_there_is(opened, factory):
    page = factory()
    page.state |= {"layer": 99, "head": 99, "query": 999}
    text = opened(page._repr_html_()).locator(".wt-say").inner_text()
    assert f"layer {LAYERS}, head {HEADS}" in text
