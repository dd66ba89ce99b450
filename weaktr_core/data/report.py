"""What the doctor found in a dataset, as data and as text for a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tabulate import tabulate

from weaktr_core.data.sample import IGNORE

PROBLEMS = {
    "unreadable": "cannot be read; replace it, or take it out of the data",
    "malformed": "not in the form every dataset yields",
    "mask size": "mask not as large as its photo",
    "mask id": "mask value that is no class",
    "untagged class": "class in the mask but not in the tags",
    "duplicate": "name used more than once",
    "empty masks": "masks that measure nothing",
    "empty": "nothing to look at",
}
"""Kinds of finding that stop a run or spoil what it learns, with their headings."""

NOTES = {
    "no tag": "no tag at all",
    "unseen tag": "class in the tags but not in the mask",
    "no mask": "no mask, where other images have one",
    "twin": "looks the same as another photo",
    "leak": "looks the same as a photo of another split: scores will flatter",
}
"""Kinds of finding that can be right: an object may hide under ignored pixels."""

EXAMPLES = 2
"""How many findings of a kind are spelled out: the text stays below 60 lines."""


@dataclass(frozen=True)
class Finding:
    """Something about one image: its kind (a key above), its name, a sentence."""

    kind: str
    name: str
    detail: str


@dataclass(frozen=True)
class Report:
    """What a dataset holds and what is wrong with it.

    Attributes:
        classes: the K class names.
        total: number of images in the dataset.
        seen: number looked at.
        read: number that could be read; statistics are about these.
        images: (K,) int, images tagged with each class.
        pixels: (256,) int, pixels of each mask value over all masks.
        masks: number of images with a mask.
        heights: smallest and largest height in pixels; (0, 0) if none was read.
        widths: the same for the width.
        tags: fewest, mean and most tags of an image.
        findings: problems and notes in the order they were found.
        remarks: sentences on what the tags as a whole can teach.
        settings: settings that fit so many photos, and the reason of each.
    """

    classes: tuple[str, ...]
    total: int
    seen: int
    read: int
    images: np.ndarray
    pixels: np.ndarray
    masks: int
    heights: tuple[int, int]
    widths: tuple[int, int]
    tags: tuple[int, float, int]
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Findings that stop a run or spoil what it learns."""
        return tuple(it for it in self.findings if it.kind in PROBLEMS)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """Findings worth knowing that can be right as they are."""
        return tuple(it for it in self.findings if it.kind in NOTES)

    @property
    def ready(self) -> bool:
        """Whether there is no problem; notes do not count."""
        return not self.problems

    @property
    def ignored(self) -> float:
        """Share of all mask pixels that is 255, from 0 to 1."""
        return float(self.pixels[IGNORE] / max(self.pixels.sum(), 1))

    @property
    def shares(self) -> np.ndarray:
        """(K + 1,) share of background and each class among labelled pixels."""
        counts = self.pixels[: len(self.classes) + 1]
        return counts / max(counts.sum(), 1)

    @property
    def verdict(self) -> str:
        """The word ``ready``, or the number of problems."""
        count = len(self.problems)
        return f"{count} problem{'s' * (count > 1)}" if count else "ready"

    def text(self) -> str:
        """The report for a terminal: statistics, findings, and last the verdict."""
        advice = [f"advice: {remark}" for remark in self.remarks]
        advice += [f"setting: {value}, {reason}" for value, reason in self.settings]
        blocks = [self._summary(), self._table(), self._listing(), advice, [self.verdict]]
        return "\n\n".join("\n".join(block) for block in blocks if block)

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        shares = self.shares[1:].tolist() if self.masks else [None] * len(self.classes)
        rows = zip(self.classes, self.images.tolist(), shares, strict=True)
        plain = ("ready", "total", "seen", "read", "masks", "heights", "widths", "tags")
        return dict(
            **{name: getattr(self, name) for name in plain},
            classes=[dict(name=n, images=i, pixels=s) for n, i, s in rows],
            problems=[vars(it) for it in self.problems],
            notes=[vars(it) for it in self.notes],
            remarks=self.remarks,
            settings=[dict(setting=s, reason=r) for s, r in self.settings],
        )

    def _summary(self) -> list[str]:
        left = f", {self.total - self.seen} not looked at" * (self.seen < self.total)
        few, mean, many = self.tags
        lines = [
            f"images  {self.read} of {self.seen} read{left}; "
            f"{len(self.classes)} class{'es' * (len(self.classes) > 1)}",
            f"size    height {self.heights[0]} to {self.heights[1]}, "
            f"width {self.widths[0]} to {self.widths[1]} pixels",
            f"tags    {few} to {many} an image, {mean:.1f} on average",
        ]
        masks = f"masks   {self.masks} of {self.read} images"
        if self.masks:
            masks += (
                f"; background {self.shares[0]:.1%} of labelled pixels, "
                f"ignored {self.ignored:.1%} of all"
            )
        return [*lines, masks]

    def _table(self) -> list[str]:
        rows = []
        columns = (self.classes, self.images, self.shares[1:])
        for name, count, share in zip(*columns, strict=True):
            bar = "#" * round(20 * count / max(self.images.max(), 1))
            pixels = f"{share:.1%}" if self.masks else "-"
            rows.append([name[:20], str(count), pixels, bar])
        heads, sides = ["class", "images", "pixels", ""], ["left", "right", "right", "left"]
        if len(rows) > 25:  # three classes a line, without bars
            each, heads, sides = -(-len(rows) // 3), 3 * heads[:3], 3 * sides[:3]
            rows = [[it for row in rows[n::each] for it in row[:3]] for n in range(each)]
        style: Any = dict(tablefmt="plain", disable_numparse=True, colalign=sides)
        return tabulate(rows, heads, **style).splitlines()

    def _listing(self) -> list[str]:
        lines = []
        for kind, title in {**PROBLEMS, **NOTES}.items():
            found = [finding for finding in self.findings if finding.kind == kind]
            if not found:
                continue
            level = "PROBLEM" if kind in PROBLEMS else "note"
            more = f", the first {EXAMPLES}" if len(found) > EXAMPLES else ""
            lines.append(f"{level}: {title} ({len(found)}{more})")
            lines += [f"  {it.name}: {it.detail}" for it in found[:EXAMPLES]]
        return lines
