"""One chapter in a process of its own: ``python book/execute.py CHAPTER TARGET``.

It ends, and its kernel with it, when the build does, however that ended: the build holds
the other end of this process's standard input. TARGET is clean of what papermill, widgets
and progress bars leave behind, and its metadata tell which files of the project the
chapter has read, so that the build can tell when it must run again.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
from pathlib import Path

import nbformat
import papermill

ROOT = Path(__file__).resolve().parents[1]
# a progress bar, as tqdm writes it: "epoch 1/8:  10%|█  | 3/30 [00:01<00:09, …]"
BAR = re.compile(r"\d+%\||\d+(\.\d+)?\w* ?\[\d\d:\d\d|^\s*\[A")
WIDGET = "application/vnd.jupyter.widget-view+json"
# cells before and after those of the chapter; figures are sharp on any screen
LISTEN = """import sys
from matplotlib_inline.backend_inline import set_matplotlib_formats
set_matplotlib_formats("retina")
__opened = set()
sys.addaudithook(lambda event, args: event == "open" and __opened.add(str(args[0])))"""
TELL = """import json
__files = [getattr(m, "__file__", None) for m in list(sys.modules.values())]
print(json.dumps(sorted({*__opened, *filter(None, __files)})))"""


def main(source: str, target: str) -> int:
    """Run one chapter; 1 if a cell failed, and then the target shows which."""
    threading.Thread(target=end_with_the_build, daemon=True).start()
    notebook = nbformat.read(source, 4)
    before, after = (
        nbformat.v4.new_code_cell(text) for text in (LISTEN, TELL)
    )
    notebook.cells = [before, *notebook.cells, after]
    try:
        papermill.execute_notebook(
            notebook, target, cwd=str(ROOT / "book"), kernel_name="python3",
            progress_bar=False,
        )  # fmt: skip
    except papermill.PapermillExecutionError:
        return 1
    done = nbformat.read(target, 4)
    told = done.cells.pop().outputs[0]["text"]
    del done.cells[0]
    clean(done)
    done.metadata["weaktr_read"] = ours(json.loads(told))
    nbformat.write(done, target)
    return 0


def end_with_the_build() -> None:
    """Wait until the build lets go, then stop as papermill stops: kernel first."""
    os.read(0, 1)  # nothing is ever written
    os.kill(os.getpid(), signal.SIGTERM)


def ours(opened: list[str]) -> list[str]:
    """Of all files those of the package and the stored results, as paths from the root."""
    kept = set()
    for name in opened:
        path = Path(name).absolute()
        for folder in (ROOT / "weaktr_core", ROOT / "data" / "results"):
            if folder in path.parents and path.suffix != ".pyc":
                kept.add(path.relative_to(ROOT).as_posix())
    return sorted(kept)


def clean(notebook: nbformat.NotebookNode) -> None:
    """Strip what papermill, widgets and progress bars leave behind."""
    for name in ("widgets", "papermill"):
        notebook.metadata.pop(name, None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        if cell.cell_type == "code":
            kept = [without_bars(output) for output in cell.outputs]
            cell.outputs = [output for output in kept if output is not None]


def without_bars(output: dict) -> dict | None:
    """An output without progress bars; None if nothing else was in it."""
    if WIDGET in output.get("data", {}):
        return None  # explorers are plain HTML here, so this is a bar too
    if output.get("name") != "stderr":
        return output
    lines = re.split(r"(?<=[\r\n])", output["text"])
    output["text"] = "".join(line for line in lines if not BAR.search(line))
    return output if output["text"].strip() else None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
