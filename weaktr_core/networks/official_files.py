"""Weights out of the official code's pickles, which are opened and never run."""

from __future__ import annotations

import argparse
import codecs
import pathlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from weaktr_core.networks.checkpoints import CheckpointError


def official_state(source: str | Path | Mapping[str, Any]) -> dict[str, Tensor]:
    """The state dict in an official checkpoint, opened without running its pickles.

    It may lie under ``model`` or ``state_dict``, beside what else was stored, with or
    without the ``module.`` that training on several GPUs puts before each key.

    Raises:
        CheckpointError: no such file, no PyTorch file, or one that would run code.
    """
    stored = source if isinstance(source, Mapping) else read_pickle(Path(source))
    for key in ("model", "state_dict"):
        if isinstance(stored, Mapping) and isinstance(stored.get(key), Mapping):
            stored = stored[key]
    state = dict(stored) if isinstance(stored, Mapping) else {}
    tensors = {str(k): v for k, v in state.items() if isinstance(v, Tensor)}
    if not tensors:
        name = source if isinstance(source, (str, Path)) else "official checkpoint"
        raise CheckpointError(f"{name}: expected weights by name, came {kind_of(stored)}")
    if all(key.startswith("module.") for key in tensors):
        return {key.removeprefix("module."): value for key, value in tensors.items()}
    return tensors


def kind_of(stored: Any) -> str:
    """What was found in place of a state dict."""
    keys = (
        f" with {', '.join(map(str, list(stored)[:4]))}" if isinstance(stored, dict) else ""
    )
    return f"a {type(stored).__name__}{keys}"


def harmless() -> list[Any]:
    """What official files hold beside tensors: numpy scalars and arguments.

    ``miou`` is a numpy scalar, which torch's safe loader refuses unless told; numpy 2
    moved the function that makes it, so files name it in two ways.
    """
    core = np._core if hasattr(np, "_core") else np.core  # type: ignore[attr-defined]
    scalar = core.multiarray.scalar
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    dtypes = [type(np.dtype(kind)) for kind in ("f8", "f4", "f2", "i8", "i4", "b1")]
    paths = [pathlib.PosixPath, pathlib.WindowsPath, pathlib.PurePosixPath]
    more = [np.dtype, codecs.encode, argparse.Namespace, *paths, *dtypes]
    return [*((scalar, name) for name in names), *more]


def read_pickle(path: Path) -> Any:
    """What a ``.pth`` holds, if all of it is harmless."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    with path.open("rb") as file:
        start = file.read(16)
    if not start.startswith((b"PK", b"\x80")):
        came = "a page of HTML" if start.lstrip().startswith(b"<") else repr(start[:8])
        raise CheckpointError(f"{path}: expected a PyTorch file, came {came}")
    try:
        with torch.serialization.safe_globals(harmless()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        named = re.search(r"GLOBAL ([\w.]+)|Unsupported class ([\w.]+)", str(error))
        foreign = named and f"it holds {named[1] or named[2]}, which could run code"
        damaged = "it is damaged, or holds more than weights"
        reason = foreign or damaged
        raise CheckpointError(f"{path}: not a readable checkpoint: {reason}") from None
