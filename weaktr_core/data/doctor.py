"""Look through a whole dataset before a run does, and say what is wrong with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
from tqdm.auto import tqdm

from weaktr_core.data.files import shorten
from weaktr_core.data.remarks import (
    advise_settings,
    mask_remark,
    tag_remarks,
    thin_remark,
    width_of,
)
from weaktr_core.data.report import Finding, Report
from weaktr_core.data.sample import (
    IGNORE,
    DataError,
    Sample,
    TaggedDataset,
    without_masks,
)
from weaktr_core.data.twins import Look, find_twins, look_at


def examine(
    dataset: TaggedDataset,
    limit: int | None = None,
    progress: bool = True,
    others: Mapping[str, TaggedDataset] | None = None,
    advise: bool = False,
) -> Report:
    """Read every sample and collect what is wrong instead of stopping at it.

    Args:
        dataset: anything that yields ``Sample``.
        limit: look at the first ``limit`` images only.
        progress: show a progress bar.
        others: further splits by name, whose photos are looked at for twins only.
        advise: suggest settings for training, from the number and size of the photos.

    Returns:
        The report; ``report.text()`` is for reading, ``report.ready`` for code.
    """
    total = len(dataset)
    seen = total if limit is None else min(limit, total)
    tally = _Tally(tuple(dataset.classes))
    for index in tqdm(range(seen), desc="doctor", unit="image", disable=not progress):
        try:
            sample = dataset[index]
        except (DataError, OSError) as error:
            tally.note("unreadable", f"image {index}", str(error))
            continue
        tally.add(sample)
    for split, other in (others or {}).items():
        tally.looks += list(looks_of(split, other, limit, progress))
    report = tally.report(total, seen)
    if not advise:
        return report
    sides = [min(size) for size in tally.sizes]
    return replace(report, settings=tuple(advise_settings(total, sides)))


def looks_of(
    split: str, dataset: TaggedDataset, limit: int | None, progress: bool
) -> Iterator[Look]:
    """How the photos of another split look; broken ones are its own report's matter."""
    images = without_masks(dataset)
    count = len(images) if limit is None else min(limit, len(images))
    for index in tqdm(range(count), desc=split, unit="image", disable=not progress):
        with suppress(DataError, OSError):
            sample = images[index]
            yield look_at(sample.name, split, sample.image)


@dataclass
class _Tally:
    """Counts and findings, growing sample by sample."""

    classes: tuple[str, ...]
    findings: list[Finding] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    sizes: list[tuple[int, ...]] = field(default_factory=list)
    tags: list[np.ndarray] = field(default_factory=list)
    maskless: list[str] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    widths: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    def note(self, kind: str, name: str, detail: str) -> None:
        self.findings.append(Finding(kind, name, detail))

    def add(self, sample: Sample) -> None:
        fault = _fault(sample, len(self.classes))
        if fault:
            self.note("malformed", sample.name, fault)
            return
        self.names[sample.name] += 1
        self.sizes.append(sample.image.shape[:2])
        self.tags.append(sample.tags > 0)
        self.looks.append(look_at(sample.name, "", sample.image))
        if not sample.tags.any():
            self.note("no tag", sample.name, "teaches only what is absent")
        if sample.mask is None:
            self.maskless.append(sample.name)
        else:
            self._add_mask(sample.mask, sample)

    def _add_mask(self, mask: np.ndarray, sample: Sample) -> None:
        if mask.shape != sample.image.shape[:2]:
            sizes = f"mask {mask.shape}, photo {sample.image.shape[:2]}"
            self.note("mask size", sample.name, sizes)
        counts = np.bincount(mask.ravel(), minlength=256)
        self.pixels += counts
        last = len(self.classes)
        wrong = last + 1 + np.flatnonzero(counts[last + 1 : IGNORE])
        if wrong.size:
            detail = f"{shorten(wrong)}; known are 0 to {last} and {IGNORE}"
            self.note("mask id", sample.name, detail)
        drawn, tagged = counts[1 : last + 1] > 0, sample.tags > 0
        for k in np.flatnonzero(drawn).tolist():
            self.widths[k].append(width_of(mask == k + 1))
        for kind, differ in {
            "untagged class": drawn & ~tagged,
            "unseen tag": tagged & ~drawn,
        }.items():
            if differ.any():
                named = shorten(self.classes[k] for k in np.flatnonzero(differ))
                self.note(kind, sample.name, named)

    def report(self, total: int, seen: int) -> Report:
        for name, times in self.names.items():
            if times > 1:
                self.note("duplicate", name, f"{times} images")
        if len(self.maskless) < len(self.sizes):
            for name in self.maskless:
                self.note("no mask", name, "cannot be scored")
        for one, other in find_twins(self.looks):
            if not one.split:  # of the split that is examined, the other perhaps not
                where = f" in {other.split}" * bool(other.split)
                self.note("leak" if where else "twin", one.name, f"{other.name}{where}")
        if remark := mask_remark(self.classes, self.pixels) if any_tag(self.tags) else None:
            self.note("empty masks", "masks", remark)
        if not seen:
            self.note("empty", "dataset", "it has no image")
        thin = thin_remark(self.classes, self.widths)
        sizes = np.array(self.sizes or [(0, 0)])
        tags = np.array(self.tags or [np.zeros(len(self.classes), bool)])
        each = tags.sum(axis=1)
        (low, left), (high, right) = sizes.min(axis=0), sizes.max(axis=0)
        return Report(
            classes=self.classes,
            total=total,
            seen=seen,
            read=len(self.sizes),
            images=tags.sum(axis=0),
            pixels=self.pixels,
            masks=len(self.sizes) - len(self.maskless),
            heights=(int(low), int(high)),
            widths=(int(left), int(right)),
            tags=(int(each.min()), float(each.mean()), int(each.max())),
            findings=tuple(self.findings),
            remarks=(*tag_remarks(self.classes, tags), *thin) if self.tags else (),
        )


def any_tag(tags: list[np.ndarray]) -> bool:
    """Whether any photo shows anything."""
    return any(it.any() for it in tags)


def _fault(sample: Sample, num_classes: int) -> str:
    """In what a sample departs from its documented form; empty if it does not."""
    image, tags, mask = sample.image, sample.tags, sample.mask
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        return f"image {image.shape} {image.dtype}, not (height, width, 3) uint8"
    if tags.shape != (num_classes,) or not np.isin(tags, (0, 1)).all():
        return f"tags {tags.shape} {tags.dtype}, not {num_classes} that are 0 or 1"
    if mask is not None and (mask.ndim != 2 or mask.dtype != np.uint8):
        return f"mask {mask.shape} {mask.dtype}, not (height, width) uint8"
    return ""
