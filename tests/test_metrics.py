"""Scores equal scikit-learn's and the slow way, at every threshold."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix, jaccard_score

from weaktr_core.labels.recipe import label_map
from weaktr_core.scores.metrics import (
    THRESHOLDS,
    ConfusionMatrix,
    ScoredImage,
    average_precision,
    per_image_average_precision,
    threshold_sweep,
)

K = 4


def random_images(count=6, seed=0):
    random = np.random.default_rng(seed)
    for index in range(count):
        classes = np.sort(random.choice(K, index % 3, replace=False))
        scores = random.random((len(classes), 9, 11)).round(2)  # ties with thresholds
        mask = random.integers(0, K + 1, (9, 11)).astype(np.uint8)
        mask[random.random(mask.shape) < 0.1] = 255
        yield ScoredImage(scores, classes, mask)


def test_confusion_and_iou_equal_scikit_learns():
    random = np.random.default_rng(1)
    truth, guess = random.integers(0, 3, (2, 20, 30))
    ours = ConfusionMatrix(4)
    ours.update(truth[:10], guess[:10])
    ours.update(truth[10:], guess[10:])
    assert (ours.counts[:3, :3] == confusion_matrix(truth.ravel(), guess.ravel())).all()
    theirs = jaccard_score(truth.ravel(), guess.ravel(), average=None)
    assert np.allclose(ours.iou[:3], theirs) and np.isnan(ours.iou[3])
    assert ours.miou == pytest.approx(theirs.mean())


def test_confusion_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"mask is \(2, 2\), prediction \(2, 3\)"):
        ConfusionMatrix(3).update(np.zeros((2, 2), int), np.zeros((2, 3), int))
    with pytest.raises(ValueError, match="label 7 of 3 classes"):
        ConfusionMatrix(3).update(np.full((2, 2), 7), np.zeros((2, 2), int))


def test_average_precision_equals_scikit_learns_ties_included():
    random = np.random.default_rng(2)
    scores = random.integers(0, 6, (50, 5)) / 5
    tags = (random.random((50, 5)) < 0.3).astype(float)
    theirs = [average_precision_score(t, s) for t, s in zip(tags.T, scores.T, strict=True)]
    assert np.allclose(average_precision(scores, tags), theirs)
    tags[:, 2] = 0
    assert np.isnan(average_precision(scores, tags)[2])


def test_the_official_map_is_another_number():
    random = np.random.default_rng(3)
    scores, tags = random.random((40, 5)), (random.random((40, 5)) < 0.4).astype(float)
    by_image = [
        average_precision_score(t, s) for t, s in zip(tags, scores, strict=True) if t.any()
    ]
    assert per_image_average_precision(scores, tags) == pytest.approx(np.mean(by_image))
    assert (
        abs(
            per_image_average_precision(scores, tags)
            - average_precision(scores, tags).mean()
        )
        > 0.01
    )


def test_sweep_equals_brute_force_at_every_threshold():
    sweep = threshold_sweep(random_images(), num_classes=K)
    for index, threshold in enumerate(THRESHOLDS):
        slow = ConfusionMatrix(K + 1)
        for image in random_images():
            slow.update(image.mask, label_map(image.scores, image.classes, threshold))
        assert (sweep.counts[index] == slow.counts).all(), threshold
    assert sweep.best_miou == sweep.miou.max()


def test_sweep_refuses_a_mask_of_another_size():
    image = ScoredImage(np.zeros((1, 4, 4)), np.array([0]), np.zeros((4, 5), np.uint8))
    with pytest.raises(ValueError, match=r"mask is \(4, 5\), scores are \(4, 4\)"):
        threshold_sweep([image], num_classes=K)
