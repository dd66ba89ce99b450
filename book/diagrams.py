"""Draw the diagrams of the chapters: ``python book/diagrams.py`` writes vendor/diagrams/.

One function a picture; each says exactly what the package computes by default.
"""

from __future__ import annotations

import sys
from pathlib import Path

from drawing import Drawing

FOLDER = Path(__file__).parent / "vendor" / "diagrams"


def block() -> Drawing:
    """Chapter 2: from a photo to tokens, and what one block does with them."""
    d = Drawing(
        760,
        430,
        "A photo cut into patches becomes tokens, one class token joins them; inside a block "
        "queries meet keys, a softmax makes the attention matrix, its rows average the values",
    )
    d.grid(10, 34, 4, 4, 24, "patch")
    d.text(10, 22, "photo, N = h · w patches", "s", "start")
    d.line((112, 82), (176, 82))
    d.text(144, 70, "× one", "s")
    d.text(144, 102, "matrix", "s")
    token_rows(d, 184, 22, 1, 5)
    d.text(232, 148, "T = 1 + N tokens\nof D numbers", "s")
    d.text(290, 30, "class token", "s", "start")
    d.text(290, 78, "a token per patch,\nits place added", "s", "start")
    d.line((400, 82), (450, 82))
    for step in (2, 1, 0):
        d.rect(456 + 8 * step, 42 - 6 * step + 8, 128, 70, "box")
    d.text(520, 84, "block 1 … L", "b")
    d.text(520, 101, "below: one of them", "s")
    d.line((602, 82), (650, 82))
    token_rows(d, 658, 22, 1, 5)
    d.text(704, 148, "same shape,\nother content", "s")

    d.rect(8, 186, 744, 236, "frame", 10)
    d.text(22, 206, "inside a block", "b", "start")
    d.line((24, 306), (58, 306))
    d.text(40, 294, "tokens", "s")
    d.box(60, 288, 52, 36, "norm")
    d.line((112, 306), (128, 306), tip=False)
    for row, (letter, question) in enumerate(
        (
            ("Q", "what I look for"),
            ("K", "what I have"),
            ("V", "what I hand over"),
        )
    ):
        y = 226 + 64 * row
        d.line((128, 306), (128, y + 22), (144, y + 22))
        d.box(
            146, y, 110, 44, letter, "attn" if row < 2 else "patch", question
        )
    d.line((256, 248), (294, 248))
    d.line((256, 312), (270, 312), (270, 264), (294, 264))
    d.box(296, 234, 92, 44, "Q Kᵀ / √d", "", "T × T scores")
    d.line((388, 256), (404, 256))
    d.box(406, 238, 62, 36, "softmax")
    d.line((468, 256), (482, 256))
    d.grid(
        486,
        218,
        5,
        5,
        14,
        "attn",
        lambda r, c: 0.15 + ((3 * r + 5 * c) % 7) / 8,
    )
    d.rect(485, 245, 72, 15, "strong", 2, 1)
    d.parts[-1] = d.parts[-1].replace(
        'class="strong"', 'class="strong" fill="none"'
    )
    d.text(521, 306, "A: row i sums to 1,\nwhere token i looks", "s")
    d.line((556, 256), (584, 256))
    d.line((256, 376), (604, 376), (604, 276))
    d.box(586, 238, 44, 36, "A V")
    d.text(650, 232, "H heads side by side", "s")
    d.line((630, 256), (648, 256))
    d.box(650, 238, 90, 36, "projection")
    d.line((694, 274), (694, 318))
    d.box(632, 320, 112, 32, "+  the tokens")
    d.line((694, 352), (694, 374))
    d.box(632, 376, 112, 36, "+  MLP(norm)", "", "each token alone")
    return d


def token_rows(
    d: Drawing, x: float, y: float, classes: int, patches: int
) -> None:
    """Tokens as rows of numbers: class tokens above, patches below."""
    for row in range(classes + patches):
        kind, shift = ("class", 0) if row < classes else ("patch", 4)
        d.grid(x, y + 18 * row + shift, 1, 6, 16, kind)


