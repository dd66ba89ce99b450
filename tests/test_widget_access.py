"""Explorers for everyone: axe-core, hostile names, sandboxes, keys, fingers, still motion."""

import json
import sys

import numpy as np
import pytest
from axe import violations
from canvases import expected_map, live_html, pixels, sticking_out, without_photo
from explorers import ALL, GRID, HEADS, LAYERS, SCORES, heads, patches
from playwright.sync_api import expect

from weaktr_core.widgets.host import module_source
from weaktr_core.widgets.pack import quantise

EVIL = """</script><img src=x onerror="window.hit='it'">'"`&lt;{evil}<!--<script>"""
# What a finger does first, where on it (shares of its width and height), what is said then.
TOUCHES = {
    "heads": (".wt-big canvas", (2.5 / 8, 3.5 / 6), "row 4, column 3"),
    "patches": (".wt-big canvas", (2.5 / 8, 3.5 / 6), "row 4, column 3"),
    "class_tokens": (
        ".wt-table button >> nth=1",
        (0.5, 0.5),
        "class token of cat, layer 2",
    ),
    "thresholds": (".wt-curve", (0.72, 0.5), "background score 0.70"),
    "clipping": ("text=each image alone", (0.5, 0.5), "the mean loss of this image"),
    "fusion": ("text=solo", (0.5, 0.5), "layer 3, head 1 alone"),
    "training": (".wt-strip button >> nth=0", (0.5, 0.5), "cat coarse. Most trusted"),
    "votes": (".wt-big canvas", (2.5 / 8, 3.5 / 6), "row 4, column 3"),
    "stages": ("text=where: cross-attention", (0.5, 0.5), "coarse CAM × capped"),
    "review": (".wt-big canvas", (0.5, 0.5), "Only the piece at your point"),
}
# What is written where Python sets less than there is, and more.
LIMITS = {
    "heads": ("cat: layer 1, head 1, seen from cat token",
              "cat again: layer 3, head 2, seen from patch row 6, column 8"),
    "patches": ("row 1, column 1 attends to in layer 1, mean of all heads",
                "row 6, column 8 attends to in layer 3, head 2"),
    "class_tokens": ("cat: class token of cat, layer 1",
               "cat again: class token of dog, the mean of all heads, weighted"),
    "thresholds": ("cat, background score 0.00", "cat again, background score 1.00"),
    "clipping": ("2 px", "80 px"),
    "fusion": ("cat, fine CAM of cat:", "cat again, fine CAM of dog, layer 3, head 2 alone"),
    "votes": ("cat, cat: 0 of 48", "cat again, dog: 48 of 48"),
    "stages": ("cat, coarse CAM: ", "cat again, coarse CAM, 4 jumps: "),
    "review": ("cat, 1 of 2; 0 reviewed", "cat again, 2 of 2; 0 reviewed"),
    "training": ("before training, cat, cat coarse.", "epoch 2, cat again, fine."),
}  # fmt: skip
CONTROLS = """() => [...document.querySelectorAll(
    ".wt :is(a, button, input, select, summary, [tabindex])")].filter(
  (e) => !e.disabled && e.checkVisibility())"""


@pytest.fixture(params=ALL, ids=lambda factory: factory.__name__)
def factory(request):
    return request.param


def click_patch(canvas, row, column):
    box = canvas.bounding_box()
    x, y = (column + 0.5) / GRID[1], (row + 0.5) / GRID[0]
    canvas.click(position={"x": box["width"] * x, "y": box["height"] * y})


def test_axe_finds_nothing_and_nothing_sticks_out(opened, factory):
    """With all that can be ticked, names of common length and very long ones."""
    html = factory()._repr_html_() + factory("a-very-long-name" * 9)._repr_html_()
    page = opened(f"<main><h1>Explorer</h1>{html}</main>")
    page.locator(".wt canvas").nth(-1).wait_for()
    for box in page.locator("input[type=checkbox]:enabled").all():
        box.check()
    for width in (1000, 700, 390, 350):
        page.set_viewport_size({"width": width, "height": 900})
        assert sticking_out(page) == [], width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert width not in (1000, 390) or violations(page) == []
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert violations(page) == []


