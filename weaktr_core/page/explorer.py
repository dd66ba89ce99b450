"""The page "Your photo": samples that are alive at once, the network on a click."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weaktr_core.page.compiling import KERNEL
from weaktr_core.page.packing import PackedNetwork
from weaktr_core.widgets.bundle import bundle
from weaktr_core.widgets.host import Page
from weaktr_core.widgets.pack import label_key

FOLDER = Path(__file__).parent


def your_photo(
    network: PackedNetwork,
    samples: Sequence[dict[str, Any]],
    *,
    place: str = "_static/network/",
    tab: str = "classes",
) -> Page:
    """The explorer that looks at a reader's own photos, in the reader's browser.

    Args:
        network: from `packing.write_network`.
        samples: photos that were looked at before, from `sample.sample`; at least one.
        place: address of the network's files, relative to the page.
        tab: shown first: "heads", "classes", "trial", "patches" or "keep".
    """
    about = network.about
    data = dict(
        network=network.as_dict() | dict(place=place),
        wasm=base64.b64encode(KERNEL.read_bytes()).decode(),
        worker=bundle(FOLDER / "worker.js"),
        samples=list(samples),
        key=label_key(about["classes"]),
    )
    sentence = (
        f"Attention heads, class maps and masks of {samples[0]['name']}, and of your own "
        "photos."
    )
    state = dict(data=data, tab=tab)
    return Page("your_photo", state, sentence, samples[0]["jpeg"], folder=FOLDER)