def class_tokens() -> Drawing:
    """Chapter 4: one token becomes K, and the attention matrix gets four corners."""
    d = Drawing(
        760,
        350,
        "One class token becomes K copies, each read by the vector of its class; the attention "
        "matrix then has four corners, of which class to patch and patch to patch are used",
    )
    d.text(80, 20, "an ordinary ViT", "b")
    token_rows(d, 34, 34, 1, 4)
    d.line((142, 80), (200, 80))
    d.text(171, 68, "copy K ×", "s")
    d.text(258, 20, "WeakTr", "b")
    token_rows(d, 210, 34, 3, 4)
    d.text(320, 48, "K class tokens,", "s", "start")
    d.text(320, 63, "equal at the start", "s", "start")
    d.text(320, 110, "N patch tokens,", "s", "start")
    d.text(320, 125, "as before", "s", "start")

    d.line((258, 172), (258, 196))
    d.box(188, 198, 140, 34, "L blocks")
    d.line((258, 232), (258, 258))
    d.box(150, 260, 92, 40, "token k", "class", "D numbers")
    d.text(256, 285, "·")
    d.box(270, 260, 92, 40, "vector vₖ", "heat", "learned")
    d.line((362, 280), (392, 280))
    d.box(394, 260, 66, 40, "logit zₖ")
    d.text(
        306,
        326,
        "asked: is class k in the picture?  compared with its tag yₖ",
        "s",
    )

    d.text(618, 20, "the attention A of a head", "b")
    x, y, few, many = 520, 52, 54, 126
    corners = (
        (x, y, few, few, "box", "class →\nclass"),
        (x + few, y, many, few, "box class", "class → patch"),
        (x, y + few, few, many, "box", "patch\n→\nclass"),
        (x + few, y + few, many, many, "box attn", "patch → patch"),
    )
    for left, top, w, h, kind, words in corners:
        d.rect(left, top, w, h, kind, 2)
        lines = words.count("\n")
        d.text(
            left + w / 2,
            top + h / 2 + 4 - 7.5 * lines,
            words,
            "s" if kind == "box" else "b",
        )
    d.text(x + few + many / 2, y + few / 2 + 20, "cross-attention map", "s")
    d.text(
        x + few + many / 2, y + few + many / 2 + 20, "spreads evidence", "s"
    )
    d.text(x + few / 2, y - 8, "K", "s")
    d.text(x + few + many / 2, y - 8, "N columns: looked at", "s")
    d.text(x - 8, y + few + many / 2, "N", "s", "end")
    d.text(x - 8, y + few / 2 + 4, "K", "s", "end")
    d.text(610, 258, "row: who looks; each row sums to 1", "s")
    return d


def fusion() -> Drawing:
    """Chapter 6: the network that weighs the heads."""
    d = Drawing(
        760,
        300,
        "Each head's output is pooled over tokens and squeezed to one number; a bottleneck lets "
        "all heads see each other; a sigmoid divided by its mean gives one weight per head",
    )
    d.grid(14, 52, 12, 6, 12, "patch")
    d.text(14, 22, "what each head\ngathered, A V", "s", "start")
    d.text(14, 216, "L × H heads,\nT tokens ×\nD/H each", "s", "start")
    d.line((96, 130), (140, 130))
    d.cut(112, 130)
    d.text(116, 94, "detached", "cut-text")
    d.box(142, 104, 88, 52, "largest", "", "over T tokens")
    d.line((230, 130), (246, 130))
    d.box(248, 104, 76, 52, "norm", "", "of a head")
    d.line((324, 130), (340, 130))
    d.rect(342, 70, 96, 122, "frame", 8)
    d.text(390, 62, "squeeze", "s")
    d.box(350, 80, 80, 38, "Linear", "heat", "D/H → D/8H")
    d.line((390, 118), (390, 142))
    d.box(350, 144, 80, 38, "Linear", "heat", "D/8H → 1")
    d.line((430, 163), (470, 163), (470, 130), (482, 130))
    d.grid(486, 52, 12, 1, 13, "attn", lambda r, c: 0.25 + ((5 * r) % 7) / 9)
    d.text(492, 224, "L·H scores", "s")
    d.line((502, 130), (520, 130))
    d.rect(522, 58, 96, 146, "frame", 8)
    d.text(570, 50, "bottleneck", "s")
    d.box(530, 66, 80, 38, "Linear", "heat", "L·H → L·H/8")
    d.line((570, 104), (570, 116))
    d.box(530, 118, 80, 26, "GELU")
    d.line((570, 144), (570, 156))
    d.box(530, 158, 80, 38, "Linear", "heat", "L·H/8 → L·H")
    d.line((610, 177), (647, 177), (647, 160))
    d.box(620, 104, 54, 54, "σ", "", "÷ mean")
    d.line((674, 130), (688, 130))
    d.grid(
        692,
        70,
        12,
        6,
        10,
        "class",
        lambda r, c: 0.3 + ((r * 6 + c) * 5 % 11) / 15,
    )
    d.text(752, 214, "w: one per head\nand image, mean 1", "s", "end")
    d.text(
        390,
        262,
        "no activation inside the squeeze: two linear maps are one",
        "s",
    )
    d.text(
        390,
        282,
        "published: the branch behind the projection, no norm, ReLU, no division by the mean",
        "s",
    )
    return d


