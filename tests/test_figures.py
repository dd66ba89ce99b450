"""Figures draw what they are given."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from weaktr_core import figures
from weaktr_core.figures import fonts
from weaktr_core.figures.style import PALETTE, class_colours, new_grid

matplotlib.use("Agg")
IMAGE = np.full((28, 42, 3), 100, dtype=np.uint8)


def test_class_colours_keep_background_black_and_ignore_white():
    colours = class_colours(np.array([[0, 1, 11, 255]]))
    assert colours[0, 0].tolist() == [0, 0, 0] and colours[0, 3].tolist() == [255] * 3
    assert (colours[0, 1] == PALETTE[1]).all() and (colours[0, 2] == PALETTE[1]).all()


def test_overlay_stretches_the_map_over_the_photo():
    axes = figures.show_overlay(IMAGE, np.eye(2, 3), "title")
    assert axes.images[1].get_extent() == [-0.5, 41.5, 27.5, -0.5]
    assert axes.get_title() == "title"


def test_an_attention_row_is_laid_out_over_the_photo_and_its_patch_framed():
    row = np.arange(6.0) ** 2
    axes = figures.show_attention_row(IMAGE, row, (1, 2), 14)
    assert axes.images[1].get_array().tolist() == [[0, 1, 2], [3, 4, 5]]
    assert axes.lines[0].get_xydata().min(axis=0).tolist() == [27.5, 13.5]


def test_agreement_marks_the_first_head_of_each_layer():
    axes = figures.show_agreement(np.eye(12), heads=3)
    assert axes.get_xticks().tolist() == [0, 3, 6, 9]
    assert axes.get_yticklabels()[3].get_text() == "4"


def test_heads_make_a_grid_of_layers_by_heads():
    grid = figures.show_heads(np.random.rand(4, 3, 2, 3), IMAGE, query=(1, 1))
    assert grid.shape == (4, 3) and grid[0, 2].get_title() == "head 3"


def test_mask_paints_objects_and_dims_the_rest():
    labels = np.zeros((28, 42), dtype=np.uint8)
    labels[:5] = 1
    shown = figures.show_mask(IMAGE, labels).images[0].get_array()
    assert shown[20, 0].tolist() == [45, 45, 45]
    assert shown[0, 0, 0] > 150


def test_evolution_shares_one_scale():
    weights = np.arange(24.0).reshape(2, 4, 3)
    axes = figures.show_head_weight_evolution(weights)
    assert [a.images[0].get_clim()[1] for a in axes] == [23.0, 23.0]


def test_curves_bars_strips_and_patches_draw():
    assert len(figures.show_curves({"a": [1, 2], "b": [2, 1]}).lines) == 2
    assert len(figures.show_bars({"a": 1.0, "b": 2.0}).patches) == 2
    assert len(figures.show_strip([IMAGE, np.eye(3)], ["a", "b"])) == 2
    assert len(figures.show_strip([np.eye(2)], photos=[IMAGE])[0].images) == 2
    assert len(figures.show_patches(IMAGE, 14).texts) == 4


def test_a_grid_for_wide_photos_is_lower():
    square, wide = new_grid(1, 2, 2.0), new_grid(1, 2, 2.0, aspect=0.5)
    sizes = [axes[0, 0].figure.get_size_inches() for axes in (square, wide)]
    assert sizes[0][0] == sizes[1][0] and sizes[0][1] - sizes[1][1] == 1.0


def test_names_without_a_font_become_numbers_and_dollars_stay(monkeypatch):
    monkeypatch.setattr(fonts, "WIDE", ())
    fonts.families.cache_clear()
    fonts.signs.cache_clear()
    names = ["dog", "狗", "$x^2$", "ネコ"]
    assert fonts.drawable_names(names) == ["dog", "class 2", "$x^2$", "class 4"]
    assert fonts.in_font("a狗$") == "a?$"
    fonts.families.cache_clear()
    fonts.signs.cache_clear()
    with fonts.plain_text():
        text = plt.figure().text(0, 0, "cost: $x_{")  # half a formula
        assert not text.get_parse_math()
        text.figure.canvas.draw()
    plt.close()
