"""Findings: the heads are those that were made so, and the explorer opens on the first."""

import numpy as np
import pytest

from weaktr_core.widgets import (
    Finding,
    explore_heads,
    find_loner,
    find_near_sighted,
    find_pair,
)

GRID, LAYERS, HEADS = (6, 8), 3, 3
RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.integers(0, 255, (60, 80, 3), dtype=np.uint8)
YS, XS = np.divmod(np.arange(48), 8)


def attention():
    """(L, H, 49, 49), even but for three heads."""
    rows = 1 + 0.1 * RANDOM.random((LAYERS, HEADS, 49, 49))
    rows[2, :, 0, 1:] += YS < 3  # the last layer looks up
    rows[2, 1, 0, 1:] = 1 + 5 * (YS >= 3)  # but for this head
    near = np.hypot(YS[:, None] - YS, XS[:, None] - XS) <= 1
    rows[0, 1, 1:, 1:] = np.where(near, 1, 1e-6)
    rows[1, 0, 1 + 2 * 8 + 1, 1:] = np.isin(np.arange(48), (17, 22)) + 1e-6
    return rows / rows.sum(axis=-1, keepdims=True)


ROWS = attention()
PATCHES = ROWS[:, :, 1:, 1:]
FOUND = [
    find_pair(PATCHES, GRID, (2, 1), (2, 6), "pair"),
    find_loner(ROWS[:, :, 0, 1:], "loner"),
    find_near_sighted(PATCHES, GRID, "near"),
]


def test_the_heads_are_found():
    places = [(one.layer, one.head) for one in FOUND]
    assert places == [(1, 0), (2, 1), (0, 1)]
    assert FOUND[0].patch == (2, 1) and FOUND[1].patch is None
    assert FOUND[0].says.startswith("50% of what it sees from here")
    near = np.where(PATCHES[0, 1] > 1e-3, np.hypot(YS[:, None] - YS, XS[:, None] - XS), 0)
    reach = (PATCHES[0, 1] * near).sum(axis=1) / PATCHES[0, 1].sum(axis=1)
    assert f"looks {reach.mean():.1f} patches away" in FOUND[2].says


def test_the_explorer_opens_on_the_first_and_buttons_and_links_lead_to_the_others(opened):
    explorer = explore_heads(
        PHOTO, ROWS, findings=FOUND, grid=GRID, every=1, names=["cat"], host="html"
    )
    page = opened(explorer._repr_html_() + '<a href="?wt-heads&finding=3#x">near</a>')
    say = page.locator(".wt-say")
    assert "cat: layer 2, head 1, seen from patch row 3, column 2. 50%" in say.inner_text()
    page.get_by_role("button", name="loner").click()
    assert "layer 3, head 2, seen from class token. Its map" in say.inner_text()
    page.get_by_role("link", name="near").click()
    assert "layer 1, head 2, seen from patch row 4, column 5. From all" in say.inner_text()
    page.goto(page.url.split("?")[0] + "?wt-heads&finding=2")
    assert "layer 3, head 2" in page.locator(".wt-say").inner_text()
    page.get_by_role("button", name="layer 1, head 1").click()
    assert "patches away" not in say.inner_text()


def test_the_nearest_patch_that_is_kept_asks():
    one = Finding("a", "A.", 0, 0, patch=(2, 2))
    shown = explore_heads(PHOTO, ROWS, findings=[one], grid=GRID, every=3, host="html")
    queries = shown.state["data"]["photos"][0]["queries"]
    asked = queries[shown.state["query"]]
    away = [np.hypot(q // 8 - 2, q % 8 - 2) for q in queries if q >= 0]
    assert np.hypot(asked // 8 - 2, asked % 8 - 2) == min(away)


def test_a_finding_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"a: \{'layer': 3\}, there are"):
        explore_heads(PHOTO, ROWS, findings=[Finding("a", "A.", 3, 0)], grid=GRID)
