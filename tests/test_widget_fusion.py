"""The fusion mixer: what is packed adds up, what is drawn is what Python computes."""

import numpy as np
import pytest
import torch
from canvases import heat_colours, live_html, pixels
from naive import tiny_model

from weaktr_core.figures.style import PALETTE
from weaktr_core.labels.recipe import best_class
from weaktr_core.look import fusion_inputs
from weaktr_core.method import cams
from weaktr_core.method.grid import map_to_image
from weaktr_core.scores import metrics
from weaktr_core.widgets import explore_fusion
from weaktr_core.widgets.pack import pack_rows, unpack, unpack_rows

GRID, LAYERS, HEADS, SIZE = (6, 8), 3, 2, (48, 64)
COUNT = GRID[0] * GRID[1]
RANDOM = np.random.default_rng(0)
PHOTOS = RANDOM.integers(0, 255, (2, *SIZE, 3), dtype=np.uint8)
CLASSES = [np.array([1, 4]), np.array([2])]
NAMES = ["ant", "bee", "cat", "dog", "eel"]


def random_rows(*shape):
    rows = RANDOM.gamma(0.4, size=shape).astype(np.float32)
    return rows / rows.sum(axis=-1, keepdims=True)


def random_inputs(classes):
    return dict(
        classes=classes,
        class_rows=random_rows(LAYERS, HEADS, len(classes), COUNT),
        patch_rows=random_rows(LAYERS, HEADS, COUNT, COUNT),
        coarse=RANDOM.normal(size=(len(classes), *GRID)).clip(0).astype(np.float32),
        learned=RANDOM.uniform(0.5, 1.5, (LAYERS, HEADS)).astype(np.float32),
    )


def random_mask(classes):
    mask = np.zeros(SIZE, dtype=np.uint8)
    for place, k in enumerate(classes):
        mask[10 : 30 + 4 * place, 20 * place : 20 * place + 30] = k + 1
    mask[:2] = 255
    return mask


INPUTS = [random_inputs(classes) for classes in CLASSES]
MASKS = [random_mask(classes) for classes in CLASSES]


def mixer(host="html", **options):
    options = {"names": ["bees", "cats"], "class_names": NAMES, **options}
    return explore_fusion(PHOTOS, INPUTS, MASKS, host=host, **options)


PAGE = mixer()
PACKED = PAGE.state["data"]["photos"]


def fused(packed, weights, cap=1.0, shape=(LAYERS, HEADS)):
    """Maps (P, N) of every stage from what the page holds, by the plain formulas."""
    w = np.asarray(weights, dtype=float).reshape(shape)
    rows, coarse = unpack_rows(packed["cross"]), unpack_rows(packed["coarse"])
    cross = np.einsum("lh,lhpn->pn", w, rows) / w.size
    if cap is not None:
        cross = np.minimum(cross, cap * cross.mean(axis=1, keepdims=True))
    affinity = np.einsum("lh,lhnm->nm", w, unpack_rows(packed["patch"])) / w.size
    cam = cross * coarse
    return dict(cross_attention=cross, cam=cam, fine_cam=cam @ affinity.T)


def scored(packed, index, maps):
    """The image that `metrics` scores."""
    full = map_to_image(torch.from_numpy(maps).reshape(1, -1, *GRID), SIZE)[0]
    scores = cams.normalise(full).numpy()
    return metrics.ScoredImage(scores, CLASSES[index], MASKS[index])


def best_miou(packed, index, weights, stage="fine_cam"):
    image = scored(packed, index, fused(packed, weights)[stage])
    return metrics.threshold_sweep([image], num_classes=len(NAMES)).best_miou


def colours(values):
    """(h, w, 3) of a map as the page draws it."""
    steps = np.floor(255 * values / max(values.max(), 1e-30) + 0.5).astype(int)
    return heat_colours()[steps].reshape(*GRID, 3)


def assert_shows(page, weights, index=0, shown=0):
    maps = fused(PACKED[index], weights)
    for stage, values in maps.items():
        drawn = pixels(page.locator(f".wt-stage-{stage}"))
        assert np.array_equal(drawn, colours(values[shown])), stage


