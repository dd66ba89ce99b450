"""Votes: counted one by one they are the logit that Python computes."""

import numpy as np
import pytest
from canvases import pixels

from weaktr_core.widgets import explore_votes

GRID, NAMES = (5, 7), ("ant", "bee", "cat")
RANDOM = np.random.default_rng(1)
PHOTOS = [np.full((50, 70, 3), 120, dtype=np.uint8) for _ in range(2)]
VOTES = [RANDOM.normal(0.5, 4, (3, *GRID)) for _ in PHOTOS]
TAGS = np.array([[0, 1, 1], [1, 0, 0]])


def page_of(host="html", **changes):
    options = dict(class_names=NAMES, tags=TAGS, names=["one", "two"], host=host)
    return explore_votes(PHOTOS, VOTES, **{**options, **changes})


def number(text):
    return float(text.replace("−", "-").replace("+", ""))


def counted(page, count):
    page.get_by_role("slider", name="Votes counted").fill(str(count))


@pytest.mark.parametrize("width", [1000, 390])
def test_what_is_counted_adds_up_to_the_logit(opened, width):
    page = opened(page_of()._repr_html_(), width)
    say = page.locator(".wt-say")
    assert "one, bee: 8 of 35" in say.inner_text()
    for choice, order in (
        ("strongest", np.argsort(-VOTES[0][1].ravel())),
        ("reading", ...),
    ):
        page.get_by_role("combobox", name="Count").select_option(choice)
        votes = VOTES[0][1].ravel()[order]
        for count in (0, 1, 20, 35):
            counted(page, count)
            words = say.inner_text().split(" votes make ")[1].split()
            assert abs(number(words[0]) - votes[:count].sum() / 35) < 0.006
            assert abs(number(words[5]) - VOTES[0][1].mean()) < 0.006
            sure = 100 / (1 + np.exp(-VOTES[0][1].mean()))
            assert abs(float(words[7]) - sure) <= 0.51
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_table_says_what_a_patch_votes_for_every_class(opened):
    page = opened(page_of()._repr_html_())
    big = page.locator(".wt-big canvas")
    box = big.bounding_box()
    big.click(position={"x": box["width"] * 3.5 / 7, "y": box["height"] * 2.5 / 5})
    big.press("ArrowRight")
    assert "row 3, column 5" in page.locator(".wt-say").inner_text()
    page.get_by_role("combobox", name="Picture").select_option(label="two")
    counted(page, 35)
    lines = page.locator(".wt-ballot tbody tr")
    for k in range(3):
        cells = [number(t) for t in lines.nth(k).locator("td").all_inner_texts()]
        expected = [VOTES[1][k, 2, 4], VOTES[1][k].mean(), VOTES[1][k].mean()]
        assert np.allclose(cells, expected, atol=0.0061)
    assert "ant, tagged" in lines.first.inner_text()


def test_votes_for_are_orange_and_votes_against_are_blue(opened):
    page = opened(page_of()._repr_html_())
    counted(page, 35)
    canvas = pixels(page.locator(".wt-big canvas")).astype(int)
    step = canvas.shape[0] // GRID[0]
    middle = canvas[step // 2 :: step, step // 2 :: step]
    strength = np.abs(VOTES[0][1]) / max(np.abs(v).max() for v in VOTES)
    redder = middle[..., 0] - middle[..., 2]
    clear = strength > 0.1
    assert (np.sign(redder)[clear] == np.sign(VOTES[0][1])[clear]).all()
    counted(page, 0)
    dimmed = pixels(page.locator(".wt-big canvas"))[step // 2 :: step, step // 2 :: step]
    assert dimmed.max() < 90


def test_wrong_shapes_are_explained():
    with pytest.raises(ValueError, match=r"votes are \(2, h, w\), came \(3, 5, 7\)"):
        page_of(class_names=NAMES[:2])
