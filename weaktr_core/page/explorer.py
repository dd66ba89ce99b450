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


def network_data(network: PackedNetwork, place: str = "_static/network/") -> dict[str, Any]:
    """What the page's scripts need to fetch a network, to run it, and to name its classes.

    Args:
        network: from `packing.write_network`.
        place: address of the network's files, relative to the page.
    """
    program = dict(
        wasm=base64.b64encode(KERNEL.read_bytes()).decode(),
        worker=bundle(FOLDER / "worker.js"),
    )
    return dict(
        network=network.as_dict() | dict(place=place),
        program=program,
        key=label_key(network.about["classes"]),
    )


def your_photo(
    network: PackedNetwork, samples: Sequence[dict[str, Any]], *, tab: str = "classes"
) -> Page:
    """The explorer that looks at a reader's own photos, in the reader's browser.

    Args:
        network: from `packing.write_network`.
        samples: photos that were looked at before, from `sample.sample`; at least one.
        tab: shown first: "heads", "classes", "trial", "patches" or "keep".
    """
    data = dict(samples=list(samples), **network_data(network))
    sentence = (
        f"Attention heads, class maps and masks of {samples[0]['name']}, and of your own "
        "photos."
    )
    state = dict(data=data, tab=tab)
    return Page("your_photo", state, sentence, samples[0]["jpeg"], folder=FOLDER)


def your_scene(
    network: PackedNetwork, scene: dict[str, Any], *, alone: bool = True
) -> Page:
    """The explorer in which a reader moves things about and the network answers.

    Args:
        network: of the scenes, from `packing.write_network`.
        scene: ``sprites``, ``grounds``, ``threshold`` and ``start`` as scene.js has them.
        alone: on its page; another of these explorers would bring the program that runs
            networks.
    """
    sentence = "Things on a ground, the network's mask of them, and the true one."
    data = scene | network_data(network)
    if not alone:
        del data["program"]
    state = dict(data=data)
    poster = scene["grounds"][scene["start"]["scene"]["ground"]]["src"]
    return Page("scene", state, sentence, poster, folder=FOLDER)
