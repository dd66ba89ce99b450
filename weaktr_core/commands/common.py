"""What several commands share: opening data and runs, settings, words for the user."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from weaktr_core.config import CamConfig, SegConfig
from weaktr_core.errors import WeakTrError
from weaktr_core.schema import Scale, argument, literal


class UsageError(WeakTrError):
    """A request that cannot be met: one line."""


class Parser(argparse.ArgumentParser):
    """Complains in one line, which the caller prints, instead of showing its usage."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise UsageError(f"{message} ({self.prog} --help)")


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults that say something, and leaves the lines of examples alone."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False, []):
            return action.help
        return super()._get_help_string(action)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("examples:"):
            return text
        return super()._fill_text(text, width, indent)


def add_command(
    commands, name: str, function, summary: str, details: str, examples: Sequence[str] = ()
):
    """A subcommand whose help shows its defaults and how it is used."""
    shown = [f"  weaktr {name} {example}" for example in examples]
    command = commands.add_parser(
        name,
        help=summary,
        description=f"{summary} {details}",
        epilog="\n".join(["examples:", *shown]) if shown else None,
        formatter_class=Help,
    )
    command.add_argument(
        "--debug", action="store_true", help="trace errors instead of saying them in a line"
    )
    command.set_defaults(run_command=function)
    return command


def open_data(where: str, split: str, scene_size: int | None = None):
    """A dataset; built-in scenes at the size that the settings ask for."""
    from weaktr_core.data import open_dataset

    size = {"size": scene_size} if scene_size and is_scenes(where) else {}
    return open_dataset(where, split, **size)


def is_scenes(where: str) -> bool:
    """Whether the built-in scenes are meant."""
    return where.partition(":")[0] == "scenes"


def parse_setting(text: str) -> tuple[str, Any]:
    """``name=value`` with Python literals; anything else is a string."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set wants NAME=VALUE, got {text!r}")
    return name, literal(value)


def load_run(folder: str | None) -> tuple[Any, CamConfig | SegConfig]:
    """Network and settings of a run of either step; None: the shipped CAM network."""
    if folder is None:
        from weaktr_core.networks.cam import WeakTr

        shipped = WeakTr.pretrained("voc")
        return shipped, CamConfig.from_dict(shipped.notes["config"])
    from weaktr_core.train.runs import Run

    run = Run(folder)
    config = run.settings
    return run.load(), config


def open_run(arguments: argparse.Namespace) -> tuple[Any, Any, Any]:
    """Network, settings and dataset of a run of either step."""
    from weaktr_core.networks.checkpoints import CheckpointError
    from weaktr_core.train.runs import Run

    model, config = load_run(arguments.run)
    stored = Run(arguments.run).config
    arguments.data = arguments.data or stored["data"]
    data = open_data(arguments.data, arguments.split, config.img_size)
    if arguments.split in (stored.get("split"), stored.get("val")):
        data = retag(data, reviewed_table(arguments.run) or stored.get("tags"))
    if list(data.classes) != model.notes["classes"]:
        raise CheckpointError(
            f"{arguments.run}: trained on {len(model.notes['classes'])} classes "
            f"({model.notes['classes'][0]}, …), the data has {len(data.classes)} "
            f"({data.classes[0]}, …)"
        )
    return model, config, data


def reviewed_table(run: str | Path) -> Path | None:
    """The table that ``review`` wrote for a run, if it did."""
    from weaktr_core.data.retagged import TABLE

    path = Path(run) / TABLE
    return path if path.exists() else None


def retag(data, table: str | Path | None):
    """A dataset with the tags of a table, and a line that says so; as it is without."""
    from weaktr_core.data.retagged import Retagged

    if table is None:
        return data
    corrected = Retagged(data, table)
    left = len(data) - len(corrected)
    log(f"tags: {table}" + f"; {left} left out" * (left > 0))
    return corrected


def views_of(arguments: argparse.Namespace, config: CamConfig | SegConfig):
    """Scales asked for, or those of the run; each also mirrored."""
    from weaktr_core.labels.views import make_views

    scales = config.eval_ratios if isinstance(config, SegConfig) else config.scales
    return make_views(arguments.scales or scales)


CRF_NAMES = ("voc-cam", "coco-cam", "voc-seg", "coco-seg")  # of weaktr_core.labels.crf


def crf_settings(name: str, automatic: str = ""):
    """Published settings by name; complains at once where the library is missing.

    ``auto`` takes the settings ``automatic``, or goes without and says so.
    """
    from weaktr_core.labels.crf import CRF_PRESETS, crf_available, require_crf

    if name == "auto" and not crf_available():
        log("masks keep the network's own edges: for a CRF, pip install pydensecrf2")
        return None
    if name == "none":
        return None
    require_crf()
    return CRF_PRESETS[automatic if name == "auto" else name]


DATA_HELP = (
    "folder with a table tags.csv (photo,tags,split), or laid out like VOC 2012 or COCO; "
    "'scenes' for generated ones"
)
SPLIT_HELP = "which images: train or val; scenes have test too, VOC train_aug, trainval"
SCALES_HELP = (
    "sizes at which each photo is looked at, as factors, for instance 1 1.5; each also "
    "mirrored; default: the run's setting"
)


def add_run_arguments(command, split: str, written_by: str) -> None:
    """What every command that uses a trained run shares."""
    command.add_argument("run", help=f"folder written by {written_by}")
    command.add_argument("--data", help=DATA_HELP + "; default: what the run trained on")
    command.add_argument("--split", default=split, help=SPLIT_HELP)
    command.add_argument("--scales", nargs="+", type=argument(Scale), help=SCALES_HELP)


def output_page(name: str) -> Path:
    """The file to write, or a complaint before the network runs."""
    out = Path(name)
    if out.is_dir():
        raise UsageError(f"{out} is a folder; name a file, such as {out / 'explore.html'}")
    if out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{out}: the page is HTML; name a file that ends in .html")
    return out


def spare_masks(folder: Path, data: str | Path, *ours: str) -> Path:
    """A folder that masks go to, unless it is where the data has its own.

    Args:
        folder: of the masks.
        data: folder of photos.
        ours: what an earlier call leaves beside its masks: those may be written over.

    Raises:
        UsageError: before any of them is written over.
    """
    from weaktr_core.data.voc import find_voc

    root = Path(data).expanduser()
    own = {root / "masks", (find_voc(root) or root) / "SegmentationClass"}
    before = any((folder.parent / name).exists() for name in ours)
    if not before and folder.is_dir() and folder.resolve() in {it.resolve() for it in own}:
        raise UsageError(f"{folder}: expected a folder of its own, came the data's masks")
    return folder


def in_utf8(name: str) -> str:
    """A file's name with a question mark for each byte that is no UTF-8."""
    return name.encode("utf8", "replace").decode()


def log(message: str) -> None:
    """Progress for the user, on stderr so that stdout holds results only."""
    logging.getLogger("weaktr").info(message)
