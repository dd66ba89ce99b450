"""``segment``: anyone's photos to masks, with a network of either step."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from weaktr_core.commands.common import (
    CRF_NAMES,
    SCALES_HELP,
    UsageError,
    add_command,
    crf_settings,
    in_utf8,
    load_run,
    log,
    spare_masks,
    views_of,
)
from weaktr_core.config import CamConfig
from weaktr_core.schema import Range, Scale, Share, argument, check

if TYPE_CHECKING:
    from weaktr_core.labels.photos import CamSegmenter, MaskSegmenter, Segmented

OTHER_ENDINGS = {".heic", ".heif", ".avif", ".jxl", ".dng", ".cr2", ".nef", ".arw", ".gif"}
"""Photos that are not read; in a folder they are named rather than passed over."""


def add_segment(commands) -> None:
    """``segment``."""
    command = add_command(
        commands,
        "segment",
        segment_command,
        "Draw masks of photos with a trained network of either step.",
        "Writes masks/NAME.png (palette PNG, 0 background, k + 1 for class k), "
        "overlays/NAME.jpg (the photo, coloured, with a legend) and, with a network of "
        "train-cam, explorers/NAME.html (what every attention head sees). "
        "Nobody has tagged a new photo, so a network of train-cam says itself what is "
        "in it: every class that its patch classifier gives a probability of 0.5 or "
        "more, and the likeliest one from 0.1 on. --tags says it instead. A network of "
        "train-seg gives each pixel its likeliest class; there --tags rules out all "
        "other classes.",
        [
            "cat.jpg                               # VOC's 20 kinds of things",
            "cat.jpg dog.jpg --run build/runs/laptop",
            "holiday/ --run my_run --tags cat,sofa -o holiday_masks",
        ],
    )
    command.add_argument(
        "photos", nargs="+", metavar="PHOTO", help="photos, or folders of photos"
    )
    command.add_argument(
        "--run",
        help="folder written by train-cam or train-seg; default: the CAM network that "
        "comes with the package, which knows VOC's 20 kinds of things",
    )
    command.add_argument("-o", "--out", default="segmented", help="folder to write")
    command.add_argument(
        "--tags", help="what is in these photos, for instance cat,sofa; default: see above"
    )
    command.add_argument(
        "--threshold",
        type=argument(Share),
        help="background score from 0 to 1, train-cam's networks only; default: what "
        "make-labels chose for this run, else the run's setting",
    )
    command.add_argument(
        "--size",
        type=argument(Annotated[int, Range(32, 8192)]),
        help="short side that the network sees, pixels; default: as in the run's "
        "evaluation",
    )
    command.add_argument("--scales", nargs="+", type=argument(Scale), help=SCALES_HELP)
    command.add_argument(
        "--crf",
        choices=["auto", "none", *CRF_NAMES],
        default="auto",
        help="let the photo's edges correct the mask; auto: if pydensecrf2 is installed",
    )
    command.add_argument(
        "--export",
        nargs="+",
        default=[],
        choices=["coco", "label-studio", "cvat", "csv"],
        help="also write the masks for other tools: coco.json, label-studio.json, cvat.xml "
        "(CVAT for images 1.1), areas.csv",
    )
    command.add_argument(
        "--explorers",
        type=argument(Annotated[int, Range(0)]),
        default=4,
        metavar="N",
        help="write head explorers of the first N photos; each has 1 or 2 MB",
    )


def segment_command(arguments: argparse.Namespace) -> None:
    """Photo by photo; broken ones are left out and named in the end."""
    from tqdm.auto import tqdm

    from weaktr_core.data import DataError
    from weaktr_core.data.files import shorten
    from weaktr_core.labels.exports import write_exports
    from weaktr_core.networks.inference import fast_inference
    from weaktr_core.runtime import sweep_parts

    photos = find_photos(arguments.photos)
    for folder in {path.parent for path in photos.values()}:
        spare_masks(Path(arguments.out) / "masks", folder, "overlays")
    segmenter, classes = make_segmenter(arguments)
    sweep_parts(Path(arguments.out), seconds=600)  # of a call that was killed
    desk = Desk(Path(arguments.out), classes, arguments.explorers)
    troubles: list[str] = []
    kept: list[tuple[str, np.ndarray]] = []
    for name, path in tqdm(photos.items(), desc="segment", unit="photo"):
        try:
            photo = read_photo(path)
        except DataError as error:
            troubles.append(str(error))
            continue
        with fast_inference(segmenter.model):
            found = segmenter(photo)
        desk.write(name, photo, found, segmenter)
        if arguments.export:
            kept.append((in_utf8(path.name), found.labels))
        tqdm.write(f"{name}: {', '.join(found.phrases(classes))}", file=sys.stdout)
    write_exports(desk.folder, arguments.export, kept, classes)
    if len(troubles) < len(photos):
        log(f"done: {desk.folder}/ masks, overlays{', explorers' * bool(desk.explored)}")
    if troubles:
        share = f"{len(troubles)} of {len(photos)} photos left out: "
        raise UsageError(share * (len(photos) > 1) + shorten(troubles, 2))


def make_segmenter(
    arguments: argparse.Namespace,
) -> tuple[CamSegmenter | MaskSegmenter, list[str]]:
    """The network of the run, ready for photos, and its class names."""
    from weaktr_core.labels.photos import CamSegmenter, MaskSegmenter

    model, config = load_run(arguments.run)
    classes = model.notes["classes"]
    is_cam = isinstance(config, CamConfig)
    common = dict(
        model=model,
        views=views_of(arguments, config),
        tags=parse_tags(arguments.tags, classes),
        crf=crf_settings(arguments.crf, "voc-cam" if is_cam else "voc-seg"),
    )
    if isinstance(config, CamConfig):
        threshold = choose_background(arguments.threshold, arguments.run, config)
        size = arguments.size or config.eval_size
        return CamSegmenter(threshold=threshold, size=size, **common), classes
    if arguments.threshold is not None:
        raise UsageError("--threshold is for networks of train-cam; this one needs none")
    common.update(window=config.window, stride=config.stride)
    return MaskSegmenter(size=arguments.size or config.short_side, **common), classes


def parse_tags(text: str | None, classes: list[str]) -> tuple[int, ...]:
    """``cat,sofa`` → class indices."""
    if text is None:
        return ()
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in classes]:
        raise UsageError(
            f"--tags: this run knows no {', '.join(unknown)}; it knows {', '.join(classes)}"
        )
    if not names:
        raise UsageError("--tags wants class names with commas between them")
    return tuple(dict.fromkeys(classes.index(name) for name in names))


def choose_background(wanted: float | None, run: str | None, config: CamConfig) -> float:
    """The number asked for, else that of make-labels, else the run's setting."""
    from weaktr_core.data.files import read_json

    if run is None:
        return config.threshold if wanted is None else wanted
    made = Path(run) / "labels" / "labels.json"
    if wanted is not None or not made.exists():
        return config.threshold if wanted is None else wanted
    stored = read_json(made).get("threshold")
    value = check(stored, Share, f"{made}: threshold")
    log(f"threshold {value:.3f}, as make-labels chose ({made})")
    return value


