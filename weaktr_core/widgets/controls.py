"""Controls around the head explorer: another photo, another network, live."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from weaktr_core.data.photos import PHOTOS, photo
from weaktr_core.networks.checkpoints import CheckpointError
from weaktr_core.networks.pretrained import WeightsUnavailableError
from weaktr_core.train.runs import RunError
from weaktr_core.widgets.host import choose_host
from weaktr_core.widgets.photo import explore_photo, open_network

TROUBLES = (RunError, CheckpointError, WeightsUnavailableError, ValueError)


def explore_live(
    network: str = "dinov2-s",
    *,
    size: int = 168,
    host: str | None = None,
    explore: Callable[..., Any] = explore_photo,
) -> Any:
    """The head explorer with controls: choose or upload a photo, choose a network.

    Without a kernel nobody could run the network on another photo: then it is the
    explorer of the first built-in photo, see `host.choose_host`.

    Args:
        network: a backbone by name, or a folder written by train-cam.
        size: short side in pixels at which the network sees a photo.
        host: "live", "html", or None to find out.
        explore: makes the explorer, called like `photo.explore_photo`.

    Returns:
        A `LiveExplorer`, or a `host.Page`.
    """
    if choose_host(host) == "html":
        first, opened = PHOTOS[0], open_network(network)
        return explore(photo(first), opened, name=first, size=size, host="html")
    return LiveExplorer(network, size=size, explore=explore)


def decode_photo(content: bytes) -> np.ndarray:
    """The (height, width, 3) uint8 photo in an uploaded file, upright.

    Raises:
        ValueError: the bytes are no image, or are cut off.
    """
    try:
        with Image.open(io.BytesIO(content)) as picture:
            return np.array(ImageOps.exif_transpose(picture).convert("RGB"))
    except Image.UnidentifiedImageError:
        raise ValueError(f"{len(content)} bytes in no image format") from None
    except Exception as error:  # Pillow raises many kinds, format by format
        raise ValueError(f"a damaged image ({error})") from None


class LiveExplorer:
    """ipywidgets that drive a head explorer; shows itself as the last value of a cell.

    What goes wrong is said in ``message``; what was shown stays.

    Attributes:
        explorer: the head explorer shown now, with its traits.
        photo, upload, network, layer, message: the controls, ipywidgets.
        photos: name → a function that returns its pixels.
        box: the controls and the explorer.
    """

    def __init__(
        self,
        network: str = "dinov2-s",
        *,
        size: int = 168,
        explore: Callable[..., Any] = explore_photo,
    ):
        self.size, self.explore = size, explore
        self.photos: dict[str, Callable[[], np.ndarray]] = {
            name: partial(photo, name) for name in PHOTOS
        }
        self.explorer: Any = None
        self._opened: tuple[str | None, Any] = (None, None)
        self._unlink: Callable[[], None] = lambda: None
        self._make_controls(network)
        self._show(self.photo.value, network)
        self.photo.observe(self._chosen, "value")
        self.network.observe(self._chosen, "value")
        self.upload.observe(self._uploaded, "value")

    def _make_controls(self, network: str) -> None:
        import ipywidgets

        self.photo = ipywidgets.Dropdown(options=PHOTOS, description="Photo")
        self.upload = ipywidgets.FileUpload(accept="image/*", description="Your photo")
        self.network = ipywidgets.Combobox(
            value=network,
            options=["dinov2-s"],
            description="Network",
            placeholder="name, or folder of a run",
            continuous_update=False,
        )
        self.layer = ipywidgets.IntSlider(min=1, max=1, description="Layer")
        self.message = ipywidgets.Label()
        row = [self.photo, self.upload, self.network, self.layer]
        self.controls = ipywidgets.HBox(row, layout={"flex_flow": "row wrap"})
        self.box = ipywidgets.VBox([self.controls, self.message])

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.box._repr_mimebundle_(**options)

    def _chosen(self, _change: Any) -> None:
        wanted = (self.photo.value, self.network.value.strip())
        if wanted == self._shown:
            return
        self.message.value = f"Looking at {wanted[0]} with {wanted[1]} …"
        try:
            self._show(*wanted)
        except TROUBLES as error:
            # back to what is shown; that asks for nothing new
            self.photo.value, self.network.value = self._shown
            self.message.value = one_line(f"Not shown: {error}")

    def _uploaded(self, change: Any) -> None:
        if not change["new"]:
            return
        file = change["new"][0]
        try:
            pixels = decode_photo(bytes(file["content"]))
        except ValueError as error:
            self.message.value = one_line(f"{file['name']} is no photo: {error}")
            return
        name, again = file["name"], 2
        while name in self.photos:
            name, again = f"{file['name']} ({again})", again + 1
        self.photos[name] = lambda: pixels
        # new options would choose the first of them, and run the network on it
        self.photo.unobserve(self._chosen, "value")
        self.photo.options = list(self.photos)
        self.photo.value = name
        self.photo.observe(self._chosen, "value")
        self._chosen(None)

    def _show(self, name: str, network: str) -> None:
        """Make the explorer, put it in the old one's place, tie the slider to it."""
        if self._opened[0] != network:
            self._opened = (network, open_network(network))
        made = self.explore(
            self.photos[name](), self._opened[1], name=name, size=self.size, host="live"
        )
        self._unlink()
        old, self.explorer, self._shown = self.explorer, made, (name, network)
        self._tie(made, old)
        self.box.children = [self.controls, self.message, made]
        self.message.value = ""
        if old is not None:
            old.close()

    def _tie(self, made: Any, old: Any) -> None:
        """Slider and explorer move each other; what was chosen stays chosen."""
        import traitlets

        layers, heads = made.data["shape"]
        if old is not None:
            made.layer, made.head = min(old.layer, layers - 1), min(old.head, heads - 1)
        self.layer.max = layers
        self.layer.value = made.layer + 1
        link = traitlets.link(
            (made, "layer"), (self.layer, "value"), (lambda n: n + 1, lambda n: n - 1)
        )
        self._unlink = link.unlink


def one_line(text: str) -> str:
    """A message without line breaks."""
    return " ".join(text.split())
