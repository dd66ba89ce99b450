"""Figures of a training draw the numbers of its history, and say when there are none."""

import matplotlib
import numpy as np
import pytest

from weaktr_core.figures import training as plots
from weaktr_core.figures.style import NAMES, SIGNED

matplotlib.use("Agg")
STAGES = ("coarse_cam", "cross_attention", "cam", "fine_cam")
WEIGHTS = np.arange(3 * 4 * 2, dtype=float).reshape(3, 4, 2)  # (epochs + 1, L, H)


def line(epoch, scored=True):
    losses = dict(class_token=1.0 / (epoch or 1), coarse=0.5, fine=0.69, total=2.0)
    scores = dict(
        miou={s: 0.1 * epoch + 0.01 * n for n, s in enumerate(STAGES)},
        mean_ap=dict(class_logits=0.5, coarse_logits=0.6, fine_logits=0.7),
    )
    return {"epoch": epoch, "losses": losses if epoch else {}, **(scores if scored else {})}


def test_losses_start_at_epoch_one_and_ln_2_is_marked():
    axes = plots.show_losses([line(0), line(1), line(2)])
    curves = {one.get_label(): one for one in axes.lines}
    assert set(curves) == {"ln 2", "class tokens", "coarse CAM", "fine CAM"}
    assert curves["class tokens"].get_xdata().tolist() == [1, 2]
    assert curves["class tokens"].get_ydata().tolist() == [1.0, 0.5]
    assert np.allclose(curves["ln 2"].get_ydata(), np.log(2))


def test_cam_curve_is_in_per_cent_and_skips_epochs_without_scores():
    maps, tags = plots.show_cam_curve([line(0), line(1, scored=False), line(2)])
    assert [one.get_label() for one in maps.lines] == [NAMES[s] for s in STAGES]
    assert maps.lines[0].get_xdata().tolist() == [0, 2]
    assert np.allclose(maps.lines[0].get_ydata(), [0, 20])
    assert np.allclose(tags.lines[1].get_ydata(), 60)


def test_a_history_without_the_numbers_is_refused():
    with pytest.raises(ValueError, match="no trained epoch"):
        plots.show_losses([line(0)])
    with pytest.raises(ValueError, match="without masks"):
        plots.show_cam_curve([line(0, scored=False), {**line(1), "miou": {}}])


def test_head_weight_table_takes_a_given_scale():
    axes = plots.show_head_weights(WEIGHTS[0], top=5.0)
    assert axes.images[0].get_clim() == (0.0, 5.0)
    assert (axes.images[0].get_array() == WEIGHTS[0]).all()


def test_lines_are_the_layers_means_over_epochs():
    axes = plots.show_head_weight_lines(WEIGHTS)
    assert [one.get_label() for one in axes.lines] == [f"layer {n}" for n in range(1, 5)]
    for layer, one in enumerate(axes.lines):
        assert np.allclose(one.get_ydata(), WEIGHTS[:, layer].mean(axis=1))
    assert len({matplotlib.colors.to_hex(one.get_color()) for one in axes.lines}) == 4


def test_spread_goes_from_the_least_to_the_most_of_any_image():
    axes = plots.show_head_weight_spread(WEIGHTS)  # three images this time
    bars = np.array(axes.collections[0].get_segments())  # (L·H, 2, xy)
    assert np.allclose(bars[:, 0, 1], WEIGHTS.min(axis=0).ravel())
    assert np.allclose(bars[:, 1, 1], WEIGHTS.max(axis=0).ravel())
    assert np.allclose(axes.lines[0].get_ydata(), WEIGHTS.mean(axis=0).ravel())
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "2", "3", "4"]


def test_ablation_shows_every_seed_the_mean_and_the_spread():
    scores = {"as trained": [60.0, 62.0, 64.0], "without": [50.0], "other": [61.0, 63.0]}
    axes = plots.show_ablation(scores, reference="as trained")
    bar, mean, dots = axes.lines[:3]
    assert bar.get_xdata().tolist() == [60.0, 64.0]  # 62 ± 2
    assert mean.get_xdata() == [62.0] and dots.get_xdata().tolist() == scores["as trained"]
    assert axes.lines[3].get_xdata() == [50.0]  # one seed: no bar
    assert [t.get_text() for t in axes.get_yticklabels()] == list(scores)
    assert axes.lines[-1].get_xdata() == [62.0, 62.0] and axes.get_ylim() == (2.5, -0.5)


def test_ablation_does_not_blow_up_small_differences():
    axes = plots.show_ablation({"one": [60.0], "other": [60.1]}, least=3.0)
    low, high = axes.get_xlim()
    assert abs(high - low - 3) < 1e-9 and low < 60.0 < 60.1 < high


def test_head_weights_below_zero_are_drawn_around_white():
    axes = plots.show_head_weights(WEIGHTS[0] - WEIGHTS[0].mean())
    (shown,) = axes.images
    assert shown.get_cmap().name == SIGNED
    assert shown.norm.vmin == -shown.norm.vmax == -abs(WEIGHTS[0] - WEIGHTS[0].mean()).max()
