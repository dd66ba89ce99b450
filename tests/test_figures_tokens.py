"""Figures of class tokens draw what they are given."""

import matplotlib
import numpy as np

from weaktr_core.figures.tokens import PARTS, show_by_class, show_shares

matplotlib.use("Agg")


def test_pairs_of_classes_have_their_number_written():
    axes = show_by_class(np.array([[1.0, 0.25], [0.5, 0.0]]), ["cat", "dog"], "x", "y")
    assert [t.get_text() for t in axes.texts] == ["100", "25", "50", "0"]
    assert [t.get_color() for t in axes.texts] == ["black", "white", "white", "white"]


def test_shares_are_stacked_to_one_and_even_ones_dotted():
    shares = np.array([[0.2, 0.3, 0.5], [0.5, 0.4, 0.1]])
    panels = show_shares({"before": shares, "after": shares[::-1]}, [0.25, 0.25])
    bars = panels[1].containers
    assert np.allclose([b[0].get_height() for b in bars], [0.5, 0.4, 0.1])
    assert np.isclose(bars[2][1].get_y() + bars[2][1].get_height(), 1)
    assert [line.get_ydata()[0] for line in panels[0].lines] == [0.25, 0.5]
    names = [t.get_text() for t in panels[0].figure.legends[0].get_texts()]
    assert names == list(PARTS)
