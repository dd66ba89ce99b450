"""Every explorer of the built book, used once: what it then shows follows from its data."""

import json

import numpy as np
import pytest
import torch
from book_site import SITE, address, overflow
from canvases import heat_colours, painted, pixels, without_photo
from test_widget_fusion import fused

from weaktr_core.method.losses import clipping_threshold
from weaktr_core.widgets.clipping import unpack_loss
from weaktr_core.widgets.pack import unpack, unpack_rows

pytestmark = pytest.mark.usefixtures("site")


def heat(codes, grid):
    """(h, w, 3) colours of a map of bytes."""
    return heat_colours()[np.asarray(codes, dtype=int)].reshape(*grid, 3)


def scaled(values, top=None):
    """Bytes of a map, as the page rounds them."""
    top = values.max() if top is None else top
    return np.floor(255 * np.minimum(values / max(top, 1e-30), 1) + 0.5)


def equal(canvas, expected):
    return np.array_equal(pixels(canvas), expected)


def close(canvas, expected):
    """Equal up to one step of the colours: sums in another order round differently."""
    return np.abs(pixels(canvas).astype(int) - expected).max() <= 8


def percent(share):
    return f"{int(100 * share + 0.5)} %"


def said(root):
    return root.locator(".wt-say").inner_text()


def click_patch(canvas, row, column, grid):
    box = canvas.bounding_box()
    x, y = box["width"] * (column + 0.5) / grid[1], box["height"] * (row + 0.5) / grid[0]
    canvas.click(position={"x": x, "y": y})


def use_patches(page, root, data):
    """Click a patch, then a key."""
    grid, rows = data["grid"], unpack(data["attention"])
    big = root.locator(".wt-big canvas")
    click_patch(big, 2, 3, grid)
    assert "row 3, column 4" in said(root)
    assert equal(root.locator(".wt-map"), heat(rows[-1, -1, 2 * grid[1] + 3], grid))
    big.press("ArrowDown")
    assert "row 4, column 4" in said(root)
    assert equal(root.locator(".wt-map"), heat(rows[-1, -1, 3 * grid[1] + 3], grid))


def use_heads(page, root, data):
    """Choose a head, then a patch that is kept as a query."""
    photo, (layers, heads) = data["photos"][0], data["shape"]
    grid, rows, query = photo["grid"], unpack(photo["attention"]), 5
    without_photo(root)
    root.get_by_role("button", name="layer 1, head 2").press("Enter")
    row, column = divmod(photo["queries"][query], grid[1])
    click_patch(root.locator(".wt-big canvas"), row, column, grid)
    place = f"patch row {row + 1}, column {column + 1}"
    assert said(root) == f"{photo['name']}: layer 1, head 2, seen from {place}."
    for layer, head in ((0, 0), (0, 1), (layers - 1, heads - 1)):
        thumb = root.locator(".wt-grid canvas").nth(layer * heads + head)
        assert equal(thumb, heat(rows[layer, head, query], grid))


def use_class_tokens(page, root, data):
    """Small maps of the first stage, then one of them large."""
    photo, name = data["photos"][0], data["classes"][-1]
    maps, grid = unpack(photo["maps"]), photo["grid"]
    cells = root.get_by_role("button", name=name)
    assert cells.count() == len(data["rows"])
    for stage in (1, 0):
        root.get_by_role("combobox", name="Small maps").select_option(str(stage))
        for row in range(len(data["rows"])):
            shown = cells.nth(row).locator("canvas")
            assert equal(shown, heat(maps[0, stage, row, -1], grid))
    big = root.locator(".wt-stage canvas").last
    before = pixels(big)
    cells.nth(1).click()
    assert f"class token of {name}, layer 2, its attention" in said(root)
    assert (pixels(big) != before).any()


def use_fusion(page, root, data):
    """Listen to the last layer, then change one head of it by key."""
    photo, (layers, heads) = data["photos"][0], data["shape"]
    before = said(root)
    root.get_by_role("button", name="last layer").click()
    weights = np.zeros((layers, heads))
    weights[-1] = 1
    for change in (0, 0.1):
        weights[-1, 0] += change
        if change:
            head = root.get_by_role("button", name=f"layer {layers}, head 1: weight")
            head.press("+")
        maps = fused(photo, weights, data["cap"], (layers, heads))
        for stage in data["stages"]:
            drawn = root.locator(f".wt-stage-{stage}")
            assert close(drawn, heat(scaled(maps[stage][0]), photo["grid"])), stage
        assert before != said(root)
        before = said(root)


def use_training(page, root, data):
    """The slider to the first epoch, then a key."""
    maps, slider = unpack_rows(data["maps"]), root.get_by_role("slider", name="Epoch")
    weights = np.reshape(data["weights"], data["shape"])
    slider.fill("0")
    for epoch in (0, 1):
        assert said(root).startswith(
            data["epochs"][epoch] + ", " + data["photos"][0]["name"]
        )
        for stage in range(len(data["stages"])):
            drawn = root.locator(".wt-strip canvas").nth(stage)
            assert equal(drawn, heat(scaled(maps[epoch, 0, stage]), data["grid"]))
        table = [float(t) for t in root.locator(".wt-weights td").all_inner_texts()]
        assert np.allclose(table, weights[epoch, 0].ravel(), atol=0.006)
        slider.press("ArrowRight")


