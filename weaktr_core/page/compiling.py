"""kernel.c → kernel.wasm, byte for byte the same with the same compiler.

    pip install ziglang==0.17.1 && python -m weaktr_core.page.compiling

The result is kept beside its source: seven kilobytes that every reader's build needs,
made by a compiler of 400 megabytes that only who changes the source needs. A test
compiles it anew where that compiler is installed, and compares.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
SOURCE, KERNEL = FOLDER / "kernel.c", FOLDER / "kernel.wasm"
COMPILER = "0.17.1"  # of the package ziglang, which carries clang and its linker
# no -ffast-math: sums must not be reordered, or browsers would differ
FLAGS = [
    "-target",
    "wasm32-freestanding",
    "-mcpu=generic+simd128",
    "-std=c11",
    "-O3",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-nostdlib",
    "-Wl,--no-entry",
    "-Wl,--strip-all",
    "-Wl,-z,stack-size=65536",
]


def compile_kernel(target: Path = KERNEL) -> None:
    """Compile, with the compiler of the package ``ziglang``.

    Raises:
        subprocess.CalledProcessError: where it is not installed, or finds a mistake.
    """
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, "-o", str(target)]
    subprocess.run([*command, str(SOURCE)], check=True)
    target.chmod(0o644)


if __name__ == "__main__":
    compile_kernel()
