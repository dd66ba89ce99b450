"""One ES module, two hosts: a live widget in Jupyter, a self-contained page elsewhere.

A rendered page has no kernel, so all interaction lives in the module, and Python only
chooses who runs it. Data are JSON; nothing is loaded from anywhere.
"""

from __future__ import annotations

import hashlib
import html
import importlib.util
import itertools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from weaktr_core.widgets.bundle import bundle

FOLDER = Path(__file__).parent
HOSTS = ("live", "html")
GROUND = (
    ":root { color-scheme: light dark } body { margin: 16px } "
    "h1 { font: 600 20px system-ui, sans-serif }"
)
_serial = itertools.count(1)


def choose_host(wanted: str | None = None) -> str:
    """Who runs an explorer: "live" (anywidget) or "html".

    In this order: the argument, the environment variable ``WEAKTR_WIDGETS``, html on
    Colab or without anywidget, live.
    """
    host = wanted or os.environ.get("WEAKTR_WIDGETS") or None
    if host is not None and host not in HOSTS:
        raise ValueError(f"host is {' or '.join(HOSTS)}, got {host!r}")
    if host is not None:
        return host
    missing = importlib.util.find_spec("anywidget") is None
    return "html" if missing or "google.colab" in sys.modules else "live"


def module_source(name: str, folder: Path = FOLDER) -> str:
    """The ES module of an explorer with all that it imports, see `bundle.bundle`."""
    return bundle(folder / f"{name}.js")


def explorer(
    name: str,
    data: dict[str, Any],
    state: dict[str, Any],
    *,
    sentence: str,
    poster: str,
    host: str | None = None,
) -> Any:
    """Show an explorer: an AnyWidget when live, else a `Page`.

    Args:
        name: of the ES module beside this file.
        data: JSON values that do not change.
        state: what the reader changes, numbers, strings or lists; live, Python sees and
            sets it as traits.
        sentence: what the picture shows, for readers without scripts.
        poster: data URI of a picture, for the same.
        host: see `choose_host`.
    """
    if choose_host(host) == "live":
        return live_class(name, state)(data=data, **state)
    return Page(name, {"data": data, **state}, sentence, poster)


def live_class(name: str, state: dict[str, Any]) -> Callable[..., Any]:
    """An AnyWidget class with ``data`` and one trait per name, of its value's type."""
    import anywidget
    import traitlets

    # bool comes before int, which it is a kind of
    kinds = {
        bool: traitlets.Bool,
        int: traitlets.Int,
        float: traitlets.Float,
        str: traitlets.Unicode,
        list: traitlets.List,
    }
    members: dict[str, Any] = {
        n: next(trait for kind, trait in kinds.items() if isinstance(value, kind))().tag(
            sync=True
        )
        for n, value in state.items()
    }
    members["data"] = traitlets.Dict().tag(sync=True)
    members["_esm"] = module_source(name)
    return type(name.title().replace("_", "") + "Explorer", (anywidget.AnyWidget,), members)


class Page:
    """An explorer as HTML that needs no kernel, no server and no network.

    Attributes:
        save: JavaScript of what ``model.save_changes`` does; ``state`` holds the traits.
    """

    save = "() => {}"

    def __init__(
        self,
        name: str,
        state: dict[str, Any],
        sentence: str,
        poster: str,
        folder: Path = FOLDER,
    ):
        self.name, self.state, self.folder = name, state, folder
        self.sentence, self.poster = sentence, poster
        digest = hashlib.sha256(json.dumps(state).encode()).hexdigest()[:8]
        self.id = f"wt-{name}-{digest}-{next(_serial)}"

    def observe(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing: without a kernel nobody would hear of a change."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"  # the same in every run of a notebook

    def _repr_html_(self) -> str:
        # inside a script element only "<" could end it early
        state = json.dumps(self.state).replace("<", "\\u003c")
        sentence = html.escape(self.sentence)
        return (
            f'<div id="{self.id}" class="wt-root">'
            f'<img src="{self.poster}" alt="{sentence}" style="max-width:100%">'
            f"<p>{sentence} With scripts on, this picture can be explored.</p></div>"
            f'<script type="application/json" id="{self.id}-data">{state}</script>'
            f'<script type="module">{self.script()}</script>'
        )

    def script(self) -> str:
        """The module with a model that keeps its state in the page."""
        source = module_source(self.name, self.folder).replace(
            "export default", "const explorer ="
        )
        # a block of its own: several explorers on a page must not share names
        return (
            "{\n" + source + f'\nconst root = document.getElementById("{self.id}");\n'
            f'const text = document.getElementById("{self.id}-data").textContent;\n'
            "const state = JSON.parse(text);\n"
            "const model = { get: (n) => state[n], set: (n, v) => { state[n] = v; },\n"
            f"  on() {{}}, off() {{}}, save_changes: {self.save} }};\n"
            # in an old browser the poster stays, and a sentence says why
            "Promise.resolve().then(() => explorer.render({ model, el: root }))\n"
            "  .catch((error) => {\n"
            "    const note = document.createElement('p');\n"
            "    note.textContent = 'This explorer could not start: ' + error.message;\n"
            "    root.append(note);\n"
            "    console.error(error);\n  });\n}"
        )

    def document(self, title: str) -> str:
        """A whole HTML file."""
        return (
            '<!doctype html>\n<html lang="en" data-wt-scheme="auto"><head>'
            '<meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(title)}</title><style>{GROUND}</style></head>"
            "<body><main>"
            f"<h1>{html.escape(title)}</h1>"
            f"{self._repr_html_()}</main></body></html>\n"
        )
