"""Labels of large photos, and masks that measure nothing."""

import time

import numpy as np
import pytest
from PIL import Image

from weaktr_core.__main__ import main
from weaktr_core.labels.crf import CrfSettings, crf_available
from weaktr_core.labels.recipe import LabelRecipe
from weaktr_core.scores.metrics import ConfusionMatrix


@pytest.mark.skipif(not crf_available(), reason="pydensecrf2 is not installed")
def test_a_crf_works_small_and_gives_back_large(note):
    image = np.zeros((1500, 2000, 3), np.uint8)
    image[400:1100, 500:1500] = 255
    scores = np.zeros((1, 1500, 2000), np.float16)
    scores[0, 420:1080, 520:1480] = 1  # a little smaller than what is white
    start = time.perf_counter()
    labels = LabelRecipe(0.5, CrfSettings(iterations=3))(image, scores, np.array([4]))
    note(f"CRF of 3 megapixels {time.perf_counter() - start:.2f} s")
    assert labels.shape == (1500, 2000) and set(np.unique(labels)) == {0, 5}
    wrong = (labels == 5) != (image[..., 0] > 0)
    assert wrong.mean() < 0.01


def test_masks_without_a_class_measure_nothing():
    matrix = ConfusionMatrix(2)
    matrix.update(np.array([[0, 255]], np.uint8), np.array([[0, 1]], np.uint8))
    assert not matrix.informed
    matrix.update(np.array([[1]], np.uint8), np.array([[0]], np.uint8))
    assert matrix.informed


def test_masks_of_0_and_255_are_said_not_scored(tmp_path, capsys):
    drawn = np.zeros((32, 40), np.uint8)
    drawn[8:20] = 255
    (tmp_path / "masks").mkdir()
    for name in "abcdefghij":
        Image.new("RGB", (40, 32), (90, 80, 70)).save(tmp_path / f"{name}.jpg")
        Image.fromarray(drawn).save(tmp_path / "masks" / f"{name}.png")
    rows = [f"{name}.jpg,{'crack' if name in 'abce' else ''}\n" for name in "abcdefghij"]
    (tmp_path / "tags.csv").write_text("photo,tags\n" + "".join(rows))
    assert main(["doctor", str(tmp_path)]) == 1
    assert "labelmap.txt" in capsys.readouterr().out
    run = str(tmp_path / "run")
    few = ["--preset", "smoke", "--set", "epochs=1", "img_size=32", "precision=no"]
    assert main(["train-cam", "--data", str(tmp_path), "--run", run, *few]) == 0
    assert main(["make-labels", run, "--crf", "none"]) == 0
    assert "no true mask shows a class" in capsys.readouterr().out
    assert main(["make-labels", run, "--crf", "none", "--threshold", "peek"]) == 1
    (tmp_path / "labelmap.txt").write_text("crack:255,255,255\n")
    assert main(["make-labels", run, "--crf", "none"]) == 0
    assert "mIoU" in capsys.readouterr().out
