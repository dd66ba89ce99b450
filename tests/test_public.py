"""What a stranger meets first: a few names, at no cost."""

import subprocess
import sys

import weaktr_core

CHEAP = """
import sys, time
start = time.perf_counter()
import weaktr_core
print(time.perf_counter() - start, [m for m in ("torch", "numpy") if m in sys.modules])
"""


def test_the_import_brings_nothing_heavy(note):
    done = subprocess.run([sys.executable, "-c", CHEAP], capture_output=True, text=True)
    seconds, heavy = done.stdout.split(maxsplit=1)
    note(f"import weaktr_core: {float(seconds):.3f} s")
    assert heavy.strip() == "[]"


def test_every_name_of_the_stub_is_there():
    assert 20 < len(weaktr_core.__all__) < 45
    for name in weaktr_core.__all__:
        assert getattr(weaktr_core, name) is not None
    assert set(weaktr_core.__all__) <= set(dir(weaktr_core))
