"""Networks for other programs: ONNX, or PyTorch's own exported program.

Height and width of the input are free, in whole patches, unless a size is asked for.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn

from weaktr_core.errors import WeakTrError
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.network import Network
from weaktr_core.networks.pretrained import full_name
from weaktr_core.runtime import write_atomically, write_text

TOLERANCE = 1e-3
"""Largest difference of an output, a probability or a share of attention, allowed."""

PATCHES = (4, 64)
"""Fewest and most patches along a side of an input whose size is free."""


class ExportError(WeakTrError):
    """A network that cannot be exported, or came out as another: one line."""


class Exportable(nn.Module):
    """A network that normalises its input itself and says probabilities.

    Input: (1, 3, height, width), RGB from 0 to 1. Outputs of a CAM network: ``tags``
    (1, K), the probability of each, and ``maps`` (1, K, h, w), fine CAMs not yet
    normalised. Of a segmentation network: ``classes`` (1, K + 1, height, width).
    """

    def __init__(self, network: Network):
        super().__init__()
        if network.statistics is None:
            raise ExportError("nobody knows how this network's input is normalised")
        self.network = network.cpu().eval()
        self.mean: Tensor
        self.deviation: Tensor
        for name, values in zip(("mean", "deviation"), network.statistics, strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1))

    @property
    def outputs(self) -> list[str]:
        """Names of what `forward` returns."""
        return ["tags", "maps"] if isinstance(self.network, WeakTr) else ["classes"]

    def forward(self, image: Float[Tensor, "1 3 height width"]) -> tuple[Tensor, ...]:
        """RGB from 0 to 1 → the outputs, in order."""
        found: Any = self.network((image - self.mean) / self.deviation)
        if isinstance(self.network, WeakTr):
            return found.coarse_logits.sigmoid(), found.fine_cam
        return (found.softmax(dim=1),)


def export_network(
    network: Network, path: Path, size: tuple[int, int] | None = None
) -> tuple[dict[str, Any], float | None]:
    """Write a network as ``.onnx`` or ``.pt2`` and compare it with itself.

    A file that takes any size is compared at two.

    Args:
        network: of either step.
        path: its ending decides the format.
        size: (height, width) of the input, pixels; None: any in whole patches.

    Returns:
        What a reader of the file needs to know, and the largest difference of an
        output; None where no onnxruntime is there to compare with.

    Raises:
        ExportError: a package is missing, the network cannot be traced, or the outputs
            differ by more than 1e-3.
    """
    model, patch = Exportable(network), patch_of(network)
    (down, right), (less, more) = patch, PATCHES
    first = size or (16 * down, 20 * right)
    shapes = None
    if size is None:
        h, w = (torch.export.Dim(name, min=less, max=more) for name in ("h", "w"))
        shapes = ({2: down * h, 3: right * w},)
    with torch.no_grad(), quietly():
        image = torch.rand(1, 3, *first, generator=torch.Generator().manual_seed(0))
        try:
            program = torch.export.export(model, (image,), dynamic_shapes=shapes)
            run = write(program, model.outputs, path)
        except (RuntimeError, ValueError, TypeError) as error:
            hint = "; one fixed size may do: --size HEIGHT WIDTH" if size is None else ""
            kind = type(error).__name__
            raise ExportError(f"{path}: could not be traced ({kind}){hint}") from error
        second = image if size else torch.rand(1, 3, 24 * down, 18 * right)
        worst = (
            None if run is None else max(differ(model, run, it) for it in (image, second))
        )
    if worst is not None and not worst <= TOLERANCE:
        raise ExportError(f"{path}: outputs differ by {worst:.1e} from the network's")
    return describe(model, size), worst


def patch_of(network: Network) -> tuple[int, int]:
    """(height, width) of a patch, pixels."""
    vit: Any = network.backbone.vit if isinstance(network, WeakTr) else network.vit
    return tuple(vit.patch_embed.patch_size)


def differ(model: Exportable, run: Callable[[Tensor], Any], image: Tensor) -> float:
    """The largest difference of an output between a network and its file."""
    pairs = zip(run(image), model(image), strict=True)
    return max(float(np.abs(np.asarray(one) - it.numpy()).max()) for one, it in pairs)


def write(
    program: Any, outputs: list[str], path: Path
) -> Callable[[Tensor], Sequence[Any]] | None:
    """Write a file; what runs it, None where no onnxruntime is installed."""
    if path.suffix == ".pt2":
        write_atomically(path, lambda part: torch.export.save(program, part))
        return torch.export.load(path).module()
    if find_spec("onnxscript") is None:
        raise ExportError(
            "ONNX needs more: pip install onnxscript onnxruntime, or name a .pt2 file"
        )
    more: dict[str, Any] = dict(input_names=["image"], output_names=outputs)
    made = torch.onnx.export(program, (), dynamo=True, verbose=False, **more)
    write_atomically(path, lambda part: made.save(str(part)))  # type: ignore[union-attr]
    if find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"image": image.numpy()})


def describe(model: Exportable, size: tuple[int, int] | None) -> dict[str, Any]:
    """Input, outputs and classes, as JSON values."""
    down, right = patch_of(model.network)
    least, most = PATCHES
    free = f"height in multiples of {down}, width of {right}; {least} to {most} of them"
    shapes = {
        "tags": "(1, K) probability of each class",
        "maps": "(1, K, h, w) fine CAMs, one value a patch",
        "classes": "(1, K + 1, height, width) probabilities, background first",
    }
    return dict(
        input=dict(
            name="image",
            shape=[1, 3, *(size or ("height", "width"))],
            size="fixed" if size else free,
            values="RGB from 0 to 1",
        ),
        outputs={name: shapes[name] for name in model.outputs},
        classes=model.network.notes.get("classes"),
        backbone=(model.network.source or {}).get("name"),
    )


def write_card(path: Path, about: dict[str, Any], run: dict[str, Any], line: dict) -> None:
    """What a stranger must know of an exported network, in Markdown.

    Args:
        path: the file.
        about: as `describe` says.
        run: settings and data, as stored by the run.
        line: scores of its last epoch.
    """
    known = (
        timm.get_pretrained_cfg(full_name(run["backbone"])) if run["pretrained"] else None
    )
    licence = (known and known.license) or "unknown"
    of_masks = run.get("step") == 2
    told = f"the masks in `{run.get('labels')}`" if of_masks else "the image tags"
    scores = [
        f"- {name.replace('_', ' ')}, {word}: {100 * value:.1f} %"
        for group, word in (("mean_ap", "mean average precision"), ("miou", "mIoU"))
        for name, value in line.get(group, {}).items()
        if value is not None
    ]
    outputs = [f"- `{name}`: {text}" for name, text in about["outputs"].items()]
    counts = run.get("tag_counts", {})
    counted = f", each with its number among {run.get('photos')} photos" * bool(counts)
    classes = [f"{name} {counts.get(name, '')}".strip() for name in about["classes"]]
    lines = [
        f"# {path.stem}",
        f"Learned from {told} of the photos in `{run['data']}`, split {run['split']}"
        f"{'' if of_masks else '; no mask was read'}.",
        f"Classes{counted}: {', '.join(classes)}.",
        "## In and out",
        f"`image`: {about['input']['shape']}, {about['input']['values']}; "
        f"size: {about['input']['size']}.",
        "\n".join(outputs),
        "## Scores",
        f"On split {run['val']}, which did not train; of maps, at their best threshold:",
        "\n".join(scores) or "- none: the photos that measure have no masks",
        "## Licence and limits",
        f"Licence of the backbone, {run['backbone']}: {licence}. Masks and weights may "
        "also depend on the licence of the photos: say here which it is, who tagged them, "
        "and what a tag was taken to mean.",
    ]
    text = "\n\n".join(lines) + "\n"
    write_text(path, text)


@contextmanager
def quietly() -> Iterator[None]:
    """Keep the exporters' remarks on their own insides from the user."""
    names = ("torch.onnx", "onnxscript", "onnx_ir")
    exporters = [logging.getLogger(name) for name in names]
    levels = [it.level for it in exporters]
    for it in exporters:
        it.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for it, level in zip(exporters, levels, strict=True):
            it.setLevel(level)
