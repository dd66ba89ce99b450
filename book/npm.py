"""Packages of npm's registry, fetched once and kept in build/npm."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path

KEPT = Path(__file__).resolve().parents[1] / "build" / "npm"


def npm_file(package: str, member: str) -> Path | None:
    """Path of ``member`` of an npm package; None without npm or its registry.

    The whole package is unpacked into its own folder, so that a member finds those it
    needs; none of its install scripts is run.

    Args:
        package: with its version, as in ``mathjax@3.2.2``.
        member: path inside the package.
    """
    folder = KEPT / package.replace("/", "+")
    if not folder.exists():
        if shutil.which("npm") is None:
            return None
        KEPT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=KEPT) as scratch:
            command = ["npm", "pack", "--silent", "--ignore-scripts", package]
            packed = subprocess.run(command, cwd=scratch, capture_output=True)
            if packed.returncode:
                return None
            archive = next(Path(scratch).glob("*.tgz"))
            shutil.unpack_archive(archive, scratch)
            # in one move: another process may be here, too
            with contextlib.suppress(OSError):
                (Path(scratch) / "package").rename(folder)
    return folder / member


def npm_package(package: str) -> Path | None:
    """Folder where a package is installed with all it needs; None without npm or registry.

    Args:
        package: with its version.
    """
    folder = KEPT / f"installed+{package.replace('/', '+')}"
    if not folder.exists():
        if shutil.which("npm") is None:
            return None
        KEPT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=KEPT) as scratch:
            command = ["npm", "install", "--silent", "--no-audit", "--no-fund",
                       "--ignore-scripts", "--prefix", scratch, package]  # fmt: skip
            if subprocess.run(command, capture_output=True).returncode:
                return None
            with contextlib.suppress(OSError):
                Path(scratch).rename(folder)
            Path(scratch).mkdir(exist_ok=True)  # for its own end
    return folder