def gradients() -> Drawing:
    """Chapter 8: which loss reaches which part."""
    d = Drawing(
        760,
        412,
        "Green lines show how far each loss reaches back: the class-token loss and the coarse loss "
        "reach the backbone, the fine loss is cut off everywhere but at the fusion",
    )
    d.box(14, 150, 96, 90, "backbone", "patch", "tokens, A,\nhead outputs")
    d.box(236, 34, 110, 44, "readout", "class", "vₖ of each class")
    d.box(236, 150, 110, 44, "3 × 3 conv", "heat", "patch classifier")
    d.box(236, 316, 110, 44, "fusion", "attn", "head weights")
    d.box(430, 220, 100, 44, "coarse CAM", "heat", "ReLU of the map")
    d.box(430, 316, 100, 44, "fused P", "attn", "Σ w A / (L·H)")
    d.box(578, 268, 64, 44, "fine\nCAM", "mask")
    losses = (
        (56, "class-token\nloss"),
        (172, "coarse\nloss"),
        (290, "fine\nloss"),
    )
    for y, words in losses:
        d.box(666, y - 24, 84, 48, words)
    # what is computed, left to right
    d.line((110, 172), (234, 172))
    d.line((62, 150), (62, 56), (234, 56))
    d.line((346, 56), (664, 56))
    d.line((346, 172), (664, 172))
    d.line((390, 172), (390, 242), (428, 242))
    d.line((62, 240), (62, 338), (234, 338))
    d.line((96, 240), (96, 290), (480, 290), (480, 314))
    d.line((346, 338), (428, 338))
    d.line((530, 242), (610, 242), (610, 266))
    d.line((530, 338), (610, 338), (610, 314))
    d.line((642, 290), (664, 290))
    # what learns, right to left
    d.line((664, 68), (350, 68), kind="grad")
    d.line((234, 68), (76, 68), (76, 146), kind="grad")
    d.line((664, 184), (350, 184), kind="grad")
    d.line((234, 184), (114, 184), kind="grad")
    d.line((664, 302), (646, 302), kind="grad")
    d.line((598, 314), (598, 350), (534, 350), kind="grad")
    d.line((428, 350), (350, 350), kind="grad")
    d.cut(390, 208, "detached", "left")
    d.cut(170, 290, "")
    d.text(170, 278, "A detached", "cut-text")
    d.cut(170, 338, "")
    d.text(62, 366, "head outputs detached", "cut-text", "start")
    d.line((24, 402), (60, 402), kind="grad")
    d.text(68, 406, "a gradient arrives here", "s", "start")
    d.line((220, 402), (256, 402))
    d.text(264, 406, "computed from", "s", "start")
    d.cut(372, 402)
    d.text(386, 406, "no gradient passes", "s", "start")
    d.text(505, 48, "× a small weight", "s")
    return d


def segmenter() -> Drawing:
    """Chapter 10: the decoder, and the ceiling of its loss."""
    d = Drawing(
        760,
        400,
        "A fresh ViT makes patch tokens, class embeddings join them for two blocks, the cosine of "
        "every patch with every class becomes a mask; below, pixel losses held at a ceiling",
    )
    d.box(10, 66, 70, 48, "fresh\nViT", "patch")
    d.line((80, 90), (96, 90))
    d.grid(100, 46, 6, 1, 16, "patch")
    d.text(107, 160, "N patch\ntokens", "s")
    d.line((118, 90), (140, 90))
    d.box(142, 72, 56, 36, "Linear")
    d.line((198, 90), (216, 90))
    d.grid(100, 196, 4, 1, 16, "class")
    d.text(128, 222, "C = K + 1 class\nembeddings", "s", "start")
    d.line((118, 204), (256, 204), (256, 132))
    d.box(218, 50, 78, 80, "2 blocks", "attn", "classes and\npatches\nattend")
    d.line((296, 74), (324, 74))
    d.line((296, 106), (324, 106))
    d.box(326, 54, 100, 36, "project", "patch", "length 1")
    d.box(326, 94, 100, 36, "project", "class", "length 1")
    d.line((426, 72), (446, 72), (446, 90), (458, 90), tip=False)
    d.line((426, 112), (446, 112), (446, 90), (462, 90))
    d.box(464, 68, 70, 44, "cosine", "", "N × C")
    d.line((534, 90), (548, 90))
    d.box(550, 68, 84, 44, "norm", "", "over classes")
    d.line((634, 90), (650, 90))
    d.box(652, 68, 98, 44, "enlarge", "mask", "C a pixel")
    d.line((700, 112), (700, 180), tip=False)
    d.text(692, 152, "against the pseudo-mask", "s", "end")

    left, base, high = (
        330,
        372,
        [18, 30, 24, 96, 40, 20, 132, 26, 34, 22, 74, 28, 16, 110, 30],
    )
    level = 62
    d.text(
        left - 14,
        268,
        "loss ℓ of every pixel,\nonce its mean is low",
        "s",
        "end",
    )
    for number, value in enumerate(high):
        x = left + 26 * number
        if value > level:
            d.rect(x, base - value, 18, value - level, "frame", 2)
            d.rect(x, base - level, 18, level, "box heat", 2)
        else:
            d.rect(x, base - value, 18, value, "box patch", 2)
    d.line((left - 10, base), (left + 400, base), tip=False)
    d.line((700, 180), (700, 232), tip=True)
    d.parts.append(
        f'<path d="M{left - 10},{base - level} H{left + 400}" class="cut" stroke-dasharray="6 4"/>'
    )
    d.text(left - 14, base - level - 6, "ceiling λ", "cut-text", "end")
    d.text(
        left - 14,
        base - level + 14,
        "the larger of the mean in the",
        "s",
        "end",
    )
    d.text(
        left - 14, base - level + 28, "window and the mean of all", "s", "end"
    )
    d.text(
        left + 195,
        394,
        "above λ: counted as λ, gradient 0.  below: learned from",
        "s",
    )
    return d


