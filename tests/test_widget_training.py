"""The training explorer: every epoch drawn as Python computes it, and no unasked motion."""

import numpy as np
import pytest
from canvases import heat_colours, pixels

from weaktr_core.widgets import explore_training
from weaktr_core.widgets.pack import unpack_rows

GRID, EPOCHS, LAYERS, HEADS = (5, 7), 4, 3, 2
STAGES = ("coarse", "fine")
RANDOM = np.random.default_rng(0)
PHOTOS = RANDOM.integers(0, 255, (2, 50, 70, 3), dtype=np.uint8)
WEIGHTS = RANDOM.uniform(0.3, 1.7, (EPOCHS, 2, LAYERS, HEADS))
MAPS = (
    RANDOM.gamma(0.5, size=(EPOCHS, 2, 2, *GRID))
    * np.arange(1, 5)[:, None, None, None, None]
)
CURVES = {
    "mIoU, %": {"coarse": [20, 40, 45, 50], "fine": [22.0, 44, 50, 55]},
    "losses": {"fine": [None, 0.7, 0.69, float("nan")]},
}


def explorer(host="html", **options):
    options = {"names": ["car", "cat"], "stages": STAGES, **options}
    return explore_training(WEIGHTS, MAPS, PHOTOS, CURVES, host=host, **options)


PAGE = explorer()
CLOSE = unpack_rows(PAGE.state["data"]["maps"])  # (E, images, stages, N)


def colours(values, top=None):
    top = values.max() if top is None else top
    return heat_colours()[np.floor(255 * values / top + 0.5).astype(int)].reshape(*GRID, 3)


def assert_shows(page, epoch, photo=0):
    for stage in range(2):
        drawn = pixels(page.locator(".wt-strip canvas").nth(stage))
        assert np.array_equal(drawn, colours(CLOSE[epoch, photo, stage]))
    table = [float(t) for t in page.locator(".wt-weights td").all_inner_texts()]
    assert np.allclose(table, WEIGHTS[epoch, photo].ravel(), atol=0.006)


def background(page, index):
    cell = page.locator(".wt-weights td").nth(index)
    text = cell.evaluate("c => getComputedStyle(c).backgroundColor")
    return [int(n) for n in text[4:-1].split(",")]


def slider(page):
    return page.get_by_role("slider", name="Epoch")


def test_packed_maps_are_close():
    flat = MAPS.reshape(CLOSE.shape)
    assert (np.abs(CLOSE - flat).max(axis=-1) < 0.03 * flat.max(axis=-1)).all()


