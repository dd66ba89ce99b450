"""What the chapters consist of: ``python tests/census.py [FOLDER OF EXECUTED CHAPTERS]``.

Words, lines of code and how many of them are folded come from the committed notebooks;
figures, explorers and text outputs from executed ones. A photograph is a figure tagged so.
"""

import re
import sys
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}


@dataclass
class Census:
    words: int = 0
    code: int = 0
    folded: int = 0
    figures: int = 0
    explorers: int = 0
    photographs: int = 0
    tables: int = 0
    texts: int = 0
    answers: int = 0

    def __add__(self, other):
        return Census(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def count(path):
    """The census of one notebook, executed or not."""
    found = Census()
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "markdown":
            found.words += len(cell.source.split())
            found.figures += cell.source.count("```{figure}")
            found.answers += len(re.findall(r":class: (?:seen|answers)", cell.source))
            continue
        tags = set(cell.metadata.get("tags", []))
        lines = sum(bool(line.strip()) for line in cell.source.splitlines())
        found.code += lines
        found.folded += lines if tags & FOLDED else 0
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data or "image/svg+xml" in data:
                found.figures += 1
                found.photographs += "photograph" in tags
            elif "text/html" in data:
                found.explorers += 1
            elif "text/markdown" in data:
                found.tables += 1
            elif "text" in output or "text/plain" in data:
                found.texts += 1
    return found


def table(folder):
    """Lines of text: a chapter each, and all together."""
    names = [field.name for field in fields(Census)]
    lines, total = [f"{'':32}" + "".join(f"{name:>12}" for name in names)], Census()
    for path in sorted(folder.glob("[01]?_*.ipynb")):
        one = count(path)
        total += one
        lines.append(f"{path.stem:32}" + "".join(f"{n:12}" for n in astuple(one)))
    lines.append(f"{'together':32}" + "".join(f"{n:12}" for n in astuple(total)))
    return "\n".join(lines)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "executed"
    sys.stdout.write(table(folder) + "\n")
