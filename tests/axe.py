"""axe-core on a page: what a screen reader or a keyboard could not use."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

AXE = "axe-core@4.14.1"
CACHE = Path(__file__).parents[1] / "build" / "axe"
RUN = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
    .filter(v => ["serious", "critical"].includes(v.impact))
    .flatMap(v => v.nodes.map(n => `${v.impact} ${v.id}: ${v.help}: ${n.html.slice(0, 160)}`))
"""


def violations(page) -> list[str]:
    """Serious and critical violations on a page (without its frames), one line each.

    Skips the test where axe-core is neither cached nor to be had by npm; fails instead
    where WEAKTR_REQUIRE_BROWSER is set.
    """
    page.evaluate(script().read_text("utf8"))
    return page.evaluate(RUN)


def script() -> Path:
    """axe.min.js, fetched once with npm."""
    path = CACHE / f"{AXE}.min.js"
    if not path.exists():
        with tempfile.TemporaryDirectory() as scratch:
            source = fetch(Path(scratch))
            CACHE.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}")
            shutil.copy(source, part)
            part.replace(path)  # whole or not at all, with several processes, too
    return path


def fetch(scratch: Path) -> Path:
    """The script, unpacked in ``scratch``."""
    if shutil.which("npm") is None:
        unavailable("no npm on this machine")
    command = ["npm", "pack", "--silent", AXE]
    packed = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
    if packed.returncode:
        unavailable(f"npm cannot fetch {AXE}: {packed.stderr.strip()[-300:]}")
    shutil.unpack_archive(next(scratch.glob("*.tgz")), scratch)
    return scratch / "package" / "axe.min.js"


def unavailable(reason: str) -> None:
    """Skip, or fail where a browser is required."""
    required = os.environ.get("WEAKTR_REQUIRE_BROWSER")
    (pytest.fail if required else pytest.skip)(f"axe-core: {reason}")
