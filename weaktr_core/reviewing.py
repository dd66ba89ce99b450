"""A person looks at what a network doubts: photos out, decisions in, a table of tags.

In a notebook the page is a widget, elsewhere a small server on this machine shows it; both
store each decision before they hear of the next.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from heapq import nlargest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from weaktr_core.config import CamConfig
from weaktr_core.data.files import shorten
from weaktr_core.data.opening import open_dataset
from weaktr_core.data.retagged import (
    DECISIONS,
    TABLE,
    Decision,
    Retagged,
    append_decision,
    check_decision,
    read_decisions,
    write_table,
)
from weaktr_core.data.sample import TaggedDataset, without_masks
from weaktr_core.errors import WeakTrError
from weaktr_core.labels.recipe import label_free_threshold
from weaktr_core.schema import SettingError
from weaktr_core.scores.judging import Judged, judge
from weaktr_core.train.runs import Run
from weaktr_core.widgets.review import explore_review

LONGEST = 1 << 20
"""Bytes that decisions may have."""


@dataclass(frozen=True)
class Review:
    """Photos to look at, and where decisions go.

    Attributes:
        folder: of the run; gets ``review.jsonl``, a line per decision, and ``tags.csv``.
        classes: K names.
        photos: the most doubtful first.
        rows: name, tags and split of every photo.
        threshold: background score that labels begin with.
    """

    folder: Path
    classes: tuple[str, ...]
    photos: list[Judged]
    rows: list[tuple[str, list[str], str]]
    threshold: float

    def show(self, host: str | None = None) -> Any:
        """The page or, where the host is live, a widget that stores what is decided."""
        said = read_decisions(self.folder / DECISIONS, self.classes)
        names = [it.name for it in self.photos]
        shown = explore_review(
            [it.image for it in self.photos],
            [it.scores for it in self.photos],
            [it.classes for it in self.photos],
            [it.probability for it in self.photos],
            class_names=self.classes,
            threshold=self.threshold,
            names=names,
            decisions={name: vars(said.get(name, Decision(name))) for name in names},
            host=host,
        )
        shown.observe(lambda change: self.decide(json.loads(change["new"])), "decisions")
        return shown

    def decide(self, decisions: Any) -> None:
        """Store what is new of some decisions, then write the table anew.

        Args:
            decisions: a dictionary by name, of what `Decision` has.

        Raises:
            SettingError: one is none, or of a photo that is not here; none is stored.
        """
        known, path = {row[0] for row in self.rows}, self.folder / DECISIONS
        if not isinstance(decisions, dict):
            raise SettingError(f"expected decisions by name, came {decisions!r}")
        if not all(isinstance(it, dict) for it in decisions.values()):
            raise SettingError(f"expected what was said of each, came {decisions!r}")
        wanted = [check_decision(it, self.classes) for it in decisions.values()]
        if strange := [it.photo for it in wanted if it.photo not in known]:
            raise SettingError(f"photo: none is called {shorten(strange)}")
        before = read_decisions(path, self.classes)
        for it in wanted:
            if it != before.get(it.photo, Decision(it.photo)):
                append_decision(path, it)
        self.write()

    def write(self) -> None:
        """The table of tags, as all decisions leave it."""
        said = read_decisions(self.folder / DECISIONS, self.classes)
        write_table(self.folder / TABLE, self.rows, said)


def open_review(
    run: Run,
    train: TaggedDataset,
    val: TaggedDataset,
    limit: int = 60,
    folder: Path | None = None,
) -> Review:
    """Look at every photo with the run's network and keep the most doubtful.

    Args:
        run: of step 1.
        train: photos to review; masks are not read.
        val: photos that measure; they only go into the table.
        limit: how many to show.
        folder: where decisions go; default: the run's.

    Raises:
        WeakTrError: the run is none of step 1.
    """
    config = run.settings
    if not isinstance(config, CamConfig):
        raise WeakTrError(f"{run.folder}: review wants a run of train-cam, which has tags")
    names = tuple(train.classes)
    rows: list[tuple[str, list[str], str]] = []
    judged = judge(run.load(), config, without_masks(train), range(len(train)))

    def noted() -> Any:
        for it in tqdm(judged, desc="review", unit="photo", total=len(train)):
            rows.append((it.name, [names[int(k)] for k in it.classes], "train"))
            yield it

    photos = nlargest(limit, noted(), key=lambda it: it.doubt)
    for sample in without_masks(val):
        tags = [names[int(k)] for k in np.flatnonzero(sample.tags)]
        rows.append((sample.name, tags, "val"))
    threshold = label_free_threshold(it.scores for it in photos)
    return Review(folder or run.folder, names, photos, rows, threshold)


def review(folder: str | Path, limit: int = 60) -> Any:
    """A run's review as a widget, for notebooks: ``review("my_run")``."""
    run = Run(folder)
    return open_review(run, *splits_of(run), limit).show()


