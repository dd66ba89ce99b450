"""Threshold explorer: its labels are those of Python, pixel for pixel."""

import numpy as np
import pytest
from canvases import painted, pixels

from weaktr_core.labels.recipe import label_map
from weaktr_core.scores.metrics import ConfusionMatrix, ScoredImage, threshold_sweep
from weaktr_core.widgets import explore_thresholds

NAMES = ("boat", "cat", "tree")
SIZE, CRF_AT = (20, 30), (0.25, 0.5, 0.75)
RANDOM = np.random.default_rng(4)
PHOTOS = [RANDOM.integers(0, 255, (40, 60, 3), dtype=np.uint8) for _ in range(2)]
CLASSES = [np.array([0, 2]), np.array([1])]
SCORES = [RANDOM.random((len(k), *SIZE)) for k in CLASSES]
MASKS = [RANDOM.choice([0, *(k + 1), 255], SIZE).astype(np.uint8) for k in CLASSES]
SWEEP = threshold_sweep(
    [ScoredImage(*one) for one in zip(SCORES, CLASSES, MASKS, strict=True)], num_classes=3
)
CRF = [
    np.stack([np.roll(label_map(s, k, t), 1, axis=1) for t in CRF_AT])
    for s, k in zip(SCORES, CLASSES, strict=True)
]


def explorer(host="html", **changes):
    options = dict(
        class_names=NAMES, iou=SWEEP.iou, otsu=0.423, peeked=0.31, crf=CRF,
        crf_thresholds=CRF_AT, names=["harbour", "cat"],
    )  # fmt: skip
    return explore_thresholds(
        PHOTOS, SCORES, CLASSES, MASKS, host=host, **{**options, **changes}
    )


