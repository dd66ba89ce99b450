"""Networks on disk: safetensors with all that rebuilds them inside."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from weaktr_core.errors import WeakTrError
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.dinov2_s import WeightsUnavailableError
from weaktr_core.networks.network import Network
from weaktr_core.networks.pretrained import load_vit
from weaktr_core.networks.segmenter import Segmenter
from weaktr_core.options import OPTIONS, About
from weaktr_core.runtime import write_atomically
from weaktr_core.schema import SettingError, check

KINDS: dict[str, type[Network]] = {"cam": WeakTr, "segmenter": Segmenter}
"""What a checkpoint file can hold → the class that it rebuilds."""


class CheckpointError(WeakTrError):
    """A checkpoint that is missing, broken or of another kind: one line."""


ENDINGS = {"cam": "cam", "segmenter": "seg"}
"""Kind of network → how the names of shipped files end."""

SHIPPED = Path(__file__).parents[1] / "weights"
"""Where the package keeps the networks that come with it."""


def save_checkpoint(
    path: str | Path, model: Network, *, trained_only: bool = False, **notes: Any
) -> None:
    """Write a model built by ``from_timm``, with all that rebuilds it.

    Args:
        path: a ``.safetensors`` file, replaced atomically.
        model: its weights are stored as they are.
        trained_only: leave out what is not trained, and halve the precision of the rest:
            whoever loads it fetches the pretrained backbone for what is missing.
        notes: JSON values to keep beside, for instance classes or epoch.
    """
    if model.source is None:
        raise CheckpointError("only models made by from_timm know how to be rebuilt")
    about = dict(
        kind=next(name for name, kind in KINDS.items() if isinstance(model, kind)),
        source=model.source,
        num_classes=model.num_classes,
        # JSON has no infinity; null, as older checkpoints say it
        options={k: None if v == math.inf else v for k, v in model.options.items()},
        statistics=model.statistics,
        notes={**model.notes, **notes},
        trained_only=trained_only,
    )
    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    if trained_only:
        state = {k: state[k].half() for k in trained_names(model)}
    metadata = {"weaktr": json.dumps(about)}
    write_atomically(Path(path), lambda part: save_file(state, part, metadata=metadata))


def trained_names(model: Network) -> list[str]:
    """Names of the parameters that are not frozen."""
    return [name for name, it in model.named_parameters() if it.requires_grad]


def load_shipped(kind: type[Network], name: str) -> Network:
    """A network that comes with the package, see ``weights/README.md``.

    Raises:
        CheckpointError: for a name that there is not.
        WeightsUnavailableError: its pretrained backbone cannot be had.
    """
    word = next(word for word, known in KINDS.items() if known is kind)
    ending = f"-{ENDINGS[word]}.safetensors"
    path = SHIPPED / (name + ending)
    if not path.is_file():
        there = sorted(it.name.removesuffix(ending) for it in SHIPPED.glob(f"*{ending}"))
        came = f"no {word} network {name!r} is shipped; there are: "
        raise CheckpointError(came + (", ".join(there) or "none"))
    return rebuild(path, word)


def load_checkpoint(path: str | Path) -> WeakTr:
    """Rebuild a CAM network from `save_checkpoint`'s file; its notes come back too.

    Raises:
        CheckpointError: where the file is missing, broken, not ours or of another kind.
    """
    model = rebuild(Path(path), "cam")
    assert isinstance(model, WeakTr)
    return model


def load_segmenter(path: str | Path) -> Segmenter:
    """Rebuild a segmentation network; otherwise like `load_checkpoint`."""
    model = rebuild(Path(path), "segmenter")
    assert isinstance(model, Segmenter)
    return model


def rebuild(path: Path, kind: str) -> Network:
    """The network in a checkpoint file, in eval mode."""
    about, state = read_safetensors(path)
    about = checked_about(path, about)
    if (stored := about.get("kind", "cam")) != kind:
        raise CheckpointError(f"{path}: expected a {kind} network, came a {stored}")
    source, options = about["source"], about["options"]
    size, more = source["img_size"], source["vit_options"]
    partly = about.get("trained_only", False)
    if kind == "cam" and options.get("cap") is None:
        options["cap"] = math.inf
    try:
        vit = load_vit(source["name"], size, pretrained=partly, **more)
        model: Network = KINDS[kind](vit, about["num_classes"], **options)
    except WeightsUnavailableError:
        raise
    except Exception as error:  # sizes of a stranger's file that do not go together
        raise CheckpointError(f"{path}: no such network: {error}") from None
    model.source, model.notes = source, about["notes"]
    if known := about.get("statistics"):  # older files leave it to timm
        model.statistics = (tuple(known[0]), tuple(known[1]))
    try:
        if partly:  # what was frozen is the backbone's own
            whole = model.state_dict()
            frozen = whole.keys() - set(trained_names(model))
            state = {name: whole[name] for name in frozen} | state
        model.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: {str(error).splitlines()[-1].strip()}") from None
    return model.eval()


def checked_about(path: Path, about: Any) -> dict[str, Any]:
    """What a file says of its network, if nothing in it is more than sizes and names.

    Raises:
        CheckpointError: an option that is not in `weaktr_core.options`, or of another
            type; timm would unpickle files and fetch code for some.
    """
    try:
        found = check(about, About, "description")
        kind = found.get("kind", "cam")
        found["options"] = check(found["options"], OPTIONS[kind], "options")
    except SettingError as error:
        raise CheckpointError(f"{path}: {error}") from None
    names = found["notes"].get("classes")
    if names is not None and len(names) != found["num_classes"]:
        came = f"{len(names)} names"
        raise CheckpointError(
            f"{path}: expected {found['num_classes']} classes, came {came}"
        )
    return found


def read_safetensors(path: Path) -> tuple[Any, dict[str, Tensor]]:
    """Our description and the tensors of a checkpoint file."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"{path}: expected safetensors, got {error}") from None
    if "weaktr" not in metadata:
        raise CheckpointError(f"{path}: safetensors, but not written by weaktr_core")
    try:
        return json.loads(metadata["weaktr"]), state
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: expected a description, came {error}") from None