def splits_of(run: Run) -> tuple[TaggedDataset, TaggedDataset]:
    """The photos that a run trained on and those that measured it, with its tags."""
    stored = run.config
    size = {"size": stored["img_size"]} if stored["data"].startswith("scenes") else {}
    train, val = (
        open_dataset(stored["data"], stored[it], **size) for it in ("split", "val")
    )
    table = stored.get("tags")
    return (Retagged(train, table), Retagged(val, table)) if table else (train, val)


# ---- the page, served to this machine only


def make_server(shown: Review, port: int = 0) -> ThreadingHTTPServer:
    """A server on 127.0.0.1 that shows a review; ``serve_forever`` runs it.

    Whoever answers must know the page's own secret, so that no other site in the same
    browser can.

    Args:
        shown: the review.
        port: 0 takes a free one.
    """
    secret = secrets.token_urlsafe()

    class Handler(BaseHTTPRequestHandler):
        """Shows the page, takes decisions."""

        def do_GET(self) -> None:
            """The page with all that was decided so far."""
            if not self.from_here() or self.path != "/":
                self.send_error(404)
                return
            self.answer(200, document(shown, secret).encode(), "text/html; charset=utf-8")

        def do_POST(self) -> None:
            """One decision; 204 when it is on the disk."""
            length = int(self.headers.get("Content-Length") or 0)
            known = secrets.compare_digest(self.headers.get("X-WeakTr", ""), secret)
            if not (self.from_here() and known and 0 < length <= LONGEST):
                self.send_error(403)
                return
            try:
                shown.decide(json.loads(self.rfile.read(length)))
            except (ValueError, WeakTrError, OSError) as error:
                self.answer(400, str(error).encode(), "text/plain; charset=utf-8")
                return
            self.answer(204)

        def from_here(self) -> bool:
            """Whether this machine was asked for by its own name."""
            name = self.headers.get("Host", "").partition(":")[0]
            return name in ("127.0.0.1", "localhost")

        def answer(self, status: int, body: bytes = b"", kind: str = "") -> None:
            """A status and, perhaps, a body."""
            self.send_response(status)
            if kind:
                self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Nothing: the terminal is for the user."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def document(shown: Review, secret: str) -> str:
    """The page whose model sends each decision to its server."""
    page = shown.show("html")
    page.save = (
        "() => fetch('/', {method: 'POST', body: state.decisions, "
        f"headers: {{'X-WeakTr': {json.dumps(secret)}}}}}).then((r) => {{\n"
        "    if (!r.ok) throw new Error(r.status);\n  }).catch(() =>\n"
        "    document.dispatchEvent(new Event('wt-unsaved')))"
    )
    return page.document(f"Review of {shown.folder.name}")


def serve(shown: Review, port: int, ready: Callable[[str], None]) -> None:
    """Show a review until Ctrl-C.

    Args:
        shown: the review.
        port: 0 takes a free one.
        ready: told the address.
    """
    with make_server(shown, port) as server:
        ready(f"http://127.0.0.1:{server.server_address[1]}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
