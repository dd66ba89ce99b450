"""Imports point downwards only: a file may use its own layer and those below."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "weaktr_core"
LAYERS = [
    {"config", "grid", "runtime", "data.sample", "metrics"},
    {"attention", "losses", "cams", "fusion", "decoder", "crf", "data"},
    {"backbone", "model", "segmenter", "pretrained", "checkpoints", "official"},
    {"inference", "windows", "evaluation", "evaluation_seg", "pseudo_labels", "runs"},
    {"training", "training_cam", "training_seg", "photo_masks", "figures"},
    {"widgets"},
    {"look"},
    {"commands"},
    {"__main__"},
]


def layer_of(module: str) -> int:
    for level, names in enumerate(LAYERS):
        if module in names:
            return level
    top = module.split(".")[0]
    for level, names in enumerate(LAYERS):
        if top in names:
            return level
    raise AssertionError(f"{module}: name its layer in {Path(__file__).name}")


def imports_of(path: Path):
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"data.{node.module}"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "weaktr_core"
        ):
            inner = node.module.removeprefix("weaktr_core").lstrip(".")
            yield from [inner] if inner else [alias.name for alias in node.names]


def test_imports_point_downwards():
    found = 0
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        name = name.removesuffix(".__init__")
        if name == "__init__":
            continue
        for imported in imports_of(path):
            found += 1
            assert layer_of(imported) <= layer_of(name), f"{name} imports {imported}"
    assert found > 50
