"""ES modules → one: what a module imports is put in front of it.

A page, a notebook's cell and a file on a disk have one thing in common: a script there
cannot import its neighbour. So the modules stay as they are for editors, linters and
Node, and become one text when an explorer is shown. Each keeps a scope of its own.

Understood, each on lines of its own: ``import { a, b as c } from "./d.js";``,
``export * from "./d.js";``, ``export`` before ``const``, ``function``, ``async function``
and ``class``, and ``export default`` in the module that is asked for.
"""

from __future__ import annotations

import re
from pathlib import Path

IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.[^"]*)";$', re.M)
PASS_ON = re.compile(r'^export \* from "(\.[^"]*)";$', re.M)
EXPORT = re.compile(r"^export ((?:async function|function|const|class)\*? +(\w+))", re.M)
LEFT = re.compile(r"^(?:import\b|export (?!default\b)).*", re.M)


def bundle(entry: Path) -> str:
    """The text of one ES module that needs no other.

    Args:
        entry: a file; what it exports by default is exported, other exports are not.

    Raises:
        ValueError: a line imports or exports in a way that is not understood, modules
            import each other in a ring, or two have the same name.
    """
    done: dict[Path, str] = {}
    text, _ = translate(entry.resolve(), done, ())
    return "\n".join([*done.values(), text])


def translate(
    path: Path, done: dict[Path, str], above: tuple[Path, ...]
) -> tuple[str, list[str]]:
    """A module without ``import`` and ``export``, and the names that it exports.

    Args:
        path: of the module.
        done: the modules that were wrapped so far, in order; those it imports are added.
        above: the modules that wait for this one.
    """
    if path in above:
        raise ValueError(f"{path.name} imports itself through {above[-1].name}")
    source, names = path.read_text("utf8"), []

    def needed(place: str) -> str:
        return wrap((path.parent / place).resolve(), done, (*above, path))

    def imported(found: re.Match[str]) -> str:
        wanted = " ".join(found[1].replace(" as ", ": ").split())
        return f"const {{ {wanted} }} = {needed(found[2])};"

    def passed_on(found: re.Match[str]) -> str:
        names.append(f"...{needed(found[1])}")
        return ""

    def exported(found: re.Match[str]) -> str:
        names.append(found[2])
        return found[1]

    for pattern, change in (
        (IMPORT, imported),
        (PASS_ON, passed_on),
        (EXPORT, exported),
    ):
        source = pattern.sub(change, source)
    if left := LEFT.search(source):
        raise ValueError(f"{path.name}: not understood: {left[0]}")
    return source, names


def wrap(path: Path, done: dict[Path, str], above: tuple[Path, ...]) -> str:
    """Put a module into ``done`` as a constant; return that constant's name."""
    name = "module_" + re.sub(r"\W", "_", path.stem)
    if path not in done:
        source, exports = translate(path, done, above)
        if any(name == "module_" + re.sub(r"\W", "_", p.stem) for p in done):
            raise ValueError(f"two modules are called {path.name}")
        listed = ", ".join(exports)
        done[path] = f"const {name} = (() => {{\n{source}\nreturn {{ {listed} }};\n}})();"
    return name
