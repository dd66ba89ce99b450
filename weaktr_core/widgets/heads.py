"""The head explorer: every head of a transformer, from any patch or class token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from weaktr_core.widgets.findings import Finding
from weaktr_core.widgets.host import explorer
from weaktr_core.widgets.pack import (
    check_photo,
    find_grid,
    jpeg,
    pack,
    photo_names,
    quantise,
)


def explore_heads(
    photos: np.ndarray | Sequence[np.ndarray],
    attention: np.ndarray | Sequence[np.ndarray],
    *,
    findings: Sequence[Finding] = (),
    names: Sequence[str] | None = None,
    tokens: Sequence[str] = ("class token",),
    grid: tuple[int, int] | Sequence[tuple[int, int]] | None = None,
    every: int = 2,
    host: str | None = None,
) -> Any:
    """Look through all heads: a small map each, one of them large on the photo.

    Args:
        photos: one photo (height, width, 3) uint8, or several.
        attention: (L, H, T, T) of each photo, rows after the softmax. The last h·w of
            the T tokens are patches, row by row; those before are ``tokens``.
        findings: things worth seeing, a button each; the explorer opens on the first.
            Without them it opens on the head of the last layer that agrees most with
            all heads. A link in the text shows the n-th:
            ``<a href="?wt-heads&finding=n#section">``.
        names: what the photos show; default "photo 1", …
        tokens: names of the tokens before the patches; T - h·w of them.
        grid: (h, w) of all photos, or one for each; default: square.
        every: keep every n-th patch as a query, down and across. The size of a page
            falls with its square.
        host: "live", "html", or None to find out, see `host.choose_host`.

    Returns:
        A live widget with the integer traits ``photo``, ``layer``, ``head`` and
        ``query`` (index into the kept queries: first the tokens, then the patches), or
        a `host.Page` that shows itself without a kernel.

    Raises:
        ValueError: where shapes do not fit.
    """
    photos, attention = as_list(photos, 3), as_list(attention, 4)
    if len(photos) != len(attention):
        raise ValueError(f"{len(photos)} photos, {len(attention)} attention arrays")
    names = photo_names(names, len(photos))
    several = grid is not None and not isinstance(grid[0], int)
    grids: Any = grid if several else [grid] * len(photos)
    shown = [
        describe(*one, tokens=tokens, every=every)
        for one in zip(photos, attention, names, grids, strict=True)
    ]
    layers, heads = attention[0].shape[:2]
    listed = [describe_finding(one, shown, (layers, heads)) for one in findings]
    sentence = f"{names[0]}: what each of {layers} x {heads} attention heads looks at."
    head = typical_head(attention[0][-1, :, 0, len(tokens) :])
    state = dict(photo=0, layer=layers - 1, head=head, query=0)
    state |= listed[0]["state"] if listed else {}
    data = {"shape": [layers, heads], "photos": shown, "findings": listed}
    return explorer(
        "heads", data, state, sentence=sentence, poster=shown[0]["jpeg"], host=host
    )


def typical_head(rows: np.ndarray) -> int:
    """Index of the row of (H, N) that looks most like the mean of all."""
    shares = rows / rows.max(axis=1, keepdims=True)
    alike = np.corrcoef(shares, shares.mean(axis=0))[-1, :-1]
    return int(np.argmax(np.nan_to_num(alike, nan=-1.0)))


def describe_finding(
    finding: Finding, photos: Sequence[dict[str, Any]], shape: tuple[int, int]
) -> dict[str, Any]:
    """A finding as the explorer's state; ValueError where there is nothing like it."""
    where = dict(photo=finding.photo, layer=finding.layer, head=finding.head)
    ends = dict(zip(where, (len(photos), *shape), strict=True))
    if wrong := {n: v for n, v in where.items() if not 0 <= v < ends[n]}:
        raise ValueError(f"{finding.name}: {wrong}, there are {ends}")
    query = 0
    if finding.patch is not None:
        queries = np.array(photos[finding.photo]["queries"])
        rows, columns = np.divmod(queries, photos[finding.photo]["grid"][1])
        away = np.hypot(rows - finding.patch[0], columns - finding.patch[1])
        query = int(np.argmin(np.where(queries < 0, np.inf, away)))
    return dict(name=finding.name, says=finding.says, state=dict(where, query=query))


def describe(
    photo: np.ndarray,
    attention: np.ndarray,
    name: str,
    grid: tuple[int, int] | None,
    *,
    tokens: Sequence[str],
    every: int,
) -> dict[str, Any]:
    """A photo and the attention rows that the page keeps of it."""
    check_photo(photo)
    count, (h, w) = len(tokens), check_attention(attention, len(tokens), grid)
    rows, columns = (np.arange((n - 1) % every // 2, n, every) for n in (h, w))
    patches = (rows[:, None] * w + columns).ravel()
    kept = np.concatenate([np.arange(count), count + patches])
    maps = quantise(attention[:, :, kept][..., count:].astype(np.float32))
    queries = [*(-1 - n for n in range(count)), *patches.tolist()]
    return dict(
        name=str(name),
        jpeg=jpeg(photo),
        grid=[h, w],
        queries=queries,
        prefix=[str(t) for t in tokens],
        attention=pack(maps),
    )


def check_attention(
    attention: np.ndarray, prefix: int, grid: tuple[int, int] | None
) -> tuple[int, int]:
    """The patch grid of an attention array, or a ValueError that says what is wrong."""
    if attention.ndim != 4 or attention.shape[2] != attention.shape[3]:
        raise ValueError(f"attention is (L, H, T, T), came {attention.shape}")
    return find_grid(attention.shape[-1] - prefix, grid)


def as_list(values: Any, ndim: int) -> list[np.ndarray]:
    """One array or several → a list of arrays."""
    if isinstance(values, np.ndarray) and values.ndim == ndim:
        return [values]
    return [np.asarray(value) for value in values]