@pytest.mark.parametrize("width", [1000, 390])
def test_every_epoch_is_what_python_computes(opened, width):
    page = opened(PAGE._repr_html_(), width)
    assert_shows(page, EPOCHS - 1)
    for epoch in range(EPOCHS):
        slider(page).fill(str(epoch))
        assert_shows(page, epoch)
        share = WEIGHTS[epoch, 0, 1, 0] / WEIGHTS.max()
        assert background(page, 2) == heat_colours()[int(255 * share + 0.5)].tolist()
    page.get_by_role("combobox", name="Picture").select_option(label="cat")
    assert_shows(page, EPOCHS - 1, 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_keys_move_the_slider_and_the_sentence_follows(opened):
    page = opened(PAGE._repr_html_())
    slider(page).focus()
    page.keyboard.press("ArrowLeft")
    assert_shows(page, 2)
    said = page.locator(".wt-say").inner_text()
    most = np.unravel_index(WEIGHTS[2, 0].argmax(), (LAYERS, HEADS))
    assert "epoch 2, car, fine" in said
    assert f"Most trusted: layer {most[0] + 1}, head {most[1] + 1}" in said
    assert slider(page).get_attribute("aria-valuetext") == "epoch 2"
    page.get_by_role("button", name="coarse").click()
    assert "epoch 2, car, coarse" in page.locator(".wt-say").inner_text()


def test_one_scale_for_all_epochs(opened):
    page = opened(PAGE._repr_html_())
    page.get_by_role("checkbox").check()
    slider(page).fill("1")
    for stage in range(2):
        top = CLOSE[:, 0, stage].max()
        drawn = pixels(page.locator(".wt-strip canvas").nth(stage))
        assert np.array_equal(drawn, colours(CLOSE[1, 0, stage], top))


def test_weights_of_the_mean_picture(opened):
    page = opened(PAGE._repr_html_())
    page.get_by_role("combobox", name="Weights of").select_option("all")
    table = [float(t) for t in page.locator(".wt-weights td").all_inner_texts()]
    assert np.allclose(table, WEIGHTS[-1].mean(axis=0).ravel(), atol=0.006)


def test_the_cursor_and_the_numbers_of_the_curves_move(opened):
    page = opened(PAGE._repr_html_())
    places = []
    for epoch in range(EPOCHS):
        slider(page).fill(str(epoch))
        panels = page.locator(".wt-panel")
        places.append(float(panels.first.locator(".wt-cursor").get_attribute("x1")))
        text = panels.first.locator("li").nth(1).inner_text()
        assert float(text.split()[-1]) == CURVES["mIoU, %"]["fine"][epoch]
        loss = panels.nth(1).locator("li").first.inner_text()
        expected = CURVES["losses"]["fine"][epoch]
        known = expected is not None and np.isfinite(expected)
        assert loss == (f"fine {expected:.3f}" if known else "fine –")
    assert (
        np.allclose(np.diff(places), np.diff(places)[0], atol=0.11)
        and places[1] > places[0]
    )


def test_play_runs_to_the_end_and_pause_stops(opened):
    page = opened(PAGE._repr_html_())
    page.get_by_role("button", name="play").click()
    assert slider(page).input_value() == "0"  # from the start when it stood at the end
    page.wait_for_function("document.querySelector('.wt input[type=range]').value === '1'")
    page.get_by_role("button", name="pause").click()
    at = slider(page).input_value()
    page.wait_for_timeout(1500)
    assert slider(page).input_value() == at
    page.get_by_role("button", name="play").click()
    page.wait_for_function("document.querySelector('.wt input[type=range]').value === '3'")
    page.get_by_role("button", name="play").wait_for()
    assert_shows(page, EPOCHS - 1)


def test_who_wants_no_motion_steps_by_hand(opened):
    page = opened(PAGE._repr_html_(), reduced_motion="reduce")
    page.get_by_role("button", name="next epoch").click()
    assert slider(page).input_value() == "0"
    page.wait_for_timeout(1500)
    assert slider(page).input_value() == "0"
    page.get_by_role("button", name="next epoch").click()
    assert_shows(page, 1)


def test_wrong_shapes_are_explained():
    with pytest.raises(ValueError, match=r"weights are \(E, L, H\) or \(E, 2 photos"):
        explore_training(WEIGHTS[:, :1], MAPS, PHOTOS, stages=STAGES, host="html")
    with pytest.raises(ValueError, match=r"maps are \(4, 2, 1\) and \(h, w\)"):
        explore_training(WEIGHTS, MAPS, PHOTOS, host="html")
    with pytest.raises(ValueError, match="curve 'fine': 1 numbers, 4 epochs"):
        wrong = {"losses": {"fine": [1.0]}}
        explore_training(WEIGHTS, MAPS, PHOTOS, wrong, stages=STAGES, host="html")


def test_one_table_serves_all_photos():
    shown = explore_training(WEIGHTS[:, 0], MAPS, PHOTOS, stages=STAGES, host="html")
    assert shown.state["data"]["shape"] == [EPOCHS, 2, LAYERS, HEADS]


def test_page_size(note):
    """Four epochs, six pictures of 12 x 12 patches, 12 x 6 heads, as in chapter 6."""
    weights, maps = np.ones((4, 6, 12, 6)), RANDOM.random((4, 6, 4, 12, 12))
    photos = np.zeros((6, 168, 168, 3), dtype=np.uint8)
    page = explore_training(weights, maps, photos, stages="abcd", host="html")
    note(f"training: {len(page._repr_html_()) / 1e6:.2f} MB")
    assert len(page._repr_html_()) < 0.2e6
