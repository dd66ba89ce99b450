"""A training that is killed a few times ends as one that was not; the long version is
``benchmarks/kill.py``."""

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import kill


@pytest.mark.skipif(sys.platform == "win32", reason="trainings are forked")
@pytest.mark.parametrize(("step", "workers"), [("cam", 2), ("seg", 0)])
def test_killed_and_resumed_equals_undisturbed(step, workers, tmp_path, note):
    random.seed(0)
    case = kill.Case(step, workers)
    kill.torment(case, kills=3, inside=1, work=tmp_path)
    assert case.finished and case.differing == []
    assert case.kills >= 3 and case.inside_a_save >= 1
    note(
        f"{step}, {workers} workers: {case.kills} kills, {max(case.steps_lost)} steps lost"
    )


def test_losing_the_random_state_would_be_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr("weaktr_core.train.loop.restore_random", lambda tensors: None)
    monkeypatch.setattr(kill, "SAVE_SECONDS", 0.0)
    random.seed(1)
    for number in range(6):  # a kill between epochs loses nothing: on a slow day all are
        case, work = kill.Case("seg", 0), tmp_path / str(number)
        work.mkdir()
        kill.torment(case, kills=4, inside=1, work=work)
        if case.differing:
            break
    assert case.differing


@pytest.mark.skipif(sys.platform == "win32", reason="commands are forked")
def test_labels_and_masks_killed_and_made_again_are_the_same(tmp_path, note):
    random.seed(0)
    for case, _ in kill.commands(tmp_path, 3, builds=0):
        files = kill.torment_command(case, 3, tmp_path / case.step)
        assert case.kills == 3 and case.differing == [] and files > 30
        note(f"{case.step}: {case.kills} kills, {files} files equal")