def test_in_the_dark_it_has_a_dark_ground(opened, factory):
    """In the book, in Colab, in JupyterLab, and in a file that follows the system."""
    page = opened(factory()._repr_html_(), color_scheme="dark")
    ground = "getComputedStyle(document.querySelector('.wt')).backgroundColor"
    assert page.evaluate(ground) == "rgb(255, 255, 255)"  # its page says nothing of it
    for sign in ("html:theme=dark", "html:data-theme=dark", "html:data-wt-scheme=auto",
                 "body:data-jp-theme-light=false"):  # fmt: skip
        tag, (name, value) = sign.split(":")[0], sign.split(":")[1].split("=")
        change = "([tag, name, value]) => value === null ? document.querySelector(tag)"
        change += (
            ".removeAttribute(name) : document.querySelector(tag).setAttribute(name, value)"
        )
        page.evaluate(change, [tag, name, value])
        assert page.evaluate(ground) == "rgb(20, 24, 30)", sign
        page.evaluate(change, [tag, name, None])


def use(first):
    """Do with an explorer what a finger does first."""
    kind = first.evaluate("e => e.className.split(' ')[1].slice(3)")
    selector, (x, y), words = TOUCHES[kind]
    box = first.locator(selector).bounding_box()
    first.locator(selector).click(position={"x": box["width"] * x, "y": box["height"] * y})
    assert words in first.locator(".wt-say").inner_text()


def test_what_was_done_can_be_undone(opened, factory):
    page = opened(factory()._repr_html_())
    say, undo = page.locator(".wt-say"), page.get_by_role("button", name="Undo")
    before = say.inner_text()
    assert undo.get_attribute("aria-disabled") == "true"
    use(page.locator(".wt"))
    assert say.inner_text() != before
    undo.click()
    assert say.inner_text() == before
    assert undo.get_attribute("aria-disabled") == "true"


def test_a_link_in_the_text_sets_it(opened, factory):
    """The first of its kind listens; what is no trait, or no number, is left alone."""
    kind = factory.__name__
    trait = "query=3" if kind == "patches" else "photo=1"
    link = f'<a href="?wt-{kind}&{trait}&data=1&nothing=2#text">look</a>'
    page = opened(factory()._repr_html_() + factory()._repr_html_() + link)
    first, second = page.locator(".wt-say").nth(0), page.locator(".wt-say").nth(1)
    second.filter(has_text="cat").wait_for()
    before = second.inner_text()
    page.get_by_role("link", name="look").click()
    words = "row 1, column 4" if kind == "patches" else "cat again"
    assert words in first.inner_text() and second.inner_text() == before


def test_fingers_have_room(opened, factory):
    """44 pixels down, 24 across (where 14 layers lie side by side) for all that is pressed."""
    page = opened(factory()._repr_html_(), 390, 800, has_touch=True, is_mobile=True)
    sizes = page.evaluate(f"""() => ({CONTROLS})().filter((e) => !e.closest("canvas")).map((e) => {{
        const box = (e.type === "checkbox" ? e.closest("label") : e).getBoundingClientRect();
        return [box.width, box.height, e.outerHTML.slice(0, 80)];
    }})""")
    assert [one for one in sizes if one[0] < 24 or one[1] < 43.9] == []


@pytest.mark.parametrize("factory", [ALL[0], ALL[2], ALL[5], ALL[6]], indirect=True)
def test_on_a_phone_the_large_picture_stays_in_sight(opened, factory):
    """While the lowest of what is pressed is on the screen; it takes less than half of it."""
    page = opened(factory()._repr_html_(), 390, 700, has_touch=True, is_mobile=True)
    presses = page.locator(".wt :is(.wt-grid, .wt-table, .wt-faders, .wt-stages) button")
    presses.last.evaluate("e => e.scrollIntoView({ block: 'end' })")
    page.wait_for_timeout(100)
    canvas = page.locator(":is(.wt-stay, .wt-seen) canvas.wt-over").first.bounding_box()
    assert canvas["y"] >= 0 and canvas["y"] + canvas["height"] <= 700
    assert canvas["height"] < 350


NO_MAPS = ("thresholds", "clipping", "review")  # labels and losses, pixel by pixel


