"""The book's runs on the built-in scenes: trained once, then found again."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from weaktr_core.config import CamConfig, SegConfig
from weaktr_core.data import TaggedDataset, open_dataset
from weaktr_core.data.masked import Relabelled
from weaktr_core.labels.crf import CRF_PRESETS, crf_available
from weaktr_core.labels.files import read_cams
from weaktr_core.labels.making import make_cams, make_masks
from weaktr_core.labels.recipe import LabelRecipe, label_free_threshold
from weaktr_core.labels.views import make_views
from weaktr_core.networks.checkpoints import load_checkpoint
from weaktr_core.networks.inference import fast_inference
from weaktr_core.runtime import cache_dir, default_device, write_json
from weaktr_core.scores.labels import measure_masks
from weaktr_core.train.cam import train_cam
from weaktr_core.train.runs import Run
from weaktr_core.train.seg import train_seg

PACKAGE = Path(__file__).parent


def train_or_load(config: CamConfig) -> Run:
    """The run of a configuration on the built-in scenes."""
    train, val = scenes(config)
    folder = cached_run("cam", config)
    return train_cam(config, train, val, folder, resume=True, about=about("tags"))


def label_scenes(cam_run: Run, scales: Sequence[float] = (1.0,)) -> Path:
    """Pseudo-masks of the built-in training scenes.

    The threshold is Otsu's, so no mask is looked at; the CRF is used where it is
    installed.

    Args:
        cam_run: a run of `train_or_load`.
        scales: of the CAMs, each also mirrored.

    Returns:
        Folder of palette PNGs.
    """
    folder = cam_run.folder / "labels"
    if (folder / "labels.json").exists():
        return folder / "masks"
    config = CamConfig.from_dict(cam_run.config)
    train, _ = scenes(config)
    model = load_checkpoint(cam_run.best).to(default_device())
    with fast_inference(model):
        make_cams(model, train, folder / "cams", views=make_views(scales))
    scores = (scores for scores, _ in read_cams(train, folder / "cams"))
    crf = CRF_PRESETS["voc-cam"] if crf_available() else None
    recipe = LabelRecipe(label_free_threshold(scores), crf)
    make_masks(train, folder / "cams", folder / "masks", recipe)
    matrix = measure_masks(train, folder / "masks")
    assert matrix is not None, "scenes have masks"
    write_json(folder / "labels.json", {**asdict(recipe), "miou": matrix.miou})
    return folder / "masks"


def retrain_or_load(
    config: SegConfig, cam_run: Run, *, labels: Literal["pseudo", "true"] = "pseudo"
) -> Run:
    """Step 2 on the built-in scenes.

    Args:
        config: settings.
        cam_run: the run of step 1 whose pseudo-masks are learned from.
        labels: "true" learns from the true masks instead, as an upper bound.
    """
    train, val = scenes(config)
    if labels == "pseudo":
        train = Relabelled(train, label_scenes(cam_run))
    source = cam_run.folder.name if labels == "pseudo" else "true"
    folder = cached_run("seg", config, source)
    return train_seg(config, train, val, folder, resume=True, about=about(labels))


def scenes(config: CamConfig | SegConfig) -> tuple[TaggedDataset, TaggedDataset]:
    """The scenes to train on and those to measure with, at the size of a setting."""
    train, val = (
        open_dataset("scenes", split, size=config.img_size) for split in ("train", "val")
    )
    return train, val


def about(labels: str) -> dict[str, str]:
    """What a run is told of its data."""
    told = {"data": "scenes", "split": "train", "val": "val"}
    return told if labels == "tags" else {**told, "labels": labels}


def cached_run(step: str, config: CamConfig | SegConfig, source: str = "") -> Path:
    """Folder in the cache for a run that is made once and found again.

    Its name is made of the settings, of the scenes and of the code that such a training
    runs through: a run of other code is never mistaken for this one's, while a comment,
    or a part of the package that does not train, can change without training anew.

    Args:
        step: "cam" or "seg", a module of `weaktr_core.train`.
        config: settings.
        source: where labels come from.
    """
    drawn = [vars(dataset) for dataset in scenes(config)]
    settings = json.dumps([step, config.as_dict(), drawn, source], sort_keys=True)
    code = code_of([f"weaktr_core.train.{step}", "weaktr_core.data.scenes.scenes"])
    digest = hashlib.sha256("\n".join([settings, *code]).encode()).hexdigest()
    return cache_dir("runs") / f"scenes-{step}-{digest[:12]}"


def code_of(modules: Sequence[str]) -> list[str]:
    """Code of modules and of all they import from this package, comments left out.

    Settings count by their values, so `weaktr_core.config` does not count.
    """
    found: dict[str, str] = {"weaktr_core.config": ""}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py")
        if name in found or not (path.exists() and PACKAGE in path.parents):
            continue
        tree = WithoutText().visit(ast.parse(path.read_text("utf8")))
        found[name] = ast.unparse(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
    return [found[name] for name in sorted(found)]


class WithoutText(ast.NodeTransformer):
    """Replaces docstrings, which do nothing, by nothing."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """Strings that stand alone."""
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.Pass() if text else node
