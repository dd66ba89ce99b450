"""The way through the method: a row of small pictures, the page's own one marked.

The build puts it on top of every chapter and, with thumbnails, on the first page.
"""

from __future__ import annotations

from html import escape

from drawing import STYLE, Drawing

STOPS = {
    "01_tags_and_masks": "tags",
    "02_how_a_vit_sees": "patches",
    "03_heads_disagree": "heads",
    "04_class_tokens": "class tokens",
    "05_class_activation_maps": "evidence",
    "06_weighting_heads": "weights",
    "07_from_blobs_to_objects": "fine map",
    "08_training_with_tags": "training",
    "09_pseudo_labels": "labels",
    "10_learning_from_noisy_masks": "retraining",
    "11_does_it_work": "scores",
    "12_your_own_photos": "your photos",
    "13_full_scale": "full scale",
}
"""Chapter → the word under its picture."""

BLOB = ("0000", "0230", "1341", "0110")  # a map of evidence, 0…4
TABLE = ("1304", "2121", "0413", "3220")  # heads that count for less and more


def way_through(here: str) -> str:
    """The row as HTML: a list of links, ``here`` marked as the page one is on."""
    items = []
    for number, (name, word) in enumerate(STOPS.items(), 1):
        current = ' aria-current="page"' if name == here else ""
        mark = ' class="here"' if current else ""
        label = f"chapter {number}: {word}"
        items.append(
            f'<li{mark}><a href="{name}.html" '
            f'aria-label="{escape(label)}"{current}>{icon(number)}<span>{word}</span></a></li>'
        )
    nav = '<nav class="wt-way" aria-label="The way through the method">'
    return f"{nav}<style>{STYLE}</style><ol>{''.join(items)}</ol></nav>"


def icon(number: int) -> str:
    """The picture of a chapter, 32 units wide; decoration, so nothing is read aloud."""
    d = Drawing(32, 32, "")
    PICTURES[number - 1](d)
    body = "".join(d.parts)
    return f'<svg class="wt-diagram" viewBox="0 0 32 32" aria-hidden="true">{body}</svg>'


def level(rows: tuple[str, ...]):
    """Digits 0…4 in a table, as the function that `Drawing.grid` asks."""
    return lambda row, column: int(rows[row][column]) / 4


def tags(d: Drawing) -> None:
    """A label with two lines on it."""
    d.rect(3, 8, 26, 16, "box", 3)
    d.rect(7, 12, 12, 3, "class", 1)
    d.rect(7, 17, 17, 3, "class", 1)


def patches(d: Drawing) -> None:
    """A photo in squares."""
    d.grid(4, 4, 4, 4, 6, "patch")


def heads(d: Drawing) -> None:
    """Attention that differs."""
    d.grid(4, 4, 4, 4, 6, "attn", level(TABLE))


def tokens(d: Drawing) -> None:
    """Class tokens above patches."""
    d.grid(4, 4, 2, 4, 6, "class")
    d.grid(4, 18, 2, 4, 6, "patch")


def evidence(d: Drawing) -> None:
    """A coarse map."""
    d.grid(4, 4, 4, 4, 6, "heat", level(BLOB))


def weights(d: Drawing) -> None:
    """Heads with their weights."""
    d.grid(4, 4, 4, 4, 6, "class", level(TABLE))


def fine(d: Drawing) -> None:
    """A map that became round."""
    d.rect(3, 3, 26, 26, "box", 3)
    for radius, faint in ((11, 0.3), (8, 0.6), (5, 1.0)):
        d.rect(
            16 - radius,
            17 - radius,
            2 * radius,
            2 * radius,
            "heat",
            radius,
            faint,
        )


def training(d: Drawing) -> None:
    """A falling loss."""
    d.line((4, 4), (4, 28), (29, 28), tip=False)
    d.line((6, 6), (10, 16), (16, 22), (28, 25), kind="grad", tip=False)


def labels(d: Drawing) -> None:
    """A shape with a border."""
    d.rect(3, 3, 26, 26, "box", 3)
    d.rect(9, 9, 14, 16, "mask", 7)


def retraining(d: Drawing) -> None:
    """Losses under a ceiling."""
    for n, high in enumerate((8, 16, 11, 16, 6)):
        d.rect(
            4 + 5 * n, 28 - high, 4, high, "heat" if high == 16 else "patch", 1
        )
    d.line((3, 12), (30, 12), kind="cut", tip=False)


def scores(d: Drawing) -> None:
    """A mean with its spread, three times."""
    for n, x in enumerate((8, 14, 11)):
        d.line((x - 5, 8 + 8 * n), (x + 11, 8 + 8 * n), tip=False)
        d.rect(x, 5 + 8 * n, 6, 6, "attn box", 3)


def yours(d: Drawing) -> None:
    """A pile of photos."""
    d.rect(9, 4, 20, 17, "box patch", 2, 0.5)
    d.rect(6, 7, 20, 17, "box patch", 2, 0.75)
    d.rect(3, 10, 20, 17, "box patch", 2)


def scale(d: Drawing) -> None:
    """Small, larger, large."""
    for side, faint in ((26, 0.35), (17, 0.65), (8, 1.0)):
        d.rect(3, 29 - side, side, side, "box mask", 2, faint)


PICTURES = (tags, patches, heads, tokens, evidence, weights, fine, training, labels,
            retraining, scores, yours, scale)  # fmt: skip
