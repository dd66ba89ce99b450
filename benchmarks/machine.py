"""Where and when a number was measured, in a line."""

from __future__ import annotations

import datetime
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path


def measured() -> str:
    """Date, processor, cores and how busy they are, Python, torch."""
    table = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", table.read_text()) if table.exists() else None
    name = found[1] if found else platform.machine()
    load = f"{os.getloadavg()[0]:.1f} processes waiting or running"
    today = datetime.datetime.now(datetime.timezone.utc).date()
    versions = f"Python {platform.python_version()}, torch {version('torch')}"
    return f"Measured on {today}: {name}, {os.cpu_count()} cores, {load}; {versions}."
