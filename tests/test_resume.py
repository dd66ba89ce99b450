"""Runs that were cut off, damaged, moved or run twice: nothing lost, nothing silent."""

import json
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from weaktr_core.__main__ import main
from weaktr_core.config import preset, seg_preset
from weaktr_core.data import Scenes
from weaktr_core.errors import WeakTrError
from weaktr_core.runtime import locked, sweep_parts
from weaktr_core.train import loop
from weaktr_core.train.cam import CamStage, train_cam
from weaktr_core.train.order import batches_of, begin_epoch, make_loader
from weaktr_core.train.runs import Run, RunError
from weaktr_core.train.seg import SegStage, train_seg
from weaktr_core.train.snapshots import (
    optimizer_tensors,
    random_tensors,
    restore_optimizer,
    restore_random,
)
from weaktr_core.train.stopping import Stopped


class Drawn(list):
    """Scenes of 32 pixels, drawn once: these trainings take a tenth of a second."""

    classes = Scenes(1, 32).classes

    def __init__(self, count, seed):
        super().__init__(Scenes(count, 32, seed))


TRAIN, MORE, VAL = Drawn(12, 0), Drawn(24, 0), Drawn(3, 1)
CHANGES = dict(precision="no", batch_size=4, img_size=32)  # 3 steps an epoch, 2 epochs
CONFIG = preset("smoke", **CHANGES)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    return train_cam(CONFIG, TRAIN, VAL, tmp_path_factory.mktemp("run") / "straight")


def cut_off(folder, monkeypatch, steps, config=CONFIG, stage=CamStage, train=train_cam):
    """A run whose process died after some steps, each of which had been saved."""
    losses, calls = stage.losses, []

    def dying(self, model, batch):
        calls.append(1)
        if len(calls) > steps:
            raise MemoryError("killed")
        return losses(self, model, batch)

    with monkeypatch.context() as patch:
        patch.setattr(stage, "losses", dying)
        patch.setattr(loop, "SAVE_SECONDS", 0.0)
        patch.setattr(loop, "SAVE_SHARE", 1e9)
        with pytest.raises(MemoryError):
            train(config, TRAIN, VAL, folder)
    return Run(folder)


def weights(run):
    return load_file(run.last / "model.safetensors")


def assert_same(first, second):
    a, b = weights(first), weights(second)
    assert all(torch.equal(a[key], b[key]) for key in a)
    a, b = ([{**line, "seconds": 0} for line in run.history] for run in (first, second))
    assert a == b


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_any_step_can_be_the_last_before_a_kill(straight, steps, tmp_path, monkeypatch):
    run = cut_off(tmp_path / "run", monkeypatch, steps)
    progress = run.progress()
    done = progress.epochs * 3 + progress.step
    assert done in (steps, steps - 1)  # of the third step the epoch's end comes first
    assert_same(straight, train_cam(CONFIG, TRAIN, VAL, tmp_path / "run", resume=True))


def test_step_two_with_dropout_too(tmp_path, monkeypatch):
    config = seg_preset("smoke", short_side=32, **CHANGES)
    whole = train_seg(config, TRAIN, VAL, tmp_path / "whole")
    cut_off(tmp_path / "cut", monkeypatch, 4, config, SegStage, train_seg)
    assert_same(whole, train_seg(config, TRAIN, VAL, tmp_path / "cut", resume=True))


def test_a_broken_snapshot_is_named_and_the_one_before_it_used(
    straight, tmp_path, monkeypatch, caplog
):
    run = cut_off(tmp_path / "run", monkeypatch, 5)
    file = run.folder / "last" / "training.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with caplog.at_level(logging.WARNING, "weaktr"):
        again = train_cam(CONFIG, TRAIN, VAL, run.folder, resume=True)
    assert "last/training.safetensors: damaged" in caplog.text
    assert "the one before it is used" in caplog.text
    assert_same(straight, again)


@pytest.mark.parametrize("name", ["state.json", "model.safetensors"])
def test_without_a_whole_snapshot_it_stops(name, tmp_path, monkeypatch):
    run = cut_off(tmp_path / "run", monkeypatch, 4)
    (run.folder / "last" / name).unlink()
    (run.folder / "previous" / "state.json").write_text("{}")
    with pytest.raises(WeakTrError, match=rf"last/{name}: .* no such file"):
        train_cam(CONFIG, TRAIN, VAL, run.folder, resume=True)


