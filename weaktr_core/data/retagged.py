"""Tags that a person corrected, over any dataset: a table, and what was decided."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from weaktr_core.data.files import file_error, shorten
from weaktr_core.data.sample import Sample, TaggedDataset, without_masks
from weaktr_core.data.tables import json_lines, read_table
from weaktr_core.runtime import write_atomically
from weaktr_core.schema import SettingError, Share, check

DECISIONS, TABLE = "review.jsonl", "tags.csv"
"""Files of a reviewed run: one line per decision, and the table that comes of them."""


@dataclass(frozen=True)
class Decision:
    """What a person said of one photo.

    Attributes:
        photo: name of the sample.
        tags: that are right; None: those it had.
        excluded: leave the photo out.
        threshold: background score for this photo; None: that of all.
        point: (row, column), from 0 to 1 of the height and width; only the piece of its
            class around it is kept. None: all.
    """

    photo: str
    tags: tuple[str, ...] | None = None
    excluded: bool = False
    threshold: float | None = None
    point: tuple[float, float] | None = None
    reviewed: bool = False


def check_decision(values: Mapping[str, Any], classes: Sequence[str]) -> Decision:
    """A decision from outside, each value of its type and within its bounds.

    Raises:
        SettingError: something else, or a tag that is no class.
    """
    known = {name: values.get(name) for name in Decision.__annotations__}
    tags = known["tags"]
    photo = check(known["photo"], str, "photo")
    if tags is not None:
        if not isinstance(tags, list) or not all(isinstance(it, str) for it in tags):
            raise SettingError(f"tags: expected a list of names, came {tags!r}")
        tags = tuple(tags)
        if strange := set(tags) - set(classes):
            raise SettingError(f"tags: no class {', '.join(sorted(strange))}")
    point = known["point"]
    if point is not None:
        point = tuple(check(point, tuple[Share, Share], "point"))
    threshold = known["threshold"]
    if threshold is not None:
        threshold = check(threshold, Share, "threshold")
    excluded, reviewed = bool(known["excluded"]), bool(known["reviewed"])
    return Decision(photo, tags, excluded, threshold, point, reviewed)


def append_decision(path: Path, decision: Decision) -> None:
    """Add a line, on the disk before this returns: whatever closes, it is kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf8") as file:
        file.write(json.dumps(vars(decision)) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_decisions(path: Path, classes: Sequence[str]) -> dict[str, Decision]:
    """The last decision on each photo; none where there is no such file.

    Raises:
        DataError: a line that is no decision.
    """
    if not path.exists():
        return {}
    found = {}
    for entry in json_lines(path):
        try:
            decision = check_decision(entry, classes)
        except SettingError as error:
            raise file_error(path, "a decision in each line", error) from None
        found[decision.photo] = decision
    return found


def write_table(
    path: Path,
    rows: Iterable[tuple[str, Sequence[str], str]],
    decisions: Mapping[str, Decision],
) -> None:
    """Write ``tags.csv`` anew: photo,tags,split, corrected, excluded photos left out.

    Args:
        path: the table.
        rows: name, tags and split of every photo as it was.
        decisions: by name.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["photo", "tags", "split"])
    for name, tags, split in rows:
        said = decisions.get(name, Decision(name))
        if not said.excluded:
            table.writerow(
                [name, "|".join(tags if said.tags is None else said.tags), split]
            )
    write_atomically(path, lambda part: part.write_text(text.getvalue(), encoding="utf8"))


class Retagged:
    """A dataset with the tags of a table; photos that the table lacks are left out.

    Args:
        dataset: images, perhaps masks.
        table: photo,tags,split as `write_table` writes it, photos by their names.

    Raises:
        DataError: the table is broken, names a strange class, or has none of the photos.
    """

    def __init__(self, dataset: TaggedDataset, table: str | Path):
        path = Path(table)
        rows = {row.photo: row.tags for row in read_table(path, path.parent)}
        strange = set().union(*rows.values()) - set(dataset.classes)
        if strange:
            raise file_error(
                path, f"tags of {shorten(dataset.classes)}", shorten(sorted(strange))
            )
        self.dataset, self.masks = dataset, True
        self.kept = [(i, rows[n]) for i, n in enumerate(names_of(dataset)) if n in rows]
        if not self.kept:
            raise file_error(path, "photos of this dataset, by name", shorten(sorted(rows)))

    @property
    def classes(self) -> tuple[str, ...]:
        """The K class names."""
        return self.dataset.classes

    def __len__(self) -> int:
        return len(self.kept)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        number, tags = self.kept[index]
        sample = (self.dataset if self.masks else without_masks(self.dataset))[number]
        said = np.array([name in tags for name in self.classes], np.float32)
        return replace(sample, tags=said)


def names_of(dataset: TaggedDataset) -> list[str]:
    """The name of each photo, without opening any where the dataset knows them."""
    for attribute in ("rows", "names", "_photos"):
        known = getattr(dataset, attribute, None)
        if known is not None and len(known) == len(dataset):
            return [it if isinstance(it, str) else it[1] for it in known]
    return [sample.name for sample in dataset]