def together(settings, stage="fine_cam"):
    """mIoU of all pictures at one threshold, each with its own weights."""
    images = [
        scored(packed, index, fused(packed, settings[index])[stage])
        for index, packed in enumerate(PACKED)
    ]
    return metrics.threshold_sweep(images, num_classes=len(NAMES)).best_miou


def row(page, who):
    return page.locator(f'tr[data-who="{who}"] td').all_inner_texts()


def cell(page, layer, head):
    return page.get_by_role("button", name=f"layer {layer}, head {head}: weight")


ONES = [1.0] * (LAYERS * HEADS)


def changed(weights, index, value):
    return [value if i == index else w for i, w in enumerate(weights)]


def test_packed_rows_keep_their_scale_and_their_sum():
    rows = RANDOM.gamma(0.3, size=(4, 5, 60)) * RANDOM.uniform(0.01, 2, (4, 5, 1))
    rows[0, 0] = 0
    for levels in (8, 64, 256):
        close = unpack_rows(pack_rows(rows, levels))
        # a step of the square root is widest at the top: about 2 / levels of the row
        widest = 1.3 * rows.max(axis=-1, keepdims=True) / (levels - 1) + 1e-5
        assert (np.abs(close - rows) <= 2 * widest).all()
        assert np.isclose(close.sum(), rows.sum(), rtol=1e-4)
        assert (close[0, 0] == 0).all()


def test_what_is_packed_is_close_to_what_the_model_computes(note):
    """Maps by `model` against maps from the page's bytes, for several weights."""
    torch.manual_seed(0)
    model = tiny_model(classes=5).eval()
    images, tags = torch.randn(2, 3, 96, 96), np.array([[1, 0, 1, 0, 0], [0, 0, 0, 1, 0]])
    found = fusion_inputs(model, images, tags)
    layers = model.encode(images).layers
    worst = dict.fromkeys(("cross_attention", "cam", "fine_cam"), 0.0)
    for index, one in enumerate(found):
        shape = one["coarse"].shape[1:]
        photo = np.zeros((96, 96, 3), dtype=np.uint8)
        mask = np.zeros((96, 96), dtype=np.uint8)
        page = explore_fusion([photo], [one], [mask], class_names=NAMES, host="html")
        packed = page.state["data"]["photos"][0]
        for weights in (one["learned"], np.ones((3, 3)), np.eye(3)):
            w = torch.tensor(weights, dtype=torch.float32).expand(2, 3, 3)
            cross = cams.cross_attention(layers, w, 5, shape, cap=1.0)
            coarse = model(images).coarse_cam
            exact = dict(cross_attention=cross, cam=cross * coarse)
            exact["fine_cam"] = cams.refine(exact["cam"], layers, w)
            close = fused(packed, weights, shape=(3, 3))
            for stage, maps in exact.items():
                true = maps[index, one["classes"]].detach().flatten(1).numpy()
                gap = np.abs(close[stage] - true).max() / true.max()
                worst[stage] = max(worst[stage], float(gap))
    note(f"mixer: largest error as a share of the largest value {worst}")
    assert worst["cross_attention"] < 0.01 and worst["cam"] < 0.02
    assert worst["fine_cam"] < 0.05


def test_inputs_are_the_model_s_own_rows():
    model = tiny_model(classes=5).eval()
    images, tags = torch.randn(1, 3, 64, 64), np.array([[0, 1, 0, 0, 1]])
    (one,) = fusion_inputs(model, images, tags)
    attention = model.attention_maps(images)[0].numpy()
    patches = one["coarse"].shape[1] * one["coarse"].shape[2]
    assert np.allclose(one["class_rows"], attention[:, :, [1, 4], -patches:], atol=1e-6)
    assert np.allclose(one["patch_rows"], attention[:, :, -patches:, -patches:], atol=1e-6)
    assert one["learned"].shape == attention.shape[:2]


def test_page_size(note):
    """12 x 12 patches, 12 x 6 heads, noise: a real scene has order and takes half."""
    one = dict(
        classes=np.array([1, 4]),
        class_rows=random_rows(12, 6, 2, 144),
        patch_rows=random_rows(12, 6, 144, 144),
        coarse=RANDOM.random((2, 12, 12)),
        learned=np.ones((12, 6)),
    )
    mask = np.zeros((168, 168), dtype=np.uint8)
    photo = np.zeros((168, 168, 3), dtype=np.uint8)
    page = explore_fusion([photo], [one], [mask], class_names=NAMES, host="html")
    note(f"mixer: {len(page._repr_html_()) / 1e6:.2f} MB for a scene")
    assert len(page._repr_html_()) < 0.9e6