def test_missing_parts_of_a_run_are_named(tmp_path, monkeypatch):
    run = cut_off(tmp_path / "run", monkeypatch, 4)
    (run.folder / "history.jsonl").write_text('{"epoch": 0}\n\n{"epoch"\n')
    with pytest.raises(WeakTrError, match=r"history\.jsonl line 2: expected a JSON object"):
        train_cam(CONFIG, TRAIN, VAL, run.folder, resume=True)
    (run.folder / "config.json").unlink()
    with pytest.raises(RunError, match=r"config\.json is missing"):
        train_cam(CONFIG, TRAIN, VAL, run.folder, resume=True)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("epochs", -7, "epochs: expected a whole number from 0, came -7"),
        ("losses", {"total": "x"}, "losses: expected values by name"),
        ("step", 4, "expected a step of the epoch, came step 4 of 3"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(straight, name, value, words, tmp_path):
    run = Run(shutil.copytree(straight.folder, tmp_path / "run"))
    path = run.last / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(WeakTrError, match=words):
        train_cam(CONFIG.changed(epochs=3), TRAIN, VAL, run.folder, resume=True)


def test_a_history_that_is_gone_is_said(straight, tmp_path):
    run = Run(shutil.copytree(straight.folder, tmp_path / "run"))
    (run.folder / "history.jsonl").unlink()
    with pytest.raises(RunError, match=r"history\.jsonl: missing, though epochs are done"):
        train_cam(CONFIG.changed(epochs=3), TRAIN, VAL, run.folder, resume=True)


def test_arrays_come_in_the_order_of_their_epochs_or_not_at_all(straight, tmp_path):
    run = Run(shutil.copytree(straight.folder, tmp_path / "run"))
    (run.folder / "maps" / "001.npy").rename(run.folder / "maps" / "1000.npy")
    assert [*run.files("maps")] == [0, 2, 1000]
    assert (run.maps()[2] == straight.maps()[1]).all()
    (run.folder / "maps" / "002.npy").write_text("x")
    with pytest.raises(RunError, match="maps: expected arrays"):
        run.maps()


def test_photos_that_measure_nothing_leave_valid_json_and_a_best_network(tmp_path):
    untagged = Drawn(2, 1)
    untagged[:] = [replace(it, tags=0 * it.tags, mask=None) for it in untagged]
    run = train_cam(CONFIG, TRAIN, untagged, tmp_path / "run")

    def strict(word):
        raise AssertionError(f"no JSON: {word}")

    lines = (run.folder / "history.jsonl").read_text().splitlines()
    told = [json.loads(line, parse_constant=strict) for line in lines]
    assert [set(line["mean_ap"].values()) for line in told] == [{None}] * 3
    assert (run.folder / "best.safetensors").exists()


def test_one_process_where_two_were_asked_for_is_said(monkeypatch, caplog):
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    loop.check_launcher()
    assert "accelerate started one process only" in caplog.text


def test_tags_that_were_given_must_be_given_again(tmp_path):
    about = {"tags": "/corrected/tags.csv"}
    train_cam(CONFIG, TRAIN, VAL, tmp_path / "run", about=about)
    more = CONFIG.changed(epochs=3)
    with pytest.raises(RunError, match="other settings; tags changed"):
        train_cam(more, TRAIN, VAL, tmp_path / "run", resume=True)


def test_a_folder_with_things_of_its_own_keeps_them(tmp_path, monkeypatch):
    own = [tmp_path / name for name in ("maps/mine.npy", "history.jsonl", "previous.txt")]
    (tmp_path / "maps").mkdir()
    for path in own:
        path.write_text("")
    with pytest.raises(WeakTrError, match=r"history\.jsonl: expected"):
        train_cam(CONFIG, TRAIN, VAL, tmp_path)
    own.pop(1).unlink()
    cut_off(tmp_path, monkeypatch, 0)  # and begun anew:
    train_cam(CONFIG.changed(epochs=1), TRAIN, VAL, tmp_path)
    assert all(path.exists() for path in own)


def test_a_full_disk_is_said_with_the_file_and_nothing_is_lost(
    straight, tmp_path, monkeypatch
):
    cut_off(tmp_path / "run", monkeypatch, 4)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"last\.part/model\.safetensors") as caught:
            train_cam(CONFIG, TRAIN, VAL, tmp_path / "run", resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "File too large" in str(caught.value)
    assert not list(tmp_path.rglob(".weaktr-*"))
    assert_same(straight, train_cam(CONFIG, TRAIN, VAL, tmp_path / "run", resume=True))


def test_snapshots_that_are_gone_do_not_mean_a_new_run(tmp_path, monkeypatch):
    run = cut_off(tmp_path / "run", monkeypatch, 4)
    for name in ("last", "previous"):
        (run.folder / name).rename(tmp_path / name)
    with pytest.raises(RunError, match="last: missing, though epochs are done"):
        train_cam(CONFIG, TRAIN, VAL, run.folder, resume=True)


def test_epochs_and_workers_may_change_and_it_is_said(tmp_path, monkeypatch, caplog):
    run = cut_off(tmp_path / "run", monkeypatch, 4)
    with caplog.at_level(logging.WARNING, "weaktr"):
        longer = CONFIG.changed(epochs=3, workers=1)
        run = train_cam(longer, TRAIN, VAL, run.folder, resume=True)
    assert "epochs was 2, is 3 now" in caplog.text and "workers was 0" in caplog.text
    assert [line["epoch"] for line in run.history] == [0, 1, 2, 3]
    assert run.config["epochs"] == 3


def test_another_number_of_steps_goes_on_at_the_same_share(tmp_path, monkeypatch, caplog):
    run = cut_off(tmp_path / "run", monkeypatch, 5)
    assert run.progress().step == 2  # of three of epoch 2
    rates, rate = [], CamStage.lr_factor

    def noted(self, epoch):
        rates.append(epoch)
        return rate(self, epoch)

    monkeypatch.setattr(CamStage, "lr_factor", noted)
    with caplog.at_level(logging.WARNING, "weaktr"):
        train_cam(CONFIG, MORE, VAL, run.folder, resume=True)
    assert "had 3 steps and has 6 now" in caplog.text
    assert "epoch 2 goes on at step 4" in caplog.text
    assert rates == pytest.approx([1 + n / 6 for n in range(4, 6)])


def test_a_start_that_failed_can_be_corrected(tmp_path, monkeypatch):
    losses = {"total": torch.tensor(float("nan"))}
    with monkeypatch.context() as patch:
        patch.setattr(CamStage, "losses", lambda *_: losses)
        with pytest.raises(FloatingPointError, match="nan at batch 1"):
            train_cam(CONFIG.changed(head_lr=0.5), TRAIN, VAL, tmp_path / "run")
    run = train_cam(CONFIG, TRAIN, VAL, tmp_path / "run")
    assert [line["epoch"] for line in run.history] == [0, 1, 2]


def test_killed_while_a_failed_start_is_cleared_away(straight, tmp_path, monkeypatch):
    cut_off(tmp_path / "run", monkeypatch, 0)  # died in its first step
    with monkeypatch.context() as patch:
        remove, calls = shutil.rmtree, []

        def dying(path, **options):
            calls.append(path)
            if len(calls) == 4:  # of last, renamed: half of it is gone already
                (path / "state.json").unlink()
                raise MemoryError("killed")
            remove(path, **options)

        patch.setattr(shutil, "rmtree", dying)
        with pytest.raises(MemoryError):
            train_cam(CONFIG, TRAIN, VAL, tmp_path / "run", resume=True)
    assert_same(straight, train_cam(CONFIG, TRAIN, VAL, tmp_path / "run", resume=True))


def test_a_second_process_is_refused(straight):
    code = "import sys\nfrom pathlib import Path\nfrom weaktr_core.runtime import locked\n"
    code += "with locked(Path(sys.argv[1])):\n    print('in', flush=True)\n    input()\n"
    command = [sys.executable, "-c", code, str(straight.folder)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"in\n"
    with pytest.raises(WeakTrError, match="another process is at work here"):
        train_cam(CONFIG.changed(epochs=3), TRAIN, VAL, straight.folder, resume=True)
    other.kill()
    other.wait()
    with locked(straight.folder):  # a killed process holds no lock
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal_it_keeps_the_step_and_says_how_to_go_on(
    straight, number, tmp_path, monkeypatch
):
    losses, calls = CamStage.losses, []

    def signalled(self, model, batch):
        calls.append(1)
        if len(calls) == 5:
            os.kill(os.getpid(), number)
        return losses(self, model, batch)

    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(CamStage, "losses", signalled)
        with pytest.raises(Stopped, match=r"epoch 2, step 2 of 3.*--resume") as stopped:
            train_cam(CONFIG, TRAIN, VAL, tmp_path / "run")
    assert stopped.value.signal == number and signal.getsignal(number) is before
    assert_same(straight, train_cam(CONFIG, TRAIN, VAL, tmp_path / "run", resume=True))


def test_the_command_line_says_so_too(tmp_path, monkeypatch, capsys):
    arguments = ["--data", "scenes:8", "--preset", "smoke", "--set", "img_size=32"]

    def stop(self, model, batch):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(CamStage, "losses", stop)
    assert main(["train-cam", "--run", str(tmp_path / "run"), *arguments]) == 143
    lines = [line for line in capsys.readouterr().err.splitlines() if "weaktr:" in line]
    assert len(lines) == 1 and "--resume" in lines[0]


def test_random_states_come_back():
    import random

    import numpy as np

    def draw():
        return (random.random(), random.gauss(0, 1), np.random.normal(),
                np.random.random(), torch.rand(2).tolist())  # fmt: skip

    draw()  # each normal number leaves a second one behind
    kept = random_tensors()
    first = [draw() for _ in range(3)]
    restore_random(kept)
    assert [draw() for _ in range(3)] == first


@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
def test_optimisers_come_back_on_any_device(kind):
    def trained(steps):
        torch.manual_seed(0)
        layer = torch.nn.Linear(3, 2)
        options = {"momentum": 0.9} if kind == "SGD" else {}
        optimizer = getattr(torch.optim, kind)(layer.parameters(), lr=0.1, **options)
        for step in range(steps):
            optimizer.zero_grad()
            layer(torch.full((1, 3), step + 1.0)).square().sum().backward()
            optimizer.step()
        return optimizer

    optimizer = trained(3)
    tensors = optimizer_tensors(optimizer)
    assert all(isinstance(value, torch.Tensor) for value in tensors.values())
    fresh = trained(0)
    restore_optimizer(fresh, tensors)
    again = optimizer_tensors(fresh)
    assert all(torch.equal(tensors[key], again[key]) for key in tensors)


def test_batches_of_several_processes_are_those_of_one():
    order = begin_epoch(3, 13)
    one = batches_of(order, 4, 0, 1)
    two = [batches_of(order, 2, rank, 2) for rank in (0, 1)]
    assert len(one) == len(two[0]) == len(two[1]) == 3
    for whole, *shares in zip(one, *two, strict=True):
        assert sorted(whole) == sorted(shares[0] + shares[1])


def test_the_order_is_that_of_torchs_own_loader():
    begin_epoch(7, 20)  # what follows draws as after torch's loader
    after = torch.rand(3)
    torch.manual_seed(7)
    loader = torch.utils.data.DataLoader(list(range(20)), batch_size=20, shuffle=True)
    (expected,) = iter(loader)
    assert begin_epoch(7, 20) == expected.tolist()
    torch.manual_seed(7)
    next(iter(loader))
    assert torch.equal(after, torch.rand(3))


class Noise(torch.utils.data.Dataset):
    def __getitem__(self, index):
        return torch.rand(())


def test_an_images_random_numbers_are_its_own_whoever_loads_it():
    batches = [[0, 1], [2, 3]]

    def drawn(workers, seed, always=False):
        return torch.cat(list(make_loader(Noise(), batches, workers, seed, always)))

    assert torch.equal(drawn(1, 5), drawn(2, 5))
    assert torch.equal(drawn(1, 5), drawn(0, 5, always=True))
    assert not torch.equal(drawn(1, 5), drawn(1, 6))


def test_parts_that_a_kill_left_are_swept(tmp_path):
    (tmp_path / "masks").mkdir()
    parts = [tmp_path / ".weaktr-abc.part.json", tmp_path / "masks" / ".weaktr-x.part.png"]
    for part in parts:
        part.write_text("half")
    (tmp_path / "masks" / "a.png").write_text("whole")
    sweep_parts(tmp_path, seconds=600)
    assert all(part.exists() for part in parts)
    sweep_parts(tmp_path)
    assert [p.name for p in (tmp_path / "masks").iterdir()] == ["a.png"]
    assert not parts[0].exists()


def test_a_run_holds_no_pickle(straight):
    names = {file.name for file in (straight.folder / "last").iterdir()}
    assert names == {"model.safetensors", "training.safetensors", "state.json"}
    for file in straight.folder.rglob("*"):
        assert file.suffix in ("", ".json", ".jsonl", ".npy", ".safetensors"), file
    state = json.loads((straight.folder / "last" / "state.json").read_text())
    assert (state["epochs"], state["step"], state["steps"]) == (2, 0, 3)
