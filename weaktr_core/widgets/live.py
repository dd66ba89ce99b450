"""Controls around an explorer: another photo, another network, live."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from weaktr_core.errors import WeakTrError

Explore = Callable[[str, np.ndarray, str], Any]
"""Name and pixels of a photo, name of a network → a live `heads.explore_heads`."""


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


def uploaded_file(value: Any) -> tuple[str, bytes] | None:
    """Name and content of the file that a FileUpload holds, None of an empty one.

    Its value is a tuple of files in ipywidgets 8, a dictionary by name in 7.
    """
    if not value:
        return None
    files = list(value.values()) if isinstance(value, Mapping) else value
    name = files[0].get("name") or files[0]["metadata"]["name"]
    return name, bytes(files[0]["content"])


class LiveExplorer:
    """ipywidgets that drive a head explorer; shows itself as the last value of a cell.

    What goes wrong is said in ``message``; what was shown stays.

    Args:
        explore: makes the explorer of a photo and a network.
        photos: name → a function that returns its pixels; the first is shown at once.
        network: name of the network to begin with.

    Attributes:
        explorer: the head explorer shown now, with its traits.
        photo, upload, network, layer, message: the controls, ipywidgets.
        photos: name → a function that returns its pixels.
        box: the controls and the explorer.
    """

    def __init__(
        self,
        explore: Explore,
        photos: Mapping[str, Callable[[], np.ndarray]],
        network: str,
    ):
        self.explore, self.photos = explore, dict(photos)
        self.explorer: Any = None
        self._unlink: Callable[[], None] = lambda: None
        self._make_controls(network)
        self._show(self.photo.value, network)
        self.photo.observe(self._chosen, "value")
        self.network.observe(self._chosen, "value")
        self.upload.observe(self._uploaded, "value")

    def _make_controls(self, network: str) -> None:
        import ipywidgets

        self.photo = ipywidgets.Dropdown(options=list(self.photos), description="Photo")
        self.upload = ipywidgets.FileUpload(accept="image/*", description="Your photo")
        self.network = ipywidgets.Combobox(
            value=network,
            options=[network],
            description="Network",
            placeholder="name, or folder of a run",
            continuous_update=False,
        )
        self.layer = ipywidgets.IntSlider(min=1, max=1, description="Layer")
        self.message = ipywidgets.Label()
        row = [self.photo, self.upload, self.network, self.layer]
        self.controls = ipywidgets.HBox(row, layout={"flex_flow": "row wrap"})
        self.box = ipywidgets.VBox([self.controls, self.message])

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.box)

    def _chosen(self, _change: Any) -> None:
        wanted = (self.photo.value, self.network.value.strip())
        if wanted == self._shown:
            return
        self.message.value = f"Looking at {wanted[0]} with {wanted[1]} …"
        try:
            self._show(*wanted)
        except (WeakTrError, ValueError) as error:
            # back to what is shown; that asks for nothing new
            self.photo.value, self.network.value = self._shown
            self.message.value = one_line(f"Not shown: {error}")

    def _uploaded(self, change: Any) -> None:
        if (file := uploaded_file(change["new"])) is None:
            return
        try:
            pixels = decode_photo(file[1])
        except ValueError as error:
            self.message.value = one_line(f"{file[0]} is no photo: {error}")
            return
        name, again = file[0], 2
        while name in self.photos:
            name, again = f"{file[0]} ({again})", again + 1
        self.photos[name] = lambda: pixels
        # new options would choose the first of them, and run the network on it
        self.photo.unobserve(self._chosen, "value")
        self.photo.options = list(self.photos)
        self.photo.value = name
        self.photo.observe(self._chosen, "value")
        self._chosen(None)

    def _show(self, name: str, network: str) -> None:
        """Make the explorer, put it in the old one's place, tie the slider to it."""
        made = self.explore(name, self.photos[name](), network)
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