def test_wrong_shapes_are_explained():
    with pytest.raises(ValueError, match="2 photos, 1 inputs, 2 masks"):
        explore_fusion(PHOTOS, INPUTS[:1], MASKS, class_names=NAMES, host="html")
    wrong = {**INPUTS[0], "class_rows": INPUTS[0]["class_rows"][:, :1]}
    with pytest.raises(ValueError, match=r"class_rows is \(3, 2, 2, 48\), came"):
        explore_fusion(PHOTOS, [wrong, INPUTS[1]], MASKS, class_names=NAMES, host="html")


def test_masks_become_local_labels():
    local = unpack(PACKED[0]["mask"])
    for value, label in ((0, 0), (255, 255), (2, 1), (5, 2)):
        assert np.array_equal(MASKS[0] == value, local == label)


@pytest.mark.parametrize("width", [1000, 390])
def test_maps_labels_and_scores_are_what_python_computes(opened, width):
    page = opened(PAGE._repr_html_(), width)
    page.wait_for_timeout(600)
    assert_shows(page, ONES)
    image = scored(PACKED[0], 0, fused(PACKED[0], ONES)["fine_cam"])
    sweep = metrics.threshold_sweep([image], num_classes=len(NAMES))
    best, score = best_class(image.scores, image.classes)
    labels = np.where(score > sweep.thresholds[sweep.best], best, 0)
    expected = PALETTE[labels]
    assert (pixels(page.locator(".wt-labels")) != expected).any(axis=-1).mean() < 1e-3
    drawn = pixels(page.locator(".wt-truth"))
    assert (drawn[:2] == 255).all() and np.array_equal(drawn[2:], PALETTE[MASKS[0][2:]])
    for who, weights in (("equal", None), ("learned", "learned"), ("yours", None)):
        own = [p[weights] if weights else ONES for p in PACKED]
        values = [100 * best_miou(PACKED[i], i, own[i]) for i in range(2)]
        shown = [float(text) for text in row(page, who)]
        assert np.allclose(shown, [*values, 100 * together(own)], atol=0.06), who
    assert f"learned {row(page, 'learned')[-1]}" in page.locator(".wt-tally").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_painting_with_pointer_and_layer_buttons(opened):
    page = opened(PAGE._repr_html_())
    cell(page, 1, 1).click()
    assert_shows(page, changed(ONES, 0, 0))
    page.get_by_role("slider", name="Brush").fill("1.7")
    start, last = cell(page, 2, 1).bounding_box(), cell(page, 3, 1).bounding_box()
    page.mouse.move(start["x"] + 8, start["y"] + 8)
    page.mouse.down()
    page.mouse.move(last["x"] + 8, last["y"] + 8, steps=6)
    page.mouse.up()
    assert_shows(page, [0, 1, 1.7, 1, 1.7, 1])
    page.get_by_role("button", name="paint all of layer 3").click()
    assert_shows(page, [0, 1, 1.7, 1, 1.7, 1.7])
    said = page.locator(".wt-say").inner_text()
    value = 100 * best_miou(PACKED[0], 0, [0, 1, 1.7, 1, 1.7, 1.7])
    assert f"{value:.1f} % mIoU" in said


def test_the_slider_moves_the_head_that_was_pressed_last(opened):
    page = opened(PAGE._repr_html_())
    cell(page, 2, 2).click()
    page.get_by_role("slider", name="Weight of layer 2, head 2").fill("1.5")
    assert_shows(page, changed(ONES, 3, 1.5))


def finger(page):
    """A function that touches: kind of event, then x and y."""
    devtools = page.context.new_cdp_session(page)

    def touch(kind, *place):
        points = [dict(zip("xy", place, strict=True))] if place else []
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    return touch