def find_photos(given: Sequence[str]) -> dict[str, Path]:
    """A unique name for each photo, folders opened; complains before any work."""
    paths: list[Path] = []
    for path in map(Path, given):
        if not path.exists():
            raise UsageError(f"{path}: no such photo or folder")
        paths += photos_in(path) if path.is_dir() else [path]
    named: dict[str, Path] = {}
    for path in dict.fromkeys(paths):
        stem = in_utf8(path.stem)
        name, number = stem, 2
        while name in named:
            name, number = f"{stem}-{number}", number + 1
        named[name] = path
    return named


def photos_in(folder: Path) -> list[Path]:
    """Photos of a folder by their endings, those that cannot be read among them."""
    from weaktr_core.data.tables import ENDINGS

    known = OTHER_ENDINGS.union(ENDINGS)
    photos = [it for it in sorted(folder.iterdir()) if it.suffix.lower() in known]
    photos = [it for it in photos if it.is_file()]
    if not photos:
        endings = " ".join(sorted(ENDINGS))
        raise UsageError(f"{folder}: no photo in this folder (looked for {endings})")
    return photos


def read_photo(path: Path) -> np.ndarray:
    """An upright photo; a strip that no network was made for is refused."""
    from weaktr_core.data import DataError
    from weaktr_core.data.files import read_image

    if path.suffix.lower() in OTHER_ENDINGS:
        kind = path.suffix[1:].upper()
        raise DataError(f"{path}: expected JPEG, PNG, WebP, BMP or TIFF, came {kind}")
    photo = read_image(path, upright=True)
    height, width = photo.shape[:2]
    if max(height, width) > 8 * min(height, width):
        raise DataError(f"{path}: {width} x {height} pixels is too long a strip; cut it")
    return photo


@dataclass
class Desk:
    """Where results are written, and the colours that classes have had so far.

    Attributes:
        folder: receives ``masks``, ``overlays`` and ``explorers``.
        classes: the K names.
        explorers: how many explorers to write.
    """

    folder: Path
    classes: list[str]
    explorers: int
    explored: int = 0
    slots: dict[int, int] = field(default_factory=dict)

    def write(self, name: str, photo: np.ndarray, found: Segmented, segmenter) -> None:
        """Mask, overlay, and an explorer while there are some left."""
        from weaktr_core.figures.fonts import drawable_names
        from weaktr_core.figures.segmentation import save_overlay
        from weaktr_core.labels.files import write_mask
        from weaktr_core.labels.photos import CamSegmenter

        write_mask(self.folder / "masks" / f"{name}.png", found.labels)
        # with more than ten classes some share a colour: hand them out as they are met
        for k in found.probabilities:
            self.slots.setdefault(k, len(self.slots))
        coloured = np.zeros_like(found.labels)
        for k in found.probabilities:
            coloured[found.labels == k + 1] = self.slots[k] + 1
        slots = [self.slots[k] + 1 for k in found.probabilities] or [0]
        names = drawable_names(self.classes)
        legend = dict(zip(slots, found.phrases(names), strict=True))
        path = self.folder / "overlays" / f"{name}.jpg"
        save_overlay(photo, coloured, legend, path)
        if isinstance(segmenter, CamSegmenter) and self.explored < self.explorers:
            self.explored += 1
            self.write_explorer(name, photo, segmenter.model)

    def write_explorer(self, name: str, photo: np.ndarray, model) -> None:
        """The heads of the CAM network, at the size it was trained on."""
        from weaktr_core.look import write_explorer

        size = int(model.notes["config"]["img_size"])
        path = self.folder / "explorers" / f"{name}.html"
        write_explorer(path, photo, model.cpu(), name=name, size=size)
