"""The page "Your photo" in a browser: used, fed with bad files, read by axe."""

import io
import json
import re

import numpy as np
import pytest
import torch
from axe import violations
from canvases import heat_colours, pixels
from hostile_pictures import CASES, EITHER, PICTURE, stored
from naive import tiny_model
from PIL import Image

from weaktr_core.labels.recipe import label_map
from weaktr_core.method.cams import normalise
from weaktr_core.method.grid import map_to_image
from weaktr_core.page.explorer import your_photo
from weaktr_core.page.packing import write_network
from weaktr_core.page.rounding import rounded
from weaktr_core.page.sample import sample

NAMES = ["cat", "dog", "cow", "car", "cup"]
RANDOM = np.random.default_rng(3)
PHOTO = RANDOM.integers(0, 256, (96, 128, 3), dtype=np.uint8)
TABS = ("heads", "classes", "trial", "patches", "keep")


@pytest.fixture(scope="module")
def model():
    model = tiny_model()
    model.statistics = ((0.5,) * 3, (0.25,) * 3)
    model.notes["classes"] = NAMES
    with torch.no_grad():  # heads that look somewhere, two tags of five
        for block in model.backbone.vit.blocks:
            block.attn.qkv.weight.mul_(4)
        model.patch_head.bias.copy_(torch.tensor([40.0, 40, -900, -900, -900]))
    return rounded(model)


@pytest.fixture
def page(model, opened, tmp_path):
    """The page on two samples, its network beside it."""
    packed = write_network(model, tmp_path / "_static" / "network")
    samples = [
        sample(model, PHOTO, name=name, credit=f"{name} by us, CC0")
        for name in ("one", "two")
    ]
    html = your_photo(packed, samples)._repr_html_()
    return opened(f"<main><h1>Your photo</h1>{html}</main>")


def load(page):
    page.locator(".wt-main-button").click()
    page.locator(".wt-own").wait_for()


def give(page, *files):
    """(name, bytes) each → what the page says in the end."""
    return drop(page, [dict(name=n, mimeType="image/png", buffer=b) for n, b in files])


def drop(page, files):
    """Files, or the path of one → what the page says in the end."""
    rounds = page.locator(".wt-photo-bar").get_attribute("data-rounds") or 0
    page.locator(".wt-file").first.set_input_files(files)
    page.locator(f".wt-photo-bar[data-rounds='{int(rounds) + 1}']").wait_for()
    return page.locator(".wt-say").inner_text()


