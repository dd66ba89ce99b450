"""Where files live, which device computes, and how runs are made repeatable."""

from __future__ import annotations

import json
import logging
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError

from weaktr_core.errors import WeakTrError

log = logging.getLogger("weaktr")


def data_root() -> Path:
    """Folder of everything downloaded: ``WEAKTR_DATA``, else ``data/`` of the checkout.

    Outside a checkout it is ``~/.cache/weaktr``.
    """
    if given := os.environ.get("WEAKTR_DATA"):
        return Path(given).expanduser()
    checkout = Path(__file__).resolve().parents[1]
    if (checkout / "pyproject.toml").exists() and (checkout / "data").is_dir():
        return checkout / "data"
    return Path.home() / ".cache" / "weaktr"


def cache_dir(*parts: str) -> Path:
    """A folder for things that can be made again; created when asked for."""
    folder = data_root().joinpath("cache", *parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def default_device() -> torch.device:
    """The best device there is: CUDA, then Apple's MPS, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def mixed_precision(wanted: str = "auto") -> str:
    """The number format to train in: "no", "bf16" or "fp16".

    "auto" takes bfloat16 where the processor computes in it (recent GPUs, CPUs with
    AVX512-BF16 or AMX), float16 on older GPUs, float32 elsewhere.
    """
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16" if native else "fp16"
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    native = any(getattr(torch.cpu, name, bool)() for name in checks)
    return "bf16" if native else "no"


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def processes() -> tuple[int, int]:
    """This process's number and how many work together, as their launcher told them.

    ``torchrun`` and ``accelerate launch`` do; without one it is 0 of 1.
    """
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this is the only process, or the one of several that speaks for all."""
    return processes()[0] == 0


def own_share(count: int) -> range:
    """Which of ``count`` things are this process's to do."""
    number, together = processes()
    return range(number, count, together)


def gather(value: Any) -> list[Any]:
    """The value of every process, in order; they wait for one another here."""
    together = processes()[1]
    if together == 1:
        return [value]
    distributed = torch.distributed
    if not distributed.is_initialized():
        distributed.init_process_group("gloo")
    values: list[Any] = [None] * together
    distributed.all_gather_object(values, value)
    return values


PART = ".weaktr-"
"""How the names of files that are still being written begin."""


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a temporary file, then move it into place: all or nothing.

    Raises:
        OSError: naming ``path``, for instance where the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(f".part{path.suffix}", PART, path.parent)
        os.close(handle)
        part = Path(name)
        write(part)
        part.chmod(0o644)
        part.replace(path)
    except (OSError, SafetensorError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise OSError(getattr(error, "errno", None), said, str(path)) from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def write_text(path: Path, text: str, encoding: str = "utf8") -> None:
    """Write a text atomically; of names that are no UTF-8, question marks remain."""
    write_atomically(path, lambda part: part.write_text(text, encoding, "replace"))


def sweep_parts(folder: Path, seconds: float = 0.0) -> None:
    """Remove what a killed `write_atomically` left in a folder and those in it.

    Args:
        folder: where.
        seconds: leave what is younger; somebody may be writing it.
    """
    for part in [*folder.glob(f"{PART}*.part*"), *folder.glob(f"*/{PART}*.part*")]:
        if time.time() - part.stat().st_mtime >= seconds:
            part.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder; the lock of a killed one is gone with it.

    Of several processes that work together, the first one locks for all.

    Raises:
        WeakTrError: where another process is in.
    """
    if not is_first():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            sweep_parts(folder)
            yield
    except Timeout:
        raise WeakTrError(f"{folder}: another process is at work here") from None


def flush(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder, before going on."""
    if path.is_dir() and os.name == "nt":  # Windows opens no folders, and needs it not
        return
    handle = os.open(path, os.O_RDWR if path.is_file() and os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write JSON readably and atomically; NaN, which JSON lacks, is refused."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")