def method() -> Drawing:
    """The whole way from tags to masks, with the chapters that build each part."""
    d = Drawing(
        760,
        380,
        "From a photo with tags through tokens, attention, evidence and head weights to a fine map, "
        "a pseudo-mask and the network that learns from it",
    )
    d.text(12, 20, "step 1: learn from tags", "b", "start")
    d.box(12, 100, 92, 60, "photo", "", "and its tags\nchapter 1")
    d.line((104, 130), (126, 130))
    d.box(
        128,
        88,
        104,
        84,
        "ViT",
        "patch",
        "K class tokens,\nN patch tokens\nchapters 2–4",
    )
    d.line((232, 104), (266, 104), (266, 62), (284, 62))
    d.line((232, 130), (284, 130))
    d.line((232, 156), (266, 156), (266, 200), (284, 200))
    d.box(286, 40, 148, 44, "evidence", "heat", "coarse CAM · chapter 5")
    d.box(286, 108, 148, 44, "attention A", "attn", "L × H heads · chapter 3")
    d.box(286, 178, 148, 44, "head weights w", "class", "fusion · chapter 6")
    d.line((434, 200), (450, 200), (450, 142), (462, 142))
    d.line((434, 124), (462, 124))
    d.box(464, 108, 84, 48, "fused P", "attn", "Σ w A / (L·H)")
    d.line((434, 62), (664, 62), (664, 86))
    d.line((548, 112), (572, 112))
    d.line((548, 144), (566, 144), (566, 192), (582, 192))
    d.box(
        574,
        88,
        176,
        44,
        "class rows ⊙ evidence",
        "heat",
        "product · chapter 7",
    )
    d.line((664, 132), (664, 168))
    d.box(
        584,
        170,
        160,
        44,
        "patch rows @ product",
        "mask",
        "fine CAM · chapter 7",
    )
    d.text(
        190,
        244,
        "three answers, three losses against the tags · chapter 8",
        "s",
    )
    d.rect(4, 4, 752, 252, "frame", 10)

    d.text(
        12, 286, "step 2: learn from the masks that step 1 drew", "b", "start"
    )
    d.line((664, 214), (664, 302))
    d.box(
        584, 304, 160, 48, "threshold, CRF", "mask", "pseudo-mask · chapter 9"
    )
    d.line((582, 328), (556, 328))
    d.box(396, 304, 158, 48, "Segmenter", "patch", "clipped loss · chapter 10")
    d.line((394, 328), (356, 328))
    d.box(214, 304, 140, 48, "a mask", "mask", "no tag needed")
    d.line((212, 328), (176, 328))
    d.box(20, 304, 154, 48, "how good is it?", "", "chapters 11 to 13")
    d.rect(4, 266, 752, 106, "frame", 10)
    return d


DIAGRAMS = (block, class_tokens, fusion, gradients, segmenter, method)


def main() -> int:
    """Write every diagram."""
    FOLDER.mkdir(exist_ok=True)
    for draw in DIAGRAMS:
        (FOLDER / f"{draw.__name__}.svg").write_text(draw().svg(), "utf8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