def download(page, button):
    """What a press saves: name and bytes."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button).click()
    return waiting.value.suggested_filename, waiting.value.path().read_bytes()


def tab(page, name):
    page.locator(f"#wt-tab-{name}").click()
    return page.locator(f"#wt-panel-{name}")


def field(panel, name):
    return panel.get_by_role("combobox", name=name)


def png(array):
    return stored(Image.fromarray(array), "PNG")


def test_samples_are_alive_before_any_download(page, model):
    """Heads from a class token and from a patch are what PyTorch says, in few steps."""
    panel = tab(page, "heads")
    assert panel.locator("canvas").count() == 1 + 9
    big = panel.locator(".wt-big canvas")
    before = pixels(big)
    big.click(position={"x": 5, "y": 5})
    assert "patch row 1, column 1" in panel.inner_text()
    assert (pixels(big) != before).any()
    big.press("ArrowRight")
    assert "patch row 1, column 2" in panel.inner_text()
    page.keyboard.press("Tab")
    for name in TABS:
        tab(page, name)
        assert page.locator("[role=tabpanel]:visible").count() == 1
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0


def test_the_mask_of_a_photo_is_that_of_python(page, model, tmp_path):
    """Decoding, resizing, the network, its stages, the recipe: one file in, one out."""
    load(page)
    name = "<b>a photo.png"
    assert give(page, (name, png(PHOTO))) == ""
    tags = tab(page, "classes").locator(".wt-tags button[aria-pressed=true]")
    assert tags.all_inner_texts() == expected_tags(model)
    tab(page, "keep")
    expected = expected_mask(model, PHOTO)
    assert len(np.unique(expected)) == 3
    _, stored_mask = download(page, "Save mask")
    mask = np.asarray(Image.open(io.BytesIO(stored_mask)))
    assert (mask != expected).mean() < 5e-3
    _, text = download(page, "COCO")
    coco = json.loads(text)
    assert [c["name"] for c in coco["categories"]] == NAMES
    assert coco["images"][-1] == dict(id=2, file_name=name, height=96, width=128)
    areas = {a["category_id"]: a["area"] for a in coco["annotations"] if a["image_id"] == 2}
    assert areas == {k: int((mask == k).sum()) for k in (1, 2)}


def looked_at(model, photo, grid=(14, 18)):
    size = (grid[1] * 16, grid[0] * 16)
    seen = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC))
    with torch.no_grad():
        return model(model.prepare(seen))


def expected_tags(model):
    belief = looked_at(model, PHOTO).coarse_logits[0].sigmoid()
    order = [k for k in belief.argsort(descending=True).tolist() if belief[k] >= 0.5]
    return [f"{NAMES[k]} {round(100 * float(belief[k]))} %" for k in order]


def expected_mask(model, photo, threshold=0.4):
    output = looked_at(model, photo)
    classes = np.flatnonzero(output.coarse_logits[0] >= 0)
    scores = normalise(map_to_image(output.fine_cam[:, classes], photo.shape[:2]))
    return label_map(scores[0].numpy(), classes, threshold)


def change_weight(panel, value):
    panel.locator(".wt-acts input[type=range]").evaluate(
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", value
    )


def test_heads_on_trial(page, model):
    """Mute, solo, replace, presets, undo: the map is that of PyTorch with such weights."""
    load(page)
    give(page, ("photo.png", png(PHOTO)))
    panel = tab(page, "trial")
    panel.get_by_role("button", name="layer 2, head 3").click()
    weights = looked_at(model, PHOTO).head_weights[0].clone()
    assert shown_map(panel, "fine CAM") == expected_map(model, weights)
    change_weight(panel, 250)
    weights[1, 2] = 2.5
    assert shown_map(panel, "fine CAM") == expected_map(model, weights)
    panel.get_by_role("button", name="Mute").click()
    weights[1, 2] = 0
    assert shown_map(panel, "fine CAM") == expected_map(model, weights)
    assert "layer 2, head 3: mute" in names(panel)
    panel.get_by_role("button", name="Undo").click()
    weights[1, 2] = 2.5
    assert shown_map(panel, "fine CAM") == expected_map(model, weights)
    panel.get_by_role("button", name="Solo").click()
    alone = torch.zeros(3, 3)
    alone[1, 2] = 2.5
    assert shown_map(panel, "fine CAM") == expected_map(model, alone)
    field(panel, "Weights").select_option("last")
    last = torch.zeros(3, 3)
    last[2] = 1
    assert shown_map(panel, "fine CAM") == expected_map(model, last)
    assert expected_map(model, last) != expected_map(model, alone)
    assert expected_map(model, weights) != expected_map(model, alone)
    field(panel, "Weights").select_option("learned")
    assert "to 100 %" in panel.inner_text()
    before = shown_map(panel, "fine CAM")
    panel.get_by_role("button", name="Solo").click()
    alone = shown_map(panel, "fine CAM")
    for name in ("Replace by its mean", "Shuffle its patches"):
        panel.get_by_role("button", name=name).click()
        assert shown_map(panel, "fine CAM") != alone
    panel.get_by_role("button", name="As it was").click()
    assert shown_map(panel, "fine CAM") == before


def names(panel):
    return panel.locator(".wt-all-heads button").evaluate_all(
        "all => all.map((e) => e.getAttribute('aria-label'))"
    )


class Near:
    """A drawn map, equal to another one up to a step of the colours at each patch."""

    def __init__(self, colours):
        self.codes = nearest_code(colours)

    def __eq__(self, other):
        return np.abs(self.codes - other.codes).max() <= 2


def nearest_code(colours):
    heat = heat_colours().astype(int)
    off = np.abs(colours.reshape(-1, 1, 3).astype(int) - heat[None]).sum(axis=2)
    return off.argmin(axis=1)


def shown_map(panel, name):
    return Near(
        pixels(panel.locator(".wt-strip > div", has_text=name).last.locator("canvas"))
    )


def expected_map(model, weights):
    seen = np.asarray(
        Image.fromarray(PHOTO).resize((18 * 16, 14 * 16), Image.Resampling.BICUBIC)
    )
    with torch.no_grad():
        output = model.read_out(model.encode(model.prepare(seen)), weights)
    fine = output.fine_cam[0, int(output.coarse_logits[0].argmax())]
    codes = (255 * fine / fine.max()).round().int().numpy()
    return Near(heat_colours()[codes.ravel()])


def test_patches_find_their_like(page):
    """A photo and its mirror image: the best match lies mirrored."""
    load(page)
    give(page, ("photo.png", png(PHOTO)), ("mirror.png", png(PHOTO[:, ::-1])))
    panel = tab(page, "patches")
    field(panel, "Layer").select_option("0")
    field(panel, "compared by").select_option("value")
    field(panel, "with").select_option(label="mirror.png itself")
    page.wait_for_function(
        "() => /cosine 1.00/.test(document.querySelector('#wt-panel-patches').textContent)"
    )
    panel.locator(".wt-pair canvas").first.press("ArrowRight")
    page.wait_for_function("() => /row 8, column 11 of mirror.png is most like row 8, column 11/"
                           ".test(document.querySelector('#wt-panel-patches').textContent)")  # fmt: skip
    assert panel.locator(".wt-colours canvas").count() == 3


def test_a_link_restores_the_view(page):
    """On a sample; the photo of a reader is not in it."""
    field(tab(page, "trial"), "Weights").select_option("equal")
    page.locator("#wt-panel-trial").get_by_role("button", name="layer 1, head 2").click()
    page.get_by_role("button", name="Mute").click()
    page.locator(".wt-photos button").nth(1).click()
    tab(page, "keep")
    address = page.get_by_label("link to this view").input_value()
    assert "photo=1" in address and len(address.split("#")[1]) < 300
    page.goto("about:blank")
    page.goto(address.replace("tab=keep", "tab=trial"))
    panel = page.locator("#wt-panel-trial")
    panel.wait_for()
    assert field(panel, "Weights").input_value() == "equal"
    assert "layer 1, head 2: mute" in names(panel)
    assert page.locator(".wt-photos button[aria-pressed=true]").inner_text() == "two"


def test_every_file_ends_in_a_picture_or_a_sentence(page, tmp_path):
    """One after the other on one page, which still works in the end."""
    load(page)
    large = tmp_path / "100-megabytes.jpg"
    with large.open("wb") as file:
        file.truncate(100_000_000)
    wrong = {}
    for name, (data, phrase) in CASES.items():
        before = page.locator(".wt-photos button").count()
        said = drop(page, large) if data is None else give(page, (name, data))
        taken = page.locator(".wt-photos button").count() > before
        if taken:
            page.get_by_role("button", name="Close this photo").click()
            page.wait_for_function(
                "n => document.querySelectorAll('.wt-photos button').length === n",
                arg=before,
            )
        one_sentence = said.startswith(name) and said.endswith(".") and "\n" not in said
        fits = taken and not said if phrase is None else one_sentence and phrase in said
        if not fits and not (name in EITHER and (taken or one_sentence)):
            wrong[name] = said or ("taken" if taken else "nothing said")
    assert wrong == {}
    assert len(CASES) >= 40
    assert page.evaluate("window.hit") is None
    assert give(page, ("last.png", png(PHOTO))) == ""


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_photos_stand_upright(page, orientation):
    """As Pillow turns them; what was transparent is white."""
    load(page)
    exif = Image.Exif()
    exif[0x0112] = orientation
    give(page, ("turned.jpg", stored(PICTURE.resize((160, 90)), exif=exif, quality=95)))
    shape = (160, 90) if orientation in (6, 8) else (90, 160)
    text = json.loads(download_from(page, "COCO"))["images"][-1]
    assert (text["height"], text["width"]) == shape


def download_from(page, button):
    tab(page, "keep")
    return download(page, button)[1]


def test_what_was_transparent_is_white(page):
    load(page)
    give(page, ("glass.png", stored(Image.new("RGBA", (90, 60), (200, 0, 0, 0)), "PNG")))
    assert (pixels(page.locator(".wt-photos canvas").last) == 255).all()


# the row of photos scrolls by itself
STICKING_OUT = """() => {
  const root = document.querySelector(".wt"), end = root.getBoundingClientRect().right;
  return [...root.querySelectorAll("*")].filter((e) => !e.closest(".wt-photos")
    && e.getBoundingClientRect().right > end).map((e) => e.outerHTML.slice(0, 200));
}"""


def test_axe_finds_nothing_and_nothing_sticks_out(page):
    load(page)
    give(page, ("a-very-long-name" * 6 + ".png", png(PHOTO)))
    for width in (1000, 390, 350):
        page.set_viewport_size({"width": width, "height": 900})
        for name in TABS:
            tab(page, name)
            page.wait_for_timeout(300)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (
                name,
                width,
            )
            assert page.evaluate(STICKING_OUT) == [], (name, width)
            assert width != 390 or violations(page) == [], name


FOCUSED = """() => {
  const e = document.activeElement;
  return e.ariaLabel ?? e.closest("label")?.innerText ?? e.innerText;
}"""


def test_the_focus_stays_where_it_was(page):
    """What is drawn anew, or goes, hands the focus on: a key leads from there."""

    def focused():
        return page.evaluate(FOCUSED).strip()

    page.locator(".wt-main-button").press("Enter")
    page.locator(".wt-own").wait_for()
    assert focused() == "Choose photos"
    give(page, ("mine.png", png(PHOTO)))
    tag = tab(page, "classes").locator(".wt-tags button").nth(1)
    pressed = tag.get_attribute("aria-pressed")
    tag.press(" ")
    assert tag.get_attribute("aria-pressed") != pressed
    assert focused() == tag.inner_text()
    tag.press(" ")
    assert tag.get_attribute("aria-pressed") == pressed
    for name in ("classes", "trial"):
        shown = field(tab(page, name), "Maps of")
        shown.press("ArrowDown")
        assert focused().startswith("Maps of")
        assert shown.evaluate("e => e.selectedIndex") == 1
        shown.press("ArrowUp")
    page.locator(".wt-photos button").first.press("Enter")
    page.locator(".wt-photos button").first.and_(
        page.locator("[aria-pressed=true]")
    ).wait_for()
    assert focused() == "one"
    page.locator(".wt-photos button").last.press("Enter")
    page.get_by_role("button", name="Close this photo").press("Enter")
    page.get_by_role("button", name="mine.png").wait_for(state="detached")
    page.wait_for_function(f"({FOCUSED})().trim() === 'Choose photos'")


def test_two_on_a_page_share_one_network(model, opened, tmp_path):
    packed = write_network(model, tmp_path / "_static" / "network")
    samples = [sample(model, PHOTO, name="one", credit="by us")]
    html = "".join(
        your_photo(packed, samples, tab=t)._repr_html_() for t in ("heads", "trial")
    )
    page = opened(f"<main><h1>Two</h1>{html}</main>")
    page.locator(".wt-main-button").nth(1).wait_for()
    for i in (0, 1):
        page.locator(".wt-main-button").nth(i).click()
        page.locator(".wt-own").nth(i).wait_for()
    assert page.evaluate("Object.keys(globalThis.weaktrWorkers).length") == 1
    ids = page.locator(".wt [id]").evaluate_all("all => all.map((e) => e.id)")
    assert len(ids) == len(set(ids))


def test_inside_a_chapter_one_tab_is_enough(opened, tmp_path):
    """Without attention between patches heads are asked from class tokens; a link leads on."""
    model = tiny_model(refine="features")
    model.statistics = ((0.5,) * 3, (0.25,) * 3)
    model.notes["classes"] = NAMES
    packed = write_network(model, tmp_path / "_static" / "network")
    light = sample(model, PHOTO, name="one", credit="by us") | dict(patchRows=None)
    explorer = your_photo(packed, [light], tab="heads")
    explorer.state |= dict(only="all.html")
    page = opened(f"<main><h1>One</h1>{explorer._repr_html_()}</main>")
    assert page.locator("[role=tab]").count() == 0
    page.locator(".wt-big canvas").click(position={"x": 5, "y": 5})
    assert "seen from the class token" in page.locator(".wt").inner_text()
    link = page.get_by_role("link", name="a page of its own").get_attribute("href")
    assert link.startswith("all.html#wt-your-photo?tab=heads&")
    load(page)
    page.locator(".wt-say").filter(has_text=re.compile("^$")).wait_for()
    page.locator(".wt-big canvas").click(position={"x": 5, "y": 5})
    assert "patch row 1, column 1" in page.locator(".wt").inner_text()
