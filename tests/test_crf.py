"""The CRF where it is installed, and a clear word where it is not."""

import numpy as np
import pytest

from weaktr_core.labels import crf
from weaktr_core.labels.crf import CRF_PRESETS, CrfUnavailableError, crf_on_labels

needs_crf = pytest.mark.skipif(
    not crf.crf_available(), reason="pydensecrf2 is not installed (needs a C compiler)"
)


def disc():
    """A red disc on green, and a label map that missed a part and spilled over."""
    rows, columns = np.mgrid[:60, :60]
    truth = ((rows - 30) ** 2 + (columns - 30) ** 2 < 18**2).astype(np.uint8)
    image = np.where(truth[..., None], (200, 30, 30), (30, 180, 30)).astype(np.uint8)
    labels = np.zeros_like(truth)
    labels[14:44, 18:52] = 3
    return image, truth * 3, labels


@needs_crf
@pytest.mark.parametrize("name", CRF_PRESETS)
def test_labels_follow_the_edges_of_the_photo(name):
    image, truth, labels = disc()
    refined = crf_on_labels(image, labels, CRF_PRESETS[name])
    assert set(np.unique(refined)) <= {0, 3} and refined.dtype == np.uint8
    assert (refined != truth).mean() < 0.3 * (labels != truth).mean()


@needs_crf
def test_pixels_without_an_opinion_get_one():
    image, truth, labels = disc()
    labels[28:32] = 255
    refined = crf_on_labels(image, labels, CRF_PRESETS["voc-cam"])
    assert 255 not in refined and (refined[30] == truth[30]).mean() > 0.9


@pytest.mark.parametrize("only", [0, 4])
def test_a_single_label_is_left_alone_without_any_library(only, monkeypatch):
    monkeypatch.setattr(crf, "crf_available", lambda: False)
    labels = np.full((5, 6), only, dtype=np.uint8)
    image = np.zeros((5, 6, 3), dtype=np.uint8)
    assert np.array_equal(crf_on_labels(image, labels, CRF_PRESETS["voc-cam"]), labels)


def test_a_missing_library_is_one_clear_line(monkeypatch):
    monkeypatch.setattr(crf, "crf_available", lambda: False)
    image, _, labels = disc()
    with pytest.raises(CrfUnavailableError, match=r"pip install pydensecrf2.*--crf none"):
        crf_on_labels(image, labels, CRF_PRESETS["voc-cam"])
