"""From scores to label maps: thresholds, the ignore band, masks on disk."""

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from weaktr_core.data import DataError, Scenes
from weaktr_core.data.files import read_mask
from weaktr_core.data.masked import Relabelled
from weaktr_core.labels.crf import CRF_PRESETS, crf_available
from weaktr_core.labels.files import write_cam, write_mask
from weaktr_core.labels.making import make_masks
from weaktr_core.labels.recipe import LabelRecipe, label_free_threshold
from weaktr_core.scores.labels import measure_masks, sweep_cams
from weaktr_core.scores.metrics import ConfusionMatrix

SCENES = Scenes(6, 48, 0)


@pytest.fixture
def cams(tmp_path):
    """Noisy copies of the true masks, as CAM files."""
    random = np.random.default_rng(0)
    for sample in SCENES:
        classes = np.flatnonzero(sample.tags)
        truth = sample.mask[None] == classes[:, None, None] + 1
        scores = np.clip(
            0.2 + 0.5 * truth + 0.1 * random.standard_normal(truth.shape), 0, 1
        )
        write_cam(tmp_path / "cams" / f"{sample.name}.npz", scores, classes)
    return tmp_path / "cams"


def test_label_free_threshold_is_otsu_of_all_best_scores():
    random = np.random.default_rng(1)
    maps = [random.beta(2, 5, (2, 30, 30)), random.beta(5, 2, (1, 20, 40))]
    pooled = np.concatenate([m.max(axis=0).ravel() for m in maps])
    assert label_free_threshold(maps) == pytest.approx(threshold_otsu(pooled), abs=0.01)
    with pytest.raises(DataError, match="no CAM has a class"):
        label_free_threshold([np.zeros((0, 5, 5))])


def test_label_free_threshold_lies_between_object_and_ground(cams):
    sweep = sweep_cams(SCENES, cams)
    threshold = label_free_threshold(np.load(p)["maps"].astype(float)
                                     for p in cams.glob("*.npz"))  # fmt: skip
    assert 0.3 < threshold < 0.6
    chosen = sweep.miou[round(100 * threshold)]
    assert sweep.best_miou - 0.05 < chosen <= sweep.best_miou


def test_ignore_band_marks_what_both_ends_disagree_on():
    scores = np.linspace(0, 1, 11)[None, None]
    image = np.zeros((1, 11, 3), dtype=np.uint8)
    labels = LabelRecipe(0.5, ignore_band=0.15)(image, scores, np.array([2]))
    assert labels[0].tolist() == [0, 0, 0, 0, 255, 255, 255, 3, 3, 3, 3]


@pytest.mark.parametrize("workers", [0, 2])
def test_masks_are_written_and_measured(cams, workers):
    folder = cams.parent / "masks"
    make_masks(SCENES, cams, folder, LabelRecipe(0.45), workers=workers)
    matrix, again = measure_masks(SCENES, folder), ConfusionMatrix(11)
    for sample in SCENES:
        again.update(sample.mask, read_mask(folder / f"{sample.name}.png"))
    assert np.array_equal(matrix.counts, again.counts) and matrix.miou > 0.85


@pytest.mark.skipif(not crf_available(), reason="pydensecrf2 is not installed")
def test_crf_cleans_noise(cams):
    scores = []
    for crf in (None, CRF_PRESETS["voc-cam"]):
        make_masks(SCENES, cams, cams.parent / "m", LabelRecipe(0.45, crf), workers=0)
        scores.append(measure_masks(SCENES, cams.parent / "m").miou)
    assert scores[1] > scores[0]


def test_maps_of_another_size_are_named(cams):
    other = Scenes(6, 40, 0)
    with pytest.raises(DataError, match=r"npz: expected maps as large as the photo"):
        make_masks(other, cams, cams.parent / "m", LabelRecipe(0.5), workers=0)


def test_relabelled_reads_masks_and_refuses_bad_ones(cams, tmp_path):
    folder = tmp_path / "masks"
    make_masks(SCENES, cams, folder, LabelRecipe(0.45), workers=0)
    data = Relabelled(SCENES, folder)
    name = SCENES[0].name
    assert np.array_equal(data[0].mask, read_mask(folder / f"{name}.png"))
    assert np.array_equal(data[0].image, SCENES[0].image)
    write_mask(folder / f"{name}.png", np.zeros((9, 9), dtype=np.uint8))
    with pytest.raises(DataError, match=rf"{name}.png: expected a mask as large"):
        data[0]
    write_mask(folder / f"{name}.png", np.full((48, 48), 77, dtype=np.uint8))
    with pytest.raises(DataError, match=r"expected ids 0 to 10 and 255, came id 77"):
        data[0]
    with pytest.raises(DataError, match=r"nowhere: expected masks .* no such folder"):
        Relabelled(SCENES, tmp_path / "nowhere")
