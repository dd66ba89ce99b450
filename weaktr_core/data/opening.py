"""A dataset by what is there: built-in scenes, tables, VOC's layout, COCO's, folders."""

from __future__ import annotations

from pathlib import Path

from weaktr_core.data.coco import COCO
from weaktr_core.data.coco_files import has_index
from weaktr_core.data.files import file_error, holds
from weaktr_core.data.folder import TaggedFolder
from weaktr_core.data.sample import TaggedDataset
from weaktr_core.data.tables import TABLE, class_folders, has_metadata
from weaktr_core.data.voc import VOC2012, find_voc

SCENE_SPLITS = {"train": (800, 0), "val": (400, 1), "test": (400, 2)}
"""Number of built-in scenes and their seed, by split. Settings were chosen looking at
"val" and other seeds; "test" is for reporting, and nothing is chosen by it."""

SCENE_SIZE = 112
"""Height and width of a built-in scene in pixels."""


def open_dataset(
    where: str | Path,
    split: str = "train",
    *,
    size: int | None = None,
    count: int | None = None,
) -> TaggedDataset:
    """Open a dataset by what is there, so that commands need one argument only.

    Args:
        where: "scenes" for the built-in generated ones, "scenes:200" for 200 of
            them, or a folder with a table ``tags.csv`` or laid out like VOC 2012 or
            COCO. A folder that is called scenes is ``./scenes``.
        split: "train" or "val"; scenes also have "test", VOC "train_aug" and
            "trainval".
        size: height and width of the scenes in pixels, default 112.
        count: number of scenes, before that in ``where``; default 800 for
            "train" (seed 0), 400 for "val" (seed 1) and "test" (seed 2).

    Raises:
        DataError: nothing known is there, or the dataset itself is broken.
    """
    kind, colon, number = str(where).partition(":")
    if isinstance(where, str) and kind == "scenes":
        if colon and not (number.isdecimal() and int(number)):
            raise file_error(where, "a number of scenes after the colon", repr(number))
        asked = int(number) if colon else None
        return _open_scenes(split, size, count if count is not None else asked)
    if size is not None or count is not None:
        came = f"size={size}, count={count}"
        raise file_error(where, "size and count for built-in scenes only", came)
    return _open_folder(Path(where).expanduser(), split)


def _open_scenes(split: str, size: int | None, count: int | None) -> TaggedDataset:
    from weaktr_core.data.scenes import Scenes

    if split not in SCENE_SPLITS:
        raise file_error("scenes", f"a split of {', '.join(SCENE_SPLITS)}", repr(split))
    default, seed = SCENE_SPLITS[split]
    return Scenes(
        default if count is None else count,
        size=SCENE_SIZE if size is None else size,
        seed=seed,
    )


def _open_folder(folder: Path, split: str) -> TaggedDataset:
    if not folder.is_dir():
        raise file_error(folder, "a folder of photos", holds(folder))
    if (folder / TABLE).exists() or has_metadata(folder):
        return TaggedFolder(folder, split)
    if (folder / "VOCdevkit").is_dir() or find_voc(folder) is not None:
        return VOC2012(folder, split)
    if has_index(folder):
        return COCO(folder, split)
    if class_folders(folder):
        return TaggedFolder(folder, split)
    layouts = (
        f"a table {TABLE}, VOCdevkit/VOC2012 or JPEGImages and Annotations (VOC), "
        "annotations/instances_*.json (COCO), or a folder of photos for each class, "
        "those of no class in none/"
    )
    raise file_error(folder, layouts, holds(folder))