def test_the_strongest_patches_are_there_as_a_table(opened, factory):
    if factory.__name__ in NO_MAPS:
        pytest.skip("shows no map of patches")
    page = opened(factory()._repr_html_())
    table = page.locator(".wt-strongest table")
    assert not table.is_visible()
    page.get_by_text("strongest patches as a table").click()
    table.locator("tbody tr").nth(4).wait_for()
    lines = table.locator("tbody tr").all_inner_texts()
    shares = [float(line.split()[-2]) for line in lines]
    assert len(lines) == 5 and shares == sorted(shares, reverse=True) and shares[0] > 0
    use(page.locator(".wt"))
    assert table.locator("tbody tr").all_inner_texts() != lines or table.is_visible()


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
    labels = page.locator("canvas[aria-label]")
    assert EVIL in "".join(c.get_attribute("aria-label") for c in labels.all())


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
            page.locator(".wt canvas").first.wait_for()
            assert page.evaluate("window.hit") is None
        else:
            assert EVIL in page.locator("img").get_attribute("alt")
            assert "With scripts on" in page.locator("p").inner_text()
        context.close()


def test_every_control_is_reached_by_keys_and_seen(opened, factory):
    """By Tab, and by arrows where a group has one place for Tab."""
    page = opened(factory()._repr_html_())
    page.evaluate(f"() => {{ window.missing = new Set(({CONTROLS})()); }}")
    around = [
        *["ArrowRight"] * HEADS * LAYERS,
        "ArrowDown",
        *["ArrowLeft"] * 5,
        "ArrowDown",
    ]
    grids = set()

    def press(key):
        page.keyboard.press(key)
        tag, name, grid, outline = page.evaluate("""() => {
            const e = document.activeElement, style = getComputedStyle(e);
            missing.delete(e);
            const others = e.parentElement.querySelectorAll('[tabindex="-1"]').length;
            const grid = e.matches('[tabindex="0"]') && others ? e.parentElement.className : "";
            return [e.tagName, e.ariaLabel, grid,
              style.outlineStyle + style.outlineWidth + style.outlineColor];
        }""")
        assert tag == "BODY" or outline == "solid3pxrgb(11, 98, 196)", (tag, name)
        return tag, grid

    for _ in range(60):
        tag, grid = press("Tab")
        if tag == "BODY":
            break
        if grid and grid not in grids:
            grids.add(grid)
            for key in [*["ArrowUp"] * 4, *["ArrowLeft"] * 5, *2 * around]:
                press(key)
    left = page.evaluate("[...missing].map((e) => e.outerHTML.slice(0, 160))")
    assert tag == "BODY" and left == []


def test_a_finger_is_heard_by_one_explorer_and_the_page_still_scrolls(opened, factory):
    html = factory()._repr_html_() + factory()._repr_html_()
    page = opened(html, 390, 800, has_touch=True, is_mobile=True)
    first, second = page.locator(".wt").nth(0), page.locator(".wt").nth(1)
    second.locator(".wt-say").filter(has_text="cat").wait_for()
    before = second.locator(".wt-say").inner_text()
    selector, (x, y), words = TOUCHES[factory.__name__]
    touched = first.locator(selector)
    touched.scroll_into_view_if_needed()
    box = touched.bounding_box()
    touched.tap(position={"x": box["width"] * x, "y": box["height"] * y})
    assert words in first.locator(".wt-say").inner_text()
    assert second.locator(".wt-say").inner_text() == before
    action = touched.evaluate("e => getComputedStyle(e).touchAction")
    assert action in ("pan-y", "auto", "manipulation")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def beyond(value, sign):
    """A value of the same type that is less than there is, or more."""
    if isinstance(value, bool):
        return value
    if isinstance(value, list):
        return [99.0 * sign] * (99 if sign > 0 else 1)
    return "nothing" if isinstance(value, str) else type(value)(99 * sign)


def traits(page):
    return {name: value for name, value in page.state.items() if name != "data"}


def test_python_may_set_more_than_there_is(opened, factory):
    """At the start and later, by a model that calls its listeners at once."""
    explorer = factory()
    wanted = traits(explorer)
    least, most = LIMITS[factory.__name__]
    explorer.state |= {name: beyond(value, -1) for name, value in wanted.items()}
    page = opened(live_html(explorer))
    root = page.locator(".wt")
    root.filter(has_text=least).wait_for()
    for name, value in wanted.items():
        page.evaluate("([n, v]) => model.set(n, v)", [name, beyond(value, 1)])
    root.filter(has_text=most).wait_for()
    page.evaluate("async () => (await done)()")  # what is closed no longer listens
    assert page.evaluate("Object.values(heard).every((list) => !list.length)")


