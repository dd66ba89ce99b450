"""Scores as a terminal shows them: every number there, percent, in its row."""

import re

import numpy as np

from weaktr_core.scores.cams import CamScores, scores_as_text
from weaktr_core.scores.metrics import ScoredImage, SweepCounter
from weaktr_core.scores.tables import iou_table


def squeezed(text):
    return [re.sub(r"\s+", " ", line).strip() for line in text.splitlines()]


def test_classes_that_do_not_occur_have_no_line():
    lines = squeezed(iou_table(["cat", "dog"], np.array([0.904, np.nan, 0.5])))
    assert lines == ["background 90.4 ▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪", "dog 50.0 ▪▪▪▪▪▪▪▪▪▪▪▪"]


def test_stages_stand_beside_their_best_threshold_and_the_runs_own():
    mask = np.repeat([0, 1], 50).reshape(10, 10)
    counter = SweepCounter(np.array([0.0, 0.5, 1.0]), 1)
    counter.update(ScoredImage(np.where(mask, 0.7, 0.3)[None], np.array([0]), mask))
    ap = {"class_logits": np.array([0.987])}
    scores = CamScores(ap, {"fine_cam": counter.sweep}, np.ones((1, 1, 1)))
    lines = squeezed(scores_as_text(scores, ["cat"], 0.0))
    assert "class_logits 98.7" in lines
    assert "fine_cam 100.0 0.50 25.0" in lines
    assert any("chosen with these very masks" in line for line in lines)
    without = CamScores(ap, {}, np.ones((1, 1, 1)))
    assert "no masks: maps were not measured" in scores_as_text(without, ["cat"])
