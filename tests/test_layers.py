"""Imports point downwards only: a room may use itself and the floors below."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "weaktr_core"
FLOORS = [
    {"config", "errors", "options", "runtime", "schema"},
    {"method"},
    {"data"},
    {"networks"},
    {"labels"},
    {"scores"},
    {"train", "figures"},
    {"widgets"},
    {"page"},
    {"look", "reviewing", "run_report"},
    {"recipes"},
    {"commands"},
    {"__main__"},
]
"""From the ground up. `labels` lies below `scores`: who makes masks cannot see the truth."""


def floor_of(module: str) -> int:
    room = module.split(".")[0]
    for level, rooms in enumerate(FLOORS):
        if room in rooms:
            return level
    raise AssertionError(f"{module}: name its room in {Path(__file__).name}")


def imports_of(path: Path):
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        assert not node.level, f"{path}: imports are written in full"
        module = node.module or ""
        if module.split(".")[0] == "weaktr_core":
            inner = module.removeprefix("weaktr_core").lstrip(".")
            yield from [inner] if inner else [alias.name for alias in node.names]


def test_imports_point_downwards():
    found, upwards = 0, []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        name = name.removesuffix(".__init__")
        if name == "__init__":
            continue
        for imported in imports_of(path):
            found += 1
            if floor_of(imported) > floor_of(name):
                upwards.append(f"{name} imports {imported}")
    assert not upwards, upwards
    assert found > 50
