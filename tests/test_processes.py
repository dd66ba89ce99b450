"""Two processes are one: same losses, same files; the long table is ``benchmarks/processes.py``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import processes


def test_two_processes_train_and_label_as_one_does(tmp_path, note):
    found = processes.compare("cam", tmp_path)
    assert found["losses"] < 1e-5  # sums of gradients are rounded in another order
    assert found["files"] == [18, 18] and found["files_equal"]
    assert found["scores_of_one_network"] < 1e-9  # no image counts twice
    note(f"two processes against one: losses differ by {found['losses']:.1e}")