def close(found, expected):
    """Equal up to one grey level, where a product falls on a whole number."""
    return np.abs(found.astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize("width", [1000, 390])
def test_labels_are_those_of_python(opened, width):
    shown = explorer()
    page = opened(shown._repr_html_(), width)
    big, say = page.locator(".wt-big canvas"), page.locator(".wt-say")
    slider = page.get_by_role("slider", name="Background score")
    source = shown.state["data"]["photos"][0]["jpeg"]
    assert "0.42 (Otsu, no mask)" in say.inner_text()
    for step in (0, 17, 42, 99, 100):
        slider.fill(str(step))
        labels = label_map(SCORES[0], CLASSES[0], SWEEP.thresholds[step])
        assert close(pixels(big), painted(page, source, labels))
        matrix = ConfusionMatrix(4)
        matrix.update(MASKS[0], labels)
        assert f"mIoU of this scene {100 * matrix.miou:.0f} %" in say.inner_text()
        assert f"without CRF: {100 * SWEEP.miou[step]:.0f} %" in say.inner_text()
    page.get_by_role("combobox", name="Scene").select_option(label="cat")
    slider.fill("60")
    labels = label_map(SCORES[1], CLASSES[1], 0.6)
    other = shown.state["data"]["photos"][1]["jpeg"]
    assert close(pixels(big), painted(page, other, labels))
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_curve_of_one_scene_is_its_sweep(opened):
    page = opened(explorer()._repr_html_())
    line = page.locator("polyline").first.get_attribute("points")
    drawn = np.array([[float(v) for v in pair.split(",")] for pair in line.split()])
    alone = threshold_sweep(
        [ScoredImage(SCORES[0], CLASSES[0], MASKS[0])], num_classes=3
    ).miou
    assert np.allclose((224 - drawn[:, 1]) / 214, alone, atol=1e-9)
    page.get_by_role("combobox", name="Blue curve").select_option(label="all scenes, tree")
    line = page.locator("polyline").last.get_attribute("points")
    drawn = np.array([[float(v) for v in pair.split(",")] for pair in line.split()])
    assert np.allclose((224 - drawn[:, 1]) / 214, SWEEP.iou[:, 3], atol=1e-4)


def test_crf_labels_are_the_stored_ones(opened):
    shown = explorer()
    page = opened(shown._repr_html_())
    page.get_by_role("checkbox", name="CRF").check()
    slider = page.get_by_role("slider", name="Background score")
    source = shown.state["data"]["photos"][0]["jpeg"]
    for step, stored in ((10, 0), (42, 1), (90, 2)):
        slider.fill(str(step))
        found = pixels(page.locator(".wt-big canvas"))
        assert close(found, painted(page, source, CRF[0][stored]))
        said = page.locator(".wt-say").inner_text()
        assert f"after the CRF at {CRF_AT[stored]:.2f}" in said
    assert page.locator(".wt-after").count() == len(CRF_AT)
    matrix = ConfusionMatrix(4)
    matrix.update(MASKS[0], CRF[0][2])
    place = float(page.locator(".wt-after").nth(2).get_attribute("cy"))
    assert np.isclose((224 - place) / 214, matrix.miou)


def test_the_outline_lies_where_true_labels_change(opened):
    page = opened(explorer()._repr_html_())
    page.get_by_role("checkbox", name="true mask").check()
    mask = MASKS[0]
    edge = np.zeros(SIZE, dtype=bool)
    edge[:, :-1] |= mask[:, 1:] != mask[:, :-1]
    edge[:-1] |= mask[1:] != mask[:-1]
    white = (pixels(page.locator(".wt-big canvas")) == 255).all(axis=-1)
    assert np.array_equal(white, edge)


@pytest.mark.parametrize("width", [1000, 390])
def test_buttons_keyboard_and_drag_move_the_threshold(opened, width):
    page = opened(explorer()._repr_html_(), width)
    say, slider = page.locator(".wt-say"), page.get_by_role("slider")
    page.get_by_role("button", name="peeked at masks: 0.31").press("Enter")
    assert "0.31 (peeked at masks)" in say.inner_text()
    assert slider.get_attribute("aria-valuetext") == "0.31"
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert "background score 0.32" in say.inner_text()
    curve = page.locator(".wt-curve")
    curve.scroll_into_view_if_needed()
    box = curve.bounding_box()
    at = [box["x"] + box["width"] * (44 + t * 388) / 440 for t in (0.2, 0.701)]
    page.mouse.move(at[0], box["y"] + box["height"] / 2)
    page.mouse.down()
    assert "background score 0.20" in say.inner_text()
    page.mouse.move(at[1], box["y"] + box["height"] / 2)
    assert "background score 0.70" in say.inner_text()
    page.mouse.up()
    page.mouse.move(at[0], box["y"] + box["height"] / 2)
    assert "background score 0.70" in say.inner_text()
    assert curve.evaluate("c => getComputedStyle(c).touchAction") == "pan-y"


def test_without_masks_curve_and_crf_the_labels_remain(opened):
    page = opened(
        explore_thresholds(
            PHOTOS[:1], SCORES[:1], CLASSES[:1], class_names=NAMES, host="html"
        )._repr_html_()
    )
    assert "background score 0.50: " in page.locator(".wt-say").inner_text()
    assert page.get_by_role("checkbox", name="CRF").is_disabled()
    assert page.get_by_role("checkbox", name="true mask").is_disabled()
    assert page.locator("polyline").count() == 0


def test_page_size(note):
    """Four scenes of 168 pixels, nine CRF maps each, as in chapter 9."""
    ys, xs = np.mgrid[:168, :168] / 168
    smooth = np.stack([np.sin(5 * xs) ** 2 * ys, np.cos(4 * ys) ** 2 * xs])
    maps = np.stack([label_map(smooth, np.arange(2), t / 10) for t in range(1, 10)])
    photo = np.stack([255 * ys, 255 * xs, 120 + 0 * xs], axis=-1).astype(np.uint8)
    page = explore_thresholds(
        [photo] * 4, [smooth] * 4, [np.arange(2)] * 4, [maps[4]] * 4, class_names=NAMES,
        iou=SWEEP.iou, crf=[maps] * 4, crf_thresholds=[t / 10 for t in range(1, 10)],
        host="html",
    )  # fmt: skip
    size = len(page._repr_html_())
    note(f"thresholds: {size / 1e6:.2f} MB")
    assert size < 1e6


def test_wrong_shapes_are_explained():
    with pytest.raises(ValueError, match=r"scores are \(P, h, w\) of P classes"):
        explore_thresholds(PHOTOS[:1], SCORES[:1], CLASSES[1:], class_names=NAMES)
    with pytest.raises(ValueError, match=r"iou is \(101, 4\), came \(100, 4\)"):
        explorer(iou=SWEEP.iou[1:])
    with pytest.raises(ValueError, match=r"crf is \(2, 20, 30\) for 2 thresholds"):
        explorer(crf_thresholds=(0.2, 0.4))
    with pytest.raises(ValueError, match="mask is"):
        explore_thresholds(
            PHOTOS[:1], SCORES[:1], CLASSES[:1], [MASKS[0][1:]], class_names=NAMES
        )
