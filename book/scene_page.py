"""Draw your own scene: the book's objects and grounds as pictures, a first scene judged."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from weaktr_core import preset, recipes
from weaktr_core.data.scenes import grounds, scenes
from weaktr_core.data.scenes.drawing import Backdrop
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.checkpoints import load_checkpoint
from weaktr_core.page.explorer import your_scene
from weaktr_core.page.packing import PackedNetwork, write_network
from weaktr_core.page.rounding import rounded
from weaktr_core.train.runs import Run

SIDE = 336  # pixels of the page's picture, as scene_canvas.js has it
UNIT = 130  # pixels of a drawing's unit in its picture
VARIANTS = 2  # of each object
SEED = 7
QUALITY = 80  # of WebP
PRESET = "laptop"  # whose run is in the page: chapter 8 trains it
GROUND = "beach"
START = (("cat", 1, 0.3, 0.6, 0.42), ("sailboat", 0, 0.72, 0.36, 0.36),
         ("snail", 1, 0.7, 0.78, 0.3))  # fmt: skip
"""What is there at first: the ground; class, variant, centre and size of each thing."""


MISSING = (
    "The scenes' network had not been trained where this page was built, so there is "
    "nothing to play with here; {doc}`chapter 8 <08_training_with_tags>` trains it."
)


def trained() -> Path | None:
    """The checkpoint of the scenes' network; None where it is not trained to its end."""
    config = preset(PRESET)
    run = Run(recipes.cached_run("cam", config))
    if not run.folder.exists() or not run.history:
        return None
    return run.best if run.history[-1]["epoch"] == config.epochs else None


def put(page: Path, network: Path) -> bool:
    """The explorer beside its page, its network's files into a folder; False: no network."""
    explorer = page.with_name(f"{page.stem}_scene.html")
    checkpoint = trained()
    if checkpoint is None:
        explorer.write_text("", "utf8")
        return False
    model = load_checkpoint(checkpoint)
    packed = write_network(model, network)
    scene = scene_data(rounded(model), packed)
    explorer.write_text(
        your_scene(packed, scene, alone=False)._repr_html_(), "utf8"
    )
    return True


def scene_data(model: WeakTr, packed: PackedNetwork) -> dict:
    """What scene.js shows; ``packed`` is the model as the page computes it."""
    sprites = [
        sprite(k, v)
        for k in range(len(scenes.CLASSES))
        for v in range(VARIANTS)
    ]
    floors = [ground(n) for n in range(len(grounds.GROUNDS))]
    things = [thing(*one) for one in START]
    names = [make.__name__ for make in grounds.GROUNDS]
    first = names.index(GROUND)
    picture = compose(
        floors[first], [(sprites[t["sprite"]], t) for t in things]
    )
    side = preset(PRESET).img_size
    seen = picture.resize((side, side), Image.Resampling.BICUBIC)
    with torch.no_grad():
        output = model(model.prepare(np.asarray(seen)))
    likely = output.coarse_logits[0].sigmoid().tolist()
    fine = output.fine_cam[0].flatten(1).tolist()
    return dict(
        sprites=[
            dict(
                k=i // VARIANTS,
                variant=i % VARIANTS + 1,
                unit=UNIT,
                src=webp(picture),
            )
            for i, picture in enumerate(sprites)
        ],
        grounds=[
            dict(name=name, src=webp(floor))
            for name, floor in zip(names, floors, strict=True)
        ],
        threshold=round(threshold(), 2),
        start=dict(
            scene=dict(ground=first, things=things),
            grid=[side // packed.about["patch"]] * 2,
            probabilities=[round(p, 4) for p in likely],
            fine=[[float(f"{v:.4g}") for v in row] for row in fine],
        ),
    )


def threshold() -> float:
    """Of the labels that chapter 9 makes without masks, else of the run's settings."""
    stored = (
        recipes.cached_run("cam", preset(PRESET)) / "labels" / "labels.json"
    )
    if stored.exists():
        return json.loads(stored.read_text("utf8"))["threshold"]
    return preset(PRESET).threshold


def thing(name: str, variant: int, x: float, y: float, size: float) -> dict:
    """A thing as scene_canvas.js has it."""
    sprite = scenes.CLASSES.index(name) * VARIANTS + variant
    return dict(sprite=sprite, x=x, y=y, size=size, flip=False)


def sprite(label: int, variant: int) -> Image.Image:
    """An object, cut out."""
    rng = np.random.default_rng((SEED, label, variant))
    cutout = scenes.draw_object(rng, label, UNIT)
    alpha = 255 * cutout.alpha[..., None]
    return Image.fromarray(
        np.concatenate([cutout.rgb, alpha], -1).astype(np.uint8)
    )


def ground(number: int) -> Image.Image:
    """A ground of the given kind."""
    backdrop = Backdrop(np.random.default_rng((SEED, number)), (SIDE, SIDE))
    grounds.GROUNDS[number](backdrop)
    return Image.fromarray(np.clip(backdrop.finish(), 0, 255).astype(np.uint8))


def compose(
    floor: Image.Image, placed: list[tuple[Image.Image, dict]]
) -> Image.Image:
    """The first scene, as scene_canvas.js draws it: the nearer later, shadows beneath."""
    picture = np.asarray(floor, np.float32).copy()
    boxes = []
    for cut, at in placed:
        scale = at["size"] * SIDE / UNIT
        size = (round(cut.width * scale), round(cut.height * scale))
        small = np.asarray(cut.resize(size), np.float32)
        corner = (
            round(at["y"] * SIDE - size[1] / 2),
            round(at["x"] * SIDE - size[0] / 2),
        )
        one = scenes.Cutout(0, small[..., :3], small[..., 3] / 255)
        boxes.append((one, *corner))
    for one in sorted(boxes, key=lambda box: box[1] + len(box[0].alpha)):
        scenes._shadow(picture, one)
        where, own = scenes._overlap(one, (SIDE, SIDE))
        cover = one[0].alpha[own][..., None]
        picture[where] += cover * (one[0].rgb[own] - picture[where])
    return Image.fromarray(picture.astype(np.uint8))


def webp(picture: Image.Image) -> str:
    """A picture as a data URI."""
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=6)
    return (
        "data:image/webp;base64,"
        + base64.b64encode(buffer.getvalue()).decode()
    )