def test_live_traits_reach_python(factory):
    explorer = factory()
    widget, seen = factory(host="live"), {}
    others = {bool: lambda v: not v, list: lambda v: [0.5] * len(v), str: lambda _: "cam"}
    changed = {
        name: others.get(type(value), lambda v: v + 1)(value)
        for name, value in traits(explorer).items()
    }
    widget.observe(
        lambda change: seen.update({change["name"]: change["new"]}), list(changed)
    )
    widget.set_state(changed)  # what the browser sends
    assert seen == changed == {name: getattr(widget, name) for name in changed}
    json.dumps(widget.data, allow_nan=False)


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
    frame.locator(".wt-say").filter(has_text="cat").wait_for(timeout=30_000)
    return frame


SHADOW = """
<div id="host"></div><script type="module">{
%s
const el = document.createElement("div"), state = %s;
document.getElementById("host").attachShadow({ mode: "open" }).append(el);
const refuse = () => { throw new Error("not implemented"); };
const model = { get: (n) => state[n], set: (n, v) => { state[n] = v; }, on() {},
  off: refuse, save_changes: refuse };
Object.assign(window, { done: explorer.render({ model, el }) });
}</script><div class="wt"><canvas></canvas></div>"""


def test_in_a_shadow_root_whose_model_only_reads(opened, factory):
    """As the {anywidget} directive of mystmd mounts a module: no styles from outside, a
    model that refuses to save."""
    page_of = factory()
    source = module_source(page_of.name).replace("export default", "const explorer =")
    state = json.dumps(page_of.state).replace("<", "\\u003c")
    page = opened(SHADOW % (source, state))
    first = page.locator("#host .wt")
    first.locator(".wt-say").filter(has_text="cat").wait_for()
    use(first)
    page.get_by_role("button", name="Undo").click()
    for dark, colour in ((True, "rgb(20, 24, 30)"), (False, "rgb(255, 255, 255)")):
        page.evaluate("on => document.documentElement.classList.toggle('dark', on)", dark)
        expect(first).to_have_css("background-color", colour)
    page.evaluate("async () => (await done)()")


@pytest.mark.parametrize("factory", ALL[2:], indirect=True)
def test_in_a_sandbox_as_on_colab(opened, monkeypatch, factory):
    frame = sandboxed(opened, monkeypatch, factory)
    selector, (x, y), words = TOUCHES[factory.__name__]
    box = frame.locator(selector).bounding_box()
    position = {"x": box["width"] * x, "y": box["height"] * y}
    frame.locator(selector).click(position=position)
    assert words in frame.locator(".wt-say").inner_text()


def test_heads_in_a_sandbox_as_on_colab(opened, monkeypatch):
    frame = sandboxed(opened, monkeypatch, heads)
    frame.get_by_role("button", name="layer 1, head 2").click()
    without_photo(frame)
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
    page.get_by_role("button", name="layer 3, head 1").click()
    # a head is not compared with itself
    assert "meanof all" in words(table)
    page.get_by_role("button", name="Keep to compare").click()
    page.get_by_role("button", name="layer 1, head 2").click()
    page.mouse.move(1, 1)
    page.get_by_role("combobox", name="Photo").focus()
    # kept: the head that was large when the button was pressed
    assert np.array_equal(pixels(side), expected_map(SCORES[0, 2, 0, 0, 2:], GRID))


def test_table_says_what_python_computes(opened):
    shown = heads()
    head = shown.state["head"]
    page = opened(shown._repr_html_())
    numbers = page.locator(".wt-versus td:nth-child(2)").all_inner_texts()
    maps = np.round(
        SCORES[0, :, :, 0, 2:] / SCORES[0, :, :, 0, 2:].max(-1, keepdims=True) * 31
    )
    share = maps[2, head] / maps[2, head].sum()
    used = 2 ** -(share[share > 0] * np.log2(share[share > 0])).sum()
    assert abs(float(numbers[-3]) - used) <= 1
    ys, xs = np.divmod(np.arange(48), GRID[1])
    far = np.hypot(ys - (share * ys).sum(), xs - (share * xs).sum())
    assert abs(float(numbers[-2]) - (share * far).sum()) <= 0.11
    alike = np.corrcoef(maps[2, head], maps.reshape(6, 48).mean(axis=0))[0, 1]
    assert abs(float(numbers[-1]) - alike) <= 0.011


@pytest.mark.parametrize("factory", [heads, patches], indirect=True)
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


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_sorting_glides_unless_motion_is_unwelcome(opened, motion):
    page = opened(heads()._repr_html_(), reduced_motion=motion)
    page.get_by_role("combobox", name="Sort heads by").select_option("entropy")
    moving = page.evaluate("document.getAnimations().length")
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
    without_photo(page)
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
