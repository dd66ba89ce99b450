"""What a stranger meets first: a few names that cost nothing, each shown and explained."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
import torch
from test_official_segmenter import official_file

import weaktr_core
from weaktr_core.networks.official import FUSION
from weaktr_core.networks.pretrained import load_vit

PAGE = (Path(__file__).parents[1] / "book" / "api.md").read_text("utf8")
PACKAGE = Path(weaktr_core.__file__).parent
ROOMS = sorted(path.parent for path in PACKAGE.glob("*/__init__.pyi"))
EXAMPLES = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.S | re.M))
CHEAP = """
import sys, time
start = time.perf_counter()
import weaktr_core
print(time.perf_counter() - start, [m for m in ("torch", "numpy") if m in sys.modules])
"""


def listed(stub):
    """Names of a stub → the module that defines them; modules themselves → None."""
    found = {}
    for node in ast.parse(stub.read_text("utf8")).body:
        for alias in node.names if isinstance(node, ast.ImportFrom) else ():
            assert alias.name == alias.asname  # what is private is not exported
            found[alias.name] = node.module
    return found


def documented():
    """Module → the names that the page documents; None where all are."""
    found = {}
    pattern = r"^\.\. automodule:: (\S+)\n   :members:(.*)$"
    for module, members in re.findall(pattern, PAGE, re.M):
        assert module not in found, f"{module} is there twice"
        found[module] = {
            name.strip() for name in members.split(",") if name.strip()
        } or None
    return found


def test_the_import_brings_nothing_heavy(note):
    done = subprocess.run([sys.executable, "-c", CHEAP], capture_output=True, text=True)
    seconds, heavy = done.stdout.split(maxsplit=1)
    note(f"import weaktr_core: {float(seconds):.3f} s")
    assert heavy.strip() == "[]"


@pytest.mark.parametrize("package", [PACKAGE, *ROOMS], ids=lambda path: path.name)
def test_every_listed_name_is_there_and_listed_once(package):
    names = listed(package / "__init__.pyi")
    room = ".".join(package.relative_to(PACKAGE.parent).parts)
    module = importlib.import_module(room)
    assert sorted(names) == module.__all__ == dir(module)
    for name in names:
        assert getattr(module, name) is not None


def test_the_public_face_is_small():
    names = [name for name, module in listed(PACKAGE / "__init__.pyi").items() if module]
    assert 20 <= len(names) <= 30


@pytest.mark.parametrize("package", [PACKAGE, *ROOMS], ids=lambda path: path.name)
def test_every_listed_function_is_documented(package):
    for name, module in listed(package / "__init__.pyi").items():
        value = module and getattr(weaktr_core, package.name, weaktr_core)
        value = getattr(value, name, None)
        if not callable(value) or getattr(value, "__module__", "") == "typing":
            continue  # modules and constants speak for themselves
        members = documented()[value.__module__]
        assert members is None or name in members, f"{value.__module__}: {name}"


def test_every_public_name_has_an_example():
    used = {node.id for node in ast.walk(ast.parse(EXAMPLES)) if isinstance(node, ast.Name)}
    names = listed(PACKAGE / "__init__.pyi")
    missing = [name for name, module in names.items() if module and name not in used]
    assert not missing


def official_cam():
    """A checkpoint with the official names, heads 64 wide, random weights."""
    sizes = dict(embed_dim=64, depth=2, num_heads=1)
    state = load_vit("vit_tiny_patch16_224", 64, pretrained=False, **sizes).state_dict()
    shapes = {"cls_token": (1, 4, 64), "pos_embed": (1, 20, 64)}
    shapes |= {"head.weight": (4, 64, 3, 3), "head.bias": (4,)}
    squeeze, excite = FUSION + "attn_feat_ffn.", FUSION + "attn_head_ffn."
    shapes |= {excite + "0.weight": (1, 2), excite + "2.weight": (2, 1)}
    shapes |= {squeeze + "0.weight": (8, 64), squeeze + "0.bias": (8,)}
    shapes |= {squeeze + "1.weight": (1, 8), squeeze + "1.bias": (1,)}
    return {"model": state | {key: torch.randn(shape) for key, shape in shapes.items()}}


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    torch.save(official_cam(), "WeakTr_CAM.pth")
    torch.save(official_file(width=64, heads=1), "WeakTr_Seg.pth")
    exec(compile(EXAMPLES, "api.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "expected a cam network, came a segmenter" in printed
    assert "of the pixels" in printed or "background only" in printed
