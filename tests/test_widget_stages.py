"""Stages: every switch makes the maps that the method's formulas make."""

import numpy as np
import pytest
import torch
from canvases import heat_colours, pixels
from naive import tiny_model

from weaktr_core.look import stage_inputs
from weaktr_core.method import cams
from weaktr_core.method.grid import map_to_image
from weaktr_core.scores import metrics
from weaktr_core.widgets import explore_stages
from weaktr_core.widgets.pack import unpack_rows

GRID, SIZE, NAMES = (6, 8), (48, 64), ("ant", "bee", "cat")
COUNT = GRID[0] * GRID[1]
RANDOM = np.random.default_rng(2)
PHOTOS = RANDOM.integers(0, 255, (2, *SIZE, 3), dtype=np.uint8)
CLASSES = [np.array([0, 2]), np.array([1])]


def random_inputs(classes):
    affinity = RANDOM.gamma(0.4, size=(COUNT, COUNT))
    return dict(
        classes=classes,
        coarse=RANDOM.gamma(0.5, size=(len(classes), *GRID)),
        cross=RANDOM.gamma(0.3, size=(len(classes), *GRID)),
        affinity=affinity / affinity.sum(axis=1, keepdims=True),
    )


def random_mask(classes):
    mask = np.zeros(SIZE, dtype=np.uint8)
    for place, k in enumerate(classes):
        mask[10:40, 25 * place : 25 * place + 22] = k + 1
    mask[:2] = 255
    return mask


INPUTS = [random_inputs(classes) for classes in CLASSES]
MASKS = [random_mask(classes) for classes in CLASSES]


def page_of(host="html", **changes):
    options = dict(class_names=NAMES, names=["one", "two"], host=host)
    return explore_stages(PHOTOS, INPUTS, MASKS, **{**options, **changes})


PAGE = page_of()
PACKED = PAGE.state["data"]["photos"]


def result(packed, coarse, cross, cap, jumps):
    """(P, N) by the plain formulas, from what the page holds."""
    maps = unpack_rows(packed["cross"])
    if cap:
        maps = np.minimum(maps, maps.mean(axis=1, keepdims=True))
    start = (unpack_rows(packed["coarse"]) if coarse else 1) * (maps if cross else 1)
    for _ in range(jumps):
        start = start @ unpack_rows(packed["affinity"]).T
    return start


def scored(index, maps):
    full = map_to_image(torch.from_numpy(maps).reshape(1, -1, *GRID), SIZE)[0]
    return metrics.ScoredImage(cams.normalise(full).numpy(), CLASSES[index], MASKS[index])


def best(images):
    return 100 * metrics.threshold_sweep(images, num_classes=3).best_miou


SETTINGS = [
    (True, False, True, 0),
    (True, True, True, 0),
    (True, True, False, 1),
    (False, True, True, 3),
]


@pytest.mark.parametrize("width", [1000, 390])
def test_every_setting_is_what_python_computes(opened, width):
    page = opened(PAGE._repr_html_(), width)
    for coarse, cross, cap, jumps in SETTINGS:
        page.get_by_role("checkbox", name="coarse CAM").set_checked(coarse)
        page.get_by_role("checkbox", name="cross-attention").set_checked(cross)
        if cross:
            page.get_by_role("checkbox", name="cap it").set_checked(cap)
        page.get_by_role("slider", name="Jumps").fill(str(jumps))
        maps = [result(p, coarse, cross, cap and cross, jumps) for p in PACKED]
        steps = np.floor(255 * maps[0][0] / maps[0][0].max() + 0.5).astype(int)
        expected = heat_colours()[steps].reshape(*GRID, 3)
        drawn = pixels(page.locator(".wt-result")).astype(int)
        assert np.abs(drawn - expected).max() <= 8  # a step: sums in another order
        images = [scored(i, m) for i, m in enumerate(maps)]
        assert f": {best(images[:1]):.1f} % mIoU" in page.locator(".wt-say").inner_text()
        said = page.locator(".wt-tally").inner_text()
        assert f"at one threshold: {best(images):.1f} %" in said
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_method_s_own_setting_is_named_for_comparison(opened):
    page = opened(PAGE._repr_html_())
    images = [scored(i, result(p, True, True, True, 1)) for i, p in enumerate(PACKED)]
    assert f"own setting {best(images):.1f} %" in page.locator(".wt-tally").inner_text()


def test_a_threshold_by_hand_and_nothing_ticked(opened):
    page = opened(PAGE._repr_html_())
    page.get_by_role("slider", name="Threshold").fill("0.3")
    image = scored(0, result(PACKED[0], True, False, False, 0))
    sweep = metrics.threshold_sweep([image], num_classes=3)
    said = page.locator(".wt-say").inner_text()
    assert f"{100 * sweep.miou[30]:.1f} % mIoU at threshold 0.30" in said
    page.get_by_role("checkbox", name="coarse CAM").uncheck()
    assert "no evidence" in page.locator(".wt-say").inner_text()
    assert page.get_by_role("checkbox", name="cap it").is_disabled()
    assert (pixels(page.locator(".wt-labels")) == 0).all()


def test_inputs_lead_to_the_model_s_own_maps():
    torch.manual_seed(0)
    model = tiny_model(classes=5).eval()
    images, tags = torch.randn(1, 3, 64, 64), np.array([[0, 1, 0, 0, 1]])
    (one,) = stage_inputs(model, images, tags)
    with torch.no_grad():
        out = model(images)
    cap = model.options["cap"]
    most = cap * one["cross"].mean(axis=(1, 2), keepdims=True)
    cross = np.minimum(one["cross"], most)
    assert np.allclose(cross, out.cross_attention[0, [1, 4]], atol=1e-6)
    cam = (cross * one["coarse"]).reshape(2, -1)
    fine = (cam @ one["affinity"].T).reshape(out.fine_cam[0, [1, 4]].shape)
    assert np.allclose(fine, out.fine_cam[0, [1, 4]], atol=1e-6)


def test_page_size(note):
    """Six scenes of 168 pixels, 12 x 12 patches, noise."""
    one = dict(
        classes=np.array([0, 2]),
        coarse=RANDOM.random((2, 12, 12)),
        cross=RANDOM.random((2, 12, 12)),
        affinity=RANDOM.random((144, 144)),
    )
    photo = np.zeros((168, 168, 3), dtype=np.uint8)
    page = explore_stages(
        [photo] * 6, [one] * 6, [photo[..., 0]] * 6, class_names=NAMES, host="html"
    )
    note(f"stages: {len(page._repr_html_()) / 1e6:.2f} MB")
    assert len(page._repr_html_()) < 0.5e6


def test_wrong_shapes_are_explained():
    with pytest.raises(ValueError, match=r"cross is \(2, 6, 8\), came \(1, 6, 8\)"):
        wrong = {**INPUTS[0], "cross": INPUTS[0]["cross"][:1]}
        explore_stages(PHOTOS, [wrong, INPUTS[1]], MASKS, class_names=NAMES)
    with pytest.raises(ValueError, match="2 photos, 1 inputs, 2 masks"):
        explore_stages(PHOTOS, INPUTS[:1], MASKS, class_names=NAMES)
