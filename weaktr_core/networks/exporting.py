"""Networks for other programs: ONNX, or PyTorch's own exported program.

The size of the input is fixed: position tables and grids are computed while the network
is traced. Photos are resized to it before, outputs after.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from weaktr_core.errors import WeakTrError
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.network import Network
from weaktr_core.runtime import write_atomically

TOLERANCE = 1e-3
"""Largest difference of an output, a probability or a share of attention, allowed."""


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
    network: Network, path: Path, size: tuple[int, int]
) -> tuple[dict[str, Any], float | None]:
    """Write a network as ``.onnx`` or ``.pt2`` and compare it with itself.

    Args:
        network: of either step.
        path: its ending decides the format.
        size: (height, width) of the input, pixels.

    Returns:
        What a reader of the file needs to know, and the largest difference of an
        output; None where no onnxruntime is there to compare with.

    Raises:
        ExportError: a package is missing, or the outputs differ by more than 1e-3.
    """
    model = Exportable(network)
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), quietly():
        program = torch.export.export(model, (image,))
        came = write_onnx(program, image, model.outputs, path)
        if path.suffix == ".pt2":
            write_atomically(path, lambda part: torch.export.save(program, part))
            came = [it.numpy() for it in torch.export.load(path).module()(image)]
        expected = [it.numpy() for it in model(image)]
    worst = None
    if came is not None:
        pairs = zip(came, expected, strict=True)
        worst = max(float(np.abs(one - other).max()) for one, other in pairs)
        if not worst <= TOLERANCE:
            raise ExportError(f"{path}: outputs differ by {worst:.1e} from the network's")
    return describe(model, size), worst


def write_onnx(
    program: Any, image: Tensor, outputs: list[str], path: Path
) -> list[np.ndarray] | None:
    """Write ONNX if that is what is wanted; its outputs where onnxruntime is installed."""
    if path.suffix != ".onnx":
        return None
    if find_spec("onnxscript") is None:
        raise ExportError(
            "ONNX needs a package: pip install onnxscript, or name a .pt2 file"
        )
    names: dict[str, Any] = dict(input_names=["image"], output_names=outputs)
    made = torch.onnx.export(program, (), dynamo=True, verbose=False, **names)
    write_atomically(path, lambda part: made.save(str(part)))  # type: ignore[union-attr]
    if find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image.numpy()})


def describe(model: Exportable, size: tuple[int, int]) -> dict[str, Any]:
    """Input, outputs and classes, as JSON values."""
    shapes = {
        "tags": "(1, K) probability of each class",
        "maps": "(1, K, h, w) fine CAMs, one value a patch",
        "classes": "(1, K + 1, height, width) probabilities, background first",
    }
    return dict(
        input=dict(name="image", shape=[1, 3, *size], values="RGB from 0 to 1"),
        outputs={name: shapes[name] for name in model.outputs},
        classes=model.network.notes.get("classes"),
        backbone=(model.network.source or {}).get("name"),
    )


@contextmanager
def quietly() -> Iterator[None]:
    """Keep the exporter's remarks on its own insides from the user."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)
