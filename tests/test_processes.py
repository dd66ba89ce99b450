"""Two processes are one: same losses, same files; the long table is ``benchmarks/processes.py``."""

import sys
from pathlib import Path

from weaktr_core.train.runs import Run

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import processes


def test_two_processes_train_and_label_as_one_does(tmp_path, note):
    found = processes.compare("cam", tmp_path)
    assert found["losses"] < 1e-5  # sums of gradients are rounded in another order
    assert found["files"] == [18, 18] and found["files_equal"]
    assert found["scores_of_one_network"] < 1e-9  # no image counts twice
    note(f"two processes against one: losses differ by {found['losses']:.1e}")


NOTEBOOK = """
import sys
import torch
from accelerate import notebook_launcher
from weaktr_core.config import preset
from weaktr_core.data import Scenes
from weaktr_core.train import train_cam

torch.randn(400, 400) @ torch.randn(400, 400)  # a notebook has computed before

def learn(processes, folder):
    torch.set_num_threads(1)
    config = preset("smoke", batch_size=4 // processes, workers=1, precision="no")
    train_cam(config, Scenes(8, 64, 0), Scenes(3, 64, 1), folder)

meeting = dict(rdzv_backend="c10d", rdzv_endpoint="localhost:0")  # any free port
notebook_launcher(learn, (2, sys.argv[1]), num_processes=2, **meeting)
learn(1, sys.argv[2])
"""


def test_a_notebook_trains_in_two_processes(tmp_path):
    folders = [tmp_path / name for name in ("two", "one")]
    processes.run_or_say(["-c", NOTEBOOK, *map(str, folders)])
    two, one = (Run(folder).history for folder in folders)
    assert len(two) == len(one) == 3
    assert processes.largest(one, two, "losses") < 1e-5
