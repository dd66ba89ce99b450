"""The state of a training on disk: all that makes the next step the step it would be.

Nothing is pickled: tensors are safetensors, the rest is JSON. A snapshot is a folder,

::

    model.safetensors       the network, as `weaktr_core.networks.checkpoints` writes it
    training.safetensors    optimiser and random states
    state.json              where the training stands, and a hash of the other two

and it is whole when the hashes are right: ``state.json`` is written last.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from weaktr_core.data.files import read_bytes, read_json
from weaktr_core.errors import WeakTrError
from weaktr_core.networks.checkpoints import Network, save_checkpoint
from weaktr_core.runtime import flush, log, write_atomically, write_json
from weaktr_core.schema import check

MODEL, TRAINING, STATE = "model.safetensors", "training.safetensors", "state.json"


class RunError(WeakTrError):
    """A run folder that is missing, broken or of other settings: one line."""


def write_snapshot(
    folder: Path, model: Network, tensors: dict[str, Tensor], state: dict[str, Any]
) -> None:
    """Replace the snapshot in a folder; the one before becomes ``previous`` beside it.

    Killed at any moment, `find_snapshot` finds a whole one: first all files reach the
    disk in ``NAME.part``, then the old folder steps aside, then the new one is renamed.

    Args:
        folder: of the snapshot.
        model: the network.
        tensors: see `optimizer_tensors` and `random_tensors`.
        state: JSON values.
    """
    part, previous = folder.with_name("last.part"), folder.with_name("previous")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    save_checkpoint(part / MODEL, model)
    write_atomically(part / TRAINING, lambda path: save_file(tensors, path))
    files = {name: hash_file(part / name) for name in (MODEL, TRAINING)}
    write_json(part / STATE, {**state, "sha256": files})
    for path in (*part.iterdir(), part):
        flush(path)
    if folder.exists():
        shutil.rmtree(previous, ignore_errors=True)
        folder.rename(previous)
    part.rename(folder)
    flush(folder.parent)


def find_snapshot(folder: Path) -> dict[str, Any] | None:
    """State of the newest whole snapshot, which is moved to ``folder`` if need be.

    A broken one is named in the log, and the one before it used.

    Returns:
        What was written as ``state``; None where there never was a snapshot.

    Raises:
        RunError: where there are snapshots and none is whole.
    """
    part, previous = folder.with_name("last.part"), folder.with_name("previous")
    troubles: list[str] = []
    for place in (part, folder, previous):
        if not place.exists():
            continue
        try:
            state = read_state(place)
        except WeakTrError as error:
            troubles += [str(error)] if place != part else []
            continue
        for trouble in troubles:
            log.warning("%s; the one before it is used", trouble)
        settle(place, folder, previous)
        return state
    if troubles:
        raise RunError(troubles[0])
    return None


def settle(place: Path, folder: Path, previous: Path) -> None:
    """Finish a save that was cut off between its renames; drop what is broken."""
    if place == folder:
        return
    if folder.exists() and place != previous:
        shutil.rmtree(previous, ignore_errors=True)
        folder.rename(previous)
    shutil.rmtree(folder, ignore_errors=True)
    place.rename(folder)


def drop_snapshot(folder: Path) -> None:
    """Remove a snapshot; half removed by a kill, it counts as one half written."""
    part = folder.with_name("last.part")
    shutil.rmtree(part, ignore_errors=True)
    if folder.exists():
        folder.rename(part)
    shutil.rmtree(part, ignore_errors=True)


def read_state(folder: Path) -> dict[str, Any]:
    """``state.json`` of a snapshot whose files have the hashes it says.

    Raises:
        WeakTrError: naming the file that is missing or damaged.
    """
    state = read_json(folder / STATE)
    hashes = check(state.get("sha256"), dict[str, str], f"{folder / STATE}: sha256")
    for name in (MODEL, TRAINING):
        if hash_file(folder / name) != hashes.get(name):
            raise RunError(f"{folder / name}: damaged, its hash is not the stored one")
    return state


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a file, on the CPU."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path}: expected safetensors, got {error}") from None


def hash_file(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(read_bytes(path, "a part of a run")).hexdigest()


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimiser remembers, as ``optimizer.NUMBER.NAME``; its settings are not."""
    return {
        f"optimizer.{number}.{name}": torch.as_tensor(value).detach().cpu().contiguous()
        for number, memory in optimizer.state_dict()["state"].items()
        for name, value in memory.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Undo `optimizer_tensors`, on whatever device the parameters are."""
    memory: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        kind, _, rest = key.partition(".")
        if kind == "optimizer":
            number, name = rest.split(".", 1)
            memory.setdefault(int(number), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": memory, "param_groups": groups})


def random_tensors() -> dict[str, Tensor]:
    """Where the random numbers of Python, NumPy and PyTorch stand."""
    _, words, gauss = random.getstate()
    numpy: Any = np.random.get_state(legacy=False)
    own, other = [-1.0 if g is None else g for g in (gauss, numpy["gauss"])]
    found = {
        "python": torch.tensor(words),
        "numpy": torch.from_numpy(numpy["state"]["key"].astype(np.int64)),
        "numpy.position": torch.tensor([numpy["state"]["pos"], numpy["has_gauss"]]),
        "gauss": torch.tensor([gauss is not None, own, other], dtype=torch.float64),
        "cpu": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        found |= {f"cuda.{n}": s for n, s in enumerate(torch.cuda.get_rng_state_all())}
    return {f"random.{name}": value for name, value in found.items()}


def restore_random(tensors: dict[str, Tensor]) -> None:
    """Undo `random_tensors`; states of devices that are not here are left aside."""
    found = {k.removeprefix("random."): v for k, v in tensors.items()}
    has_gauss, own, other = found["gauss"].tolist()
    position, has_other = found["numpy.position"].tolist()
    random.setstate((3, tuple(found["python"].tolist()), own if has_gauss else None))
    key = found["numpy"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", key, position, has_other, other))
    torch.set_rng_state(found["cpu"])
    for number in range(torch.cuda.device_count()):
        if (state := found.get(f"cuda.{number}")) is not None:
            torch.cuda.set_rng_state(state, number)
