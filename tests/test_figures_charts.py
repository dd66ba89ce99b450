"""Charts that take the place of printed lists, and numbers kept for the prose."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

from weaktr_core.figures import noted
from weaktr_core.figures.charts import show_parts, show_points, show_signed, show_spread
from weaktr_core.figures.style import COLOURS, NAMES, new_grid, set_title
from weaktr_core.figures.training import show_curves
from weaktr_core.widgets.training import describe_panel


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_points_stand_at_their_scores_with_their_names():
    axes = show_points({"a": (0.2, 0.9), "b": (0.8, 0.1)}, "where", "what", diagonal=True)
    assert texts(axes) == ["a", "b"]
    dots = [
        line.get_xydata()[0].tolist() for line in axes.lines if len(line.get_xdata()) == 1
    ]
    assert dots == [[0.2, 0.9], [0.8, 0.1]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("where", "what")


def test_parts_lie_end_to_end():
    axes = show_parts({"x": {"own": 0.25, "rest": 0.75}, "y": {"own": 1.0, "rest": 0.0}})
    ends = [bar.get_x() + bar.get_width() for bar in axes.patches]
    assert ends == pytest.approx([0.25, 1, 1, 1])
    assert texts(axes) == ["25%", "100%", "75%", ""]


def test_signed_tables_are_white_at_zero():
    axes = show_signed(np.array([[-2.0, 0.0], [1.0, 2.0]]), ["r", "s"], ["c", "d"])
    assert axes.images[0].get_clim() == (-2, 2)
    assert texts(axes) == ["-2", "0", "+1", "+2"]
    axes = show_signed(np.array([[-0.5, 1.0]]), ["r"], ["c", "d"])
    assert texts(axes) == ["-0.5", "+1.0"] and len(axes.figure.axes) == 1
    labelled = show_signed(np.array([[-0.5, 1.0]]), ["r"], ["c", "d"], "change")
    assert labelled.figure.axes[1].get_ylabel() == "change"


def test_a_map_has_one_colour_wherever_it_is_drawn():
    """In curves, dots and the explorer of a training, at whatever place it comes."""
    curves = show_curves({"other": [0, 1], "fine CAM": [0, 1]}).lines[1].get_color()
    dot = show_points({"fine CAM": (0.2, 0.9), "other": (0.8, 0.1)}, "x", "y").lines[0]
    panel = describe_panel("mIoU", {"other": [1.0], "a": [1.0], "fine CAM": [1.0]})
    assert curves == dot.get_color() == panel["curves"][2]["colour"]
    assert set(COLOURS) == {*NAMES.values()} and len(set(COLOURS.values())) == 4


def test_titles_of_wide_figures_are_larger_and_stay_within_their_panel():
    narrow, wide = new_grid(1, 2, 2.0)[0, 0], new_grid(1, 6, 2.0)[0, 0]
    for axes in (narrow, wide):
        set_title(axes, "coarse CAM")
    assert narrow.title.get_fontsize() == 9 < wide.title.get_fontsize()
    set_title(wide, "a title of many words")
    assert wide.title.get_window_extent().width <= 2.0 * wide.figure.dpi


def test_a_spread_counts_everything():
    axes = show_spread([float(n) for n in range(90)], "points", mark=0)
    assert sum(bar.get_height() for bar in axes.patches) == 90
    assert len(axes.lines) == 1


def test_numbers_are_kept_for_the_book_and_shown_in_a_live_notebook(monkeypatch):
    shown = []
    monkeypatch.setattr(noted, "show", lambda data, **more: shown.append((data, more)))
    monkeypatch.setenv("WEAKTR_WIDGETS", "html")
    noted.note(best_head="layer 3")
    data, more = shown.pop()
    assert data == {"application/papermill.record/text/plain": "'layer 3'"}
    assert more["metadata"]["scrapbook"]["name"] == "best-head"
    monkeypatch.delenv("WEAKTR_WIDGETS")
    noted.note(best_head="layer 3", gain="2 points")
    assert shown == [({"text/plain": "best head: layer 3\ngain: 2 points"}, {"raw": True})]


def test_a_table_is_set_by_the_page_and_readable_without_one(monkeypatch):
    shown = []
    monkeypatch.setattr(noted, "show", lambda data, **_: shown.append(data))
    noted.table([["epochs", 60], ["rate", "4e-05"]], ["step 1", "voc12"])
    (data,) = shown
    rows = [line.strip("|").split("|") for line in data["text/markdown"].splitlines()]
    assert [[cell.strip() for cell in row] for row in (rows[0], *rows[2:])] == [
        ["step 1", "voc12"],
        ["epochs", "60"],
        ["rate", "4e-05"],
    ]
    assert "epochs" in data["text/plain"] and "|" not in data["text/plain"]


def test_names_of_dots_that_coincide_do_not_cover_each_other():
    places = {f"name {n}": (1 + 0.001 * n, 1) for n in range(4)} | {"far": (9, 9)}
    axes = show_points(places, "x", "y")
    axes.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    for number, box in enumerate(boxes):
        assert not box.count_overlaps(boxes[:number] + boxes[number + 1 :])
