"""Side by side: how much code, how long its functions, how documented, how typed.

    python benchmarks/sources.py [PACKAGE or FOLDER …]

The first row is this project's package; the others are packages installed here, as in
``timm.layers``, or folders of sources. Numbers are counted from the sources, as
README.md beside this file defines them; nothing is imported but found.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import io
import sys
import tokenize
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, quantiles

from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[1]
HEAD = ("package", "files", "code lines", "functions", "mean body", "p90 body",
        "longest", "documented, %", "typed, %")  # fmt: skip
Function = ast.FunctionDef | ast.AsyncFunctionDef
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT,
          tokenize.DEDENT, tokenize.ENDMARKER}  # fmt: skip


@dataclass
class Counts:
    """What one file, or all files of a package, add up to.

    Attributes:
        lines: with code: neither blank, nor comment, nor docstring.
        bodies: code lines of each function, without signature and docstring.
        public: whether each public class, method and function has a docstring.
        typed: whether each function annotates every argument and what it returns.
    """

    files: int
    lines: int
    bodies: list[int]
    public: list[bool]
    typed: list[bool]

    def row(self, name: str) -> list:
        """A row of the table."""
        sizes = [round(mean(self.bodies), 1), round(quantiles(self.bodies, n=10)[-1])]
        shares = [round(100 * mean(self.public)), round(100 * mean(self.typed))]
        total = [self.files, self.lines, len(self.bodies)]
        return [name, *total, *sizes, max(self.bodies), *shares]


def main() -> int:
    """Print the table; 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("others", nargs="*", help="package installed here, or folder")
    rows = [
        count_package(folder_of(name)).row(name)
        for name in [str(ROOT / "weaktr_core"), *parser.parse_args().others]
    ]
    rows[0][0] = "weaktr_core"
    sys.stdout.write(tabulate(rows, HEAD, tablefmt="github") + "\n")
    return 0


def folder_of(name: str) -> Path:
    """Folder of the sources of a package, or the folder itself."""
    if Path(name).is_dir():
        return Path(name)
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        sys.exit(f"{name}: neither a folder nor a package installed here")
    return Path(found.submodule_search_locations[0])


def count_package(folder: Path) -> Counts:
    """All Python files below a folder, tests left out."""
    whole = Counts(0, 0, [], [], [])
    for path in sorted(folder.rglob("*.py")):
        if not {"tests", "test"} & set(path.relative_to(folder).parts):
            part = count_file(path.read_text("utf8"))
            whole.files, whole.lines = whole.files + 1, whole.lines + part.lines
            whole.bodies += part.bodies
            whole.public += part.public
            whole.typed += part.typed
    return whole


def count_file(text: str) -> Counts:
    """The counts of one source."""
    tree = ast.parse(text)
    code = code_lines(text) - docstring_lines(tree)
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    bodies = [len(code & lines_of(one.body)) for one in functions]
    public = [ast.get_docstring(node) is not None for node in public_nodes(tree)]
    return Counts(1, len(code), bodies, public, [is_typed(one) for one in functions])


def code_lines(text: str) -> set[int]:
    """Numbers of the lines that hold more than layout and comments."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    spans = (range(t.start[0], t.end[0] + 1) for t in tokens if t.type not in LAYOUT)
    return {line for span in spans for line in span}


def docstring_lines(tree: ast.Module) -> set[int]:
    """Numbers of the lines of strings that are statements."""
    strings = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    return lines_of(strings)


def lines_of(nodes: list) -> set[int]:
    """Numbers of all lines that some nodes span."""
    return {n for node in nodes for n in range(node.lineno, node.end_lineno + 1)}


def public_nodes(tree: ast.AST) -> list:
    """Classes, their methods and functions without an underscore, at any depth of class."""
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            found.append(node)
            if isinstance(node, ast.ClassDef):
                found += public_nodes(node)
    return found


def is_typed(function: Function) -> bool:
    """Whether all arguments but self, cls and the result are annotated."""
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    arguments = [one for one in named if one and one.arg not in ("self", "cls")]
    returns = function.returns is not None or function.name == "__init__"
    return returns and all(one.annotation is not None for one in arguments)


if __name__ == "__main__":
    sys.exit(main())