def centre(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_finger_paints_sideways_and_by_a_tap(opened):
    page = opened(PAGE._repr_html_(), 390, 500, has_touch=True, is_mobile=True)
    cell(page, 2, 1).scroll_into_view_if_needed()
    touch = finger(page)
    touch("touchStart", *centre(cell(page, 2, 1)))
    for share in (0.3, 0.6, 1.0):
        (x, y), (end, _) = centre(cell(page, 2, 1)), centre(cell(page, 2, 2))
        touch("touchMove", x + share * (end - x), y + 2)
    touch("touchEnd")
    page.wait_for_timeout(100)
    assert_shows(page, [1, 1, 0, 0, 1, 1])
    cell(page, 3, 2).tap()
    assert_shows(page, [1, 1, 0, 0, 1, 0])


def test_a_swipe_over_the_heads_scrolls_and_changes_nothing(opened):
    page = opened(PAGE._repr_html_(), 390, 500, has_touch=True, is_mobile=True)
    cell(page, 3, 1).scroll_into_view_if_needed()
    x, y = centre(cell(page, 3, 1))
    before, touch = page.evaluate("scrollY"), finger(page)
    touch("touchStart", x, y)
    for step in range(1, 9):
        touch("touchMove", x + step, y - 12 * step)
        page.wait_for_timeout(20)
    touch("touchEnd")
    page.wait_for_timeout(200)
    assert page.evaluate("scrollY") > before + 30
    assert_shows(page, ONES)


def test_every_head_shows_where_its_class_token_looks(opened):
    page = opened(PAGE._repr_html_())
    rows = unpack(PACKED[0]["cross"]["codes"])  # (L, H, P, N)
    values = np.sqrt(np.array(PACKED[0]["cross"]["values"]))
    for shown, name in enumerate(("bee", "eel")):
        page.get_by_role("combobox", name="Class").select_option(label=name)
        for index in range(LAYERS * HEADS):
            drawn = pixels(page.locator(".wt-faders canvas").nth(index))
            row = rows[index // HEADS, index % HEADS, shown]
            assert np.array_equal(drawn, colours(values[row]))


def test_undo_takes_back_a_whole_drag_and_then_what_was_before(opened):
    page = opened(PAGE._repr_html_())
    undo = page.get_by_role("button", name="Undo")
    page.get_by_role("button", name="last layer").click()
    page.wait_for_timeout(800)
    page.mouse.move(*centre(cell(page, 2, 1)))
    page.mouse.down()
    page.mouse.move(*centre(cell(page, 3, 1)), steps=6)
    page.mouse.up()
    assert_shows(page, [0, 0, 0, 0, 0, 1])
    undo.click()
    assert_shows(page, [0, 0, 0, 0, 1, 1])
    undo.click()
    assert_shows(page, ONES)
    assert undo.get_attribute("aria-disabled") == "true"


def test_a_drag_is_recorded_only_when_it_has_ended(opened):
    page = opened(PAGE._repr_html_())
    page.wait_for_timeout(600)
    before = row(page, "best")
    page.mouse.move(*centre(cell(page, 1, 1)))
    page.mouse.down()
    for layer, head in ((1, 2), (2, 2), (2, 1), (3, 1)):
        page.mouse.move(*centre(cell(page, layer, head)), steps=3)
        page.wait_for_timeout(150)
        assert row(page, "best") == before
    page.mouse.up()
    page.wait_for_timeout(600)
    best, yours = row(page, "best"), row(page, "yours")
    assert best == (yours if float(yours[-1]) > float(before[-1]) else before)


def test_keyboard_changes_mutes_and_solos(opened):
    page = opened(PAGE._repr_html_())
    cell(page, 3, 1).focus()
    for pressed in ("ArrowUp", "ArrowRight", "+", "+", "PageUp"):
        page.keyboard.press(pressed)
    weights = changed(ONES, 3, 1.3)
    assert_shows(page, weights)
    assert "weight 1.30" in page.locator(":focus").get_attribute("aria-label")
    page.keyboard.press("m")
    assert_shows(page, changed(weights, 3, 0))
    page.keyboard.press("m")
    assert_shows(page, weights)
    page.keyboard.press("s")
    assert_shows(page, [0, 0, 0, 1, 0, 0])
    assert "layer 2, head 2 alone" in page.locator(".wt-say").inner_text()
    page.keyboard.press("s")
    page.keyboard.press("ArrowRight")  # stays: the row ends here
    page.keyboard.press("-")
    page.keyboard.press("Home")
    assert_shows(page, changed(ONES, 3, 0))
    page.keyboard.press("End")
    page.keyboard.press("Enter")  # the brush
    assert_shows(page, changed(ONES, 3, 0))


def test_a_class_chosen_by_key_keeps_the_focus(opened):
    page = opened(PAGE._repr_html_())
    page.get_by_role("combobox", name="Class").focus()
    page.keyboard.press("ArrowDown")
    assert_shows(page, ONES, shown=1)
    assert page.evaluate("document.activeElement.value") == "1"


def test_presets_and_the_best(opened):
    page = opened(PAGE._repr_html_())
    page.get_by_role("button", name="learned (AAF)").click()
    assert_shows(page, PACKED[0]["learned"])
    page.get_by_role("button", name="last layer").click()
    assert_shows(page, [0, 0, 0, 0, 1, 1])
    page.wait_for_timeout(600)
    page.get_by_role("button", name="random").click()
    page.wait_for_timeout(600)
    page.get_by_role("button", name="my best").click()
    page.wait_for_timeout(600)
    assert row(page, "best") == row(page, "yours")
    page.get_by_role("button", name="all equal").click()
    assert_shows(page, ONES)
    page.wait_for_timeout(600)
    tried = (ONES, [0, 0, 0, 0, 1, 1])
    best = max(100 * together([weights] * 2) for weights in tried)
    assert float(row(page, "best")[-1]) >= best - 0.05
    assert "All pictures: learned" in page.locator(".wt-tally").inner_text()


def test_photo_class_stage_and_threshold(opened):
    page = opened(PAGE._repr_html_())
    page.get_by_role("combobox", name="Class").select_option(label="eel")
    assert_shows(page, ONES, shown=1)
    page.get_by_role("combobox", name="Picture").select_option(label="cats")
    page.wait_for_timeout(300)
    assert_shows(page, ONES, index=1)
    page.get_by_role("button", name="cross-attention map").click()
    value = 100 * best_miou(PACKED[1], 1, ONES, "cross_attention")
    assert f"{value:.1f} % mIoU" in page.locator(".wt-say").inner_text()
    page.get_by_role("slider", name="Threshold").fill("0.3")
    image = scored(PACKED[1], 1, fused(PACKED[1], ONES)["cross_attention"])
    sweep = metrics.threshold_sweep([image], num_classes=len(NAMES))
    said = page.locator(".wt-say").inner_text()
    assert f"{100 * sweep.miou[30]:.1f} % mIoU at threshold 0.30" in said
    assert f"{value:.1f} % at the best" in said
    assert not page.get_by_role("checkbox").is_checked()


def test_without_patch_rows_there_is_no_fine_cam(opened):
    plain = [{k: v for k, v in one.items() if k != "patch_rows"} for one in INPUTS]
    page = opened(
        explore_fusion(
            PHOTOS, plain, MASKS, class_names=NAMES, cap=np.inf, host="html"
        )._repr_html_()
    )
    assert page.locator(".wt-stage-fine_cam").count() == 0
    expected = fused(PACKED[0], ONES, cap=None)["cross_attention"][0]
    assert np.array_equal(
        pixels(page.locator(".wt-stage-cross_attention")), colours(expected)
    )


def test_weights_set_from_python_are_drawn_and_the_other_way_round(opened):
    page = opened(live_html(PAGE))
    weights = [0.0, 0.5, 1, 1.5, 2, 0.25]
    page.evaluate("w => model.set('weights', w)", weights)
    assert_shows(page, weights)
    page.get_by_role("button", name="last layer").click()
    assert page.evaluate("model.get('weights')") == [0, 0, 0, 0, 1, 1]
    page.evaluate("model.set('photo', 1)")
    page.wait_for_timeout(300)
    assert_shows(page, [0, 0, 0, 0, 1, 1], index=1)
    page.evaluate("model.set('threshold', 0.2), model.set('follow', false)")
    page.evaluate("model.set('threshold', 0.25)")
    assert "threshold 0.25" in page.locator(".wt-say").inner_text()