def use_thresholds(page, root, data):
    """Drag in the plot, then a key on the slider."""
    photo, curve = data["photos"][0], root.locator(".wt-curve")
    best, beaten = unpack(photo["best"]), unpack(photo["beaten"])
    curve.scroll_into_view_if_needed()
    box = curve.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2, steps=3)
    page.mouse.up()
    slider = root.get_by_role("slider", name="Background score")
    for key in (None, "ArrowLeft"):
        if key:
            slider.press(key)
        step = int(slider.input_value())
        labels = np.where(beaten > step, best, 0)
        expected = painted(page, photo["jpeg"], labels).astype(int)
        assert np.abs(pixels(root.locator(".wt-big canvas")) - expected).max() <= 1
        assert f"background score {data['thresholds'][step]:.2f}" in said(root)
        assert f": {percent((labels > 0).mean())} of the pixels" in said(root)
    assert data["thresholds"][step] > 0.5


def use_review(page, root, data):
    """A higher background score, then the next photo."""
    photo, names = data["photos"][0], data["names"]
    best, beaten = unpack(photo["best"]), unpack(photo["beaten"])
    root.get_by_role("slider").fill("70")
    expected = painted(page, photo["jpeg"], np.where(beaten > 70, best, 0)).astype(int)
    assert np.abs(pixels(root.locator(".wt-big canvas")) - expected).max() <= 1
    for k, sure in zip(photo["tags"], np.array(photo["sure"])[photo["tags"]], strict=True):
        box = root.get_by_role("checkbox", name=f"{names[k + 1]} {percent(sure)}")
        assert box.is_checked()
    root.get_by_role("button", name="Keep, next").click()
    assert f"2 of {len(data['photos'])}; 1 reviewed" in said(root)


def use_clipping(page, root, data):
    """A smaller window, then means of each image."""
    raw = torch.from_numpy(np.stack([unpack_loss(p["loss"]) for p in data["photos"]]))
    root.get_by_role("slider", name="Start value").fill("4")
    root.get_by_role("slider", name="Window").fill("20")
    for alone in (False, True):
        root.get_by_role("checkbox", name="each image").set_checked(alone)
        ceiling = clipping_threshold(raw, 20, per_image=alone).expand(len(raw), -1, -1)
        expected = heat(scaled(ceiling[0].numpy(), data["top"]), data["grid"])
        assert close(root.locator(".wt-lambda"), expected)
        marked = (pixels(root.locator(".wt-clip")) == (0, 114, 178)).all(axis=-1)
        assert np.array_equal(marked, (raw > ceiling)[0].numpy())
        assert f"Clipped: {percent(marked.mean())} of this image" in said(root)


def use_votes(page, root, data):
    """Count all votes of the class shown: the logit; then none."""
    photo = data["photos"][0]
    votes = np.array(photo["votes"])  # (K, N)
    slider = root.get_by_role("slider", name="Votes counted")
    shown = int(np.argmax(photo["tags"]))
    for count in (votes.shape[1], 0):
        slider.fill(str(count))
        logit = votes[shown].mean()
        part = logit if count else 0.0
        sign = "−" if part < 0 else "+"
        assert f"make {sign}{abs(part):.2f} of a logit of" in said(root)
    cells = root.locator(".wt-ballot tbody tr").nth(shown).locator("td")
    assert abs(float(cells.last.inner_text().replace("−", "-")) - logit) < 0.0051


def use_stages(page, root, data):
    """Both maps and a jump: the method's own setting."""
    photo = data["photos"][0]
    root.get_by_role("checkbox", name="cross-attention").check()
    root.get_by_role("slider", name="Jumps").fill("1")
    cross, coarse = (unpack_rows(photo[name]) for name in ("cross", "coarse"))
    cross = np.minimum(cross, data["cap"] * cross.mean(axis=1, keepdims=True))
    fine = (cross * coarse) @ unpack_rows(photo["affinity"]).T
    assert close(root.locator(".wt-result"), heat(scaled(fine[0]), photo["grid"]))
    assert "capped cross-attention, 1 jump: " in said(root)
    numbers = [w for w in root.locator(".wt-tally").inner_text().split() if w[0].isdigit()]
    assert numbers[-1] == numbers[-2]  # beside the method's own


USES = {name[4:]: use for name, use in globals().items() if name.startswith("use_")}
CHAPTERS = {
    "02_how_a_vit_sees": ["patches"],
    "03_heads_disagree": ["heads"],
    "04_class_tokens": ["class_tokens"],
    "05_class_activation_maps": ["votes"],
    "06_weighting_heads": ["fusion"],
    "07_from_blobs_to_objects": ["stages"],
    "08_training_with_tags": ["training"],
    "09_pseudo_labels": ["thresholds"],
    "10_learning_from_noisy_masks": ["clipping"],
    "12_your_own_photos": ["review"],
}


def test_no_explorer_of_the_book_is_left_out():
    texts = {path.stem: path.read_text("utf8") for path in SITE.glob("[0-9]*.html")}
    assert {name for name, text in texts.items() if "wt-root" in text} == set(CHAPTERS)
    assert {kind for kinds in CHAPTERS.values() for kind in kinds} == set(USES)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", CHAPTERS)
def test_explorers_show_what_their_data_say(visit, name, width):
    page = visit(address(name), width)
    roots = page.locator(".wt-root")
    kinds = [root.get_attribute("id").split("-")[1] for root in roots.all()]
    assert kinds == CHAPTERS[name]
    for root, kind in zip(roots.all(), kinds, strict=True):
        root.locator(".wt canvas").first.wait_for()
        text = page.locator(f"#{root.get_attribute('id')}-data").text_content()
        USES[kind](page, root, json.loads(text)["data"])
    assert overflow(page) <= 0
