"""Has DINOv2-S tokens that stand out, and would registers at test time help?

    python book/experiments/registers.py VOC norms    # how large tokens are
    python book/experiments/registers.py VOC maps     # maps with neurons' activation moved
    python book/experiments/registers.py              # the tables only

Large Vision Transformers put what they know of the whole image into a few patches, whose
vectors are then many times as long as others and which draw the attention of all. A few
neurons make them; at test time their activation can be moved to a token that is added
(arXiv 2506.08010). Nothing is trained here. On the 100 photos of train_aug that chose the
recipe, tags given; the neurons are found on 100 others. VOC is a folder laid out like
VOC 2012. All goes to data/results/photographs-registers.json. Five minutes each.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm
from weaktr_core.data import Sample, open_dataset
from weaktr_core.method import cams
from weaktr_core.networks.backbone import ClassTokenViT, Tokens
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.inference import fast_inference
from weaktr_core.networks.pretrained import load_vit
from weaktr_core.runtime import write_json

from affinities import CHOSEN_BY, compared, photos
from tables import RESULTS, percent, table

OUT = RESULTS / "photographs-registers.json"
SIZES = {"224": 100, "252": 100, "518": 20}
"""Short sides in pixels, and how many photos; DINOv2 was trained at 224, last at 518."""
OUTLIER = 3.0  # times the median of the photo's tokens
SHOWN = (3, 6, 9, 11, 12)  # blocks in the table
UP_TO = 8  # layers whose neurons are asked: as published, about the first 17 of 24
TOP = 0.01  # share of a photo's patches that count as the largest
MOVED = (10, 50)


def main() -> None:
    """Measure a part where VOC is given, store it, print what is stored."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("voc", nargs="?", type=Path, help="folder laid out like VOC 2012")
    parser.add_argument("part", nargs="?", choices=list(PARTS), default="norms")
    parser.add_argument("--count", type=int, help="only so many photos, to try it")
    given = parser.parse_args()
    stored = json.loads(OUT.read_text("utf8")) if OUT.exists() else {}
    if given.voc:
        stored[given.part] = PARTS[given.part](given.voc, given.count)
        write_json(OUT, stored)
    sys.stdout.write(
        "\n".join(TABLES[part](stored[part]) for part in PARTS if part in stored)
    )


# ---- how large are tokens? -----------------------------------------------------------


@torch.no_grad()
def norms(voc: Path, count: int | None) -> dict:
    """Length of patch vectors after each block, of the backbone alone and as shipped."""
    alone = ClassTokenViT(load_vit("dinov2-s", 224), 1).eval()
    shipped = WeakTr.pretrained("voc").eval()
    found = {}
    for side, amount in SIZES.items():
        sides = int(side), int(side) * 4 // 3  # padded to whole patches
        samples = photos(voc, CHOSEN_BY[: count or amount], *sides)
        for name, look in (("DINOv2-S", alone), ("voc-cam", shipped.encode)):
            lengths = [
                torch.stack([layer.block[0].norm(dim=-1) for layer in tokens.layers])
                [:, -tokens.grid[0] * tokens.grid[1] :]
                for tokens in tqdm(
                    (look(shipped.prepare(s.image)) for s in samples),
                    desc=f"{name}, {side} pixels", total=len(samples), mininterval=5,
                )
            ]  # fmt: skip
            found[f"{name}, {side} pixels"] = lengths_as_row(torch.stack(lengths))
    return found


def lengths_as_row(lengths: Tensor) -> dict:
    """What is kept of lengths (photos, L, N): against the median of the photo's tokens."""
    ratio = lengths / lengths.median(dim=2, keepdim=True).values
    edges = np.linspace(0, 4, 81)
    last = np.histogram(ratio[:, -1].numpy(), edges)[0]
    return dict(
        photos=len(lengths),
        median=[round(float(v), 2) for v in lengths.median(dim=2).values.mean(0)],
        largest=[round(float(v), 2) for v in ratio.amax(dim=(0, 2))],
        outliers=(ratio > OUTLIER).sum(dim=(0, 2)).tolist(),
        last_block=dict(width=0.05, counts=last[: last.nonzero()[0][-1] + 1].tolist()),
    )


def table_of_norms(found: dict) -> str:
    """Blocks' largest token against the photo's median."""
    halves = {"blocks 1 to 6": slice(6), "7 to 12": slice(6, None)}
    head = ["largest token", "photos", *(f"block {b}" for b in SHOWN)]
    head += [f"above {OUTLIER:g}, {half}" for half in halves]
    rows = [
        [name, str(one["photos"])]
        + [f"{one['largest'][block - 1]:.1f}" for block in SHOWN]
        + [str(sum(one["outliers"][half])) for half in halves.values()]
        for name, one in found.items()
    ]
    return table(head, rows)


# ---- registers at test time ----------------------------------------------------------


@contextmanager
def one_token_more(model: WeakTr) -> Iterator[None]:
    """A vector of zeros between class and patch tokens, before the first block."""
    place = model.num_classes

    def add(_, args):
        x = args[0]
        return (torch.cat([x[:, :place], torch.zeros_like(x[:, :1]), x[:, place:]], 1),)

    handle = model.backbone.vit.blocks[0].register_forward_pre_hook(add)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def moved(model: WeakTr, neurons: Sequence[tuple[int, int]]) -> Iterator[None]:
    """Neurons (layer, index) fire in an added token and in no patch.

    The token gets the activation that is largest in size among all tokens; class tokens
    keep theirs.
    """
    place, blocks = model.num_classes, model.backbone.vit.blocks
    with ExitStack() as stack:
        stack.enter_context(one_token_more(model))
        for layer in sorted({layer for layer, _ in neurons}):
            chosen = [index for one, index in neurons if one == layer]

            def move(_, args, output, chosen=chosen):
                some = output[..., chosen]  # (B, T, of them)
                largest = some.abs().argmax(dim=1, keepdim=True)
                peak = some.gather(1, largest)[:, 0]
                some[:, place:] = 0
                some[:, place] = peak
                output = output.clone()
                output[..., chosen] = some
                return output

            handle = blocks[layer].mlp.act.register_forward_hook(move)
            stack.callback(handle.remove)
        yield


@torch.no_grad()
def register_neurons(model: WeakTr, samples: list[Sample]) -> list[tuple[int, int]]:
    """Neurons of the first layers by how strongly they fire in the largest patches.

    Source: arXiv 2506.08010, the search of its code; which patches are the largest is
    read off the last block but one.
    """
    fired: list[Tensor] = []
    blocks, total = model.backbone.vit.blocks, 0
    handles = [
        block.mlp.act.register_forward_hook(lambda _, __, output: fired.append(output))
        for block in blocks[:UP_TO]
    ]
    for sample in tqdm(samples, desc="neurons", unit="photo", mininterval=5):
        fired.clear()
        tokens = model.encode(model.prepare(sample.image))
        n = tokens.grid[0] * tokens.grid[1]
        length = tokens.layers[-2].block[0, -n:].norm(dim=-1)
        largest = length.topk(max(1, round(TOP * n))).indices
        total = total + torch.stack([f[0, -n:][largest].abs().mean(0) for f in fired])
    for handle in handles:
        handle.remove()
    order = total.flatten().argsort(descending=True).tolist()
    return [divmod(place, total.shape[1]) for place in order]


def changes(model: WeakTr, voc: Path, count: int | None) -> dict[str, Callable]:
    """Name → context in which the network is changed."""
    listed = open_dataset(voc, "train_balanced").names
    others = [name for name in listed if name not in CHOSEN_BY][:: len(listed) // 100]
    found = register_neurons(model, photos(voc, others[: count or 100]))
    drawn = np.random.default_rng(0).permutation(len(found))[: max(MOVED)]
    return {
        UNCHANGED: ExitStack,
        "a token more, nothing moved": lambda: one_token_more(model),
        **{f"{n} neurons moved": lambda n=n: moved(model, found[:n]) for n in MOVED},
        f"{max(MOVED)} random neurons moved": lambda: moved(
            model, [found[place] for place in drawn]
        ),
    }


UNCHANGED = "as shipped"
STAGES = {
    "coarse": "coarse CAM",
    "cross": "cross-attention",
    "cam": "product",
    "features": "spread by features",
    "learned": "by attention, learned",
    "equal": "by attention, equal",
}


@torch.no_grad()
def maps(voc: Path, count: int | None) -> dict:
    """Every stage's map under every change, and how peaked the attention is."""
    model = WeakTr.pretrained("voc").eval()
    samples = photos(voc, CHOSEN_BY[:count])
    result = {}
    with fast_inference(model, "no"):
        read: dict[str, dict[str, list]] = {stage: {} for stage in STAGES}
        for name, change in changes(model, voc, count).items():
            peaks, largest = [], []
            for sample in tqdm(samples, desc=name, unit="photo", mininterval=5):
                with change():
                    tokens = model.encode(model.prepare(sample.image))
                tagged = np.flatnonzero(sample.tags)
                for stage, found in stages(model, tokens).items():
                    read[stage].setdefault(name, []).append(found[0, tagged])
                peaks.append(peak(model, tokens, tagged))
                n = tokens.grid[0] * tokens.grid[1]
                length = tokens.layers[-1].block[0, -n:].norm(dim=-1)
                largest.append(float(length.max() / length.median()))
            result[name] = dict(
                peak=round(float(np.mean(peaks)), 4), largest=round(max(largest), 2)
            )
    for stage, rows in read.items():
        for name, score in compared(rows, samples, UNCHANGED).items():
            result[name][stage] = score
    return dict(photos=len(samples), up_to=UP_TO, top=TOP, rows=result)


def stages(model: WeakTr, tokens: Tokens) -> dict[str, Tensor]:
    """Maps (1, K, h, w) of each stage."""
    out = model.read_out(tokens)
    return dict(
        coarse=out.coarse_cam,
        cross=out.cross_attention,
        cam=out.cam,
        features=out.fine_cam,
        learned=cams.refine(out.cam, tokens.layers, out.head_weights),
        equal=cams.refine(out.cam, tokens.layers, torch.ones_like(out.head_weights)),
    )


def peak(model: WeakTr, tokens: Tokens, tagged: np.ndarray) -> float:
    """Share of the class tokens' attention to patches that the top 1 % of them take."""
    weights = torch.ones(1, *model.backbone.shape[:2])
    found = cams.cross_attention(tokens.layers, weights, model.num_classes, tokens.grid)
    rows = found[0, tagged].flatten(1)
    most = rows.topk(max(1, round(TOP * rows.shape[1])), dim=1).values
    return float((most.sum(1) / rows.sum(1)).mean())


def table_of_maps(found: dict) -> str:
    """MIoU of each stage, and what it changed, ± sd over draws of photos."""
    head = ["voc-cam", "largest token", "top 1 % take", *STAGES.values()]
    rows = []
    for name, one in found["rows"].items():
        cells = [f"{one['largest']:.1f}", f"{percent(one['peak'])} %"]
        for stage in STAGES:
            score = one[stage]
            more = f" ({score['more']:+.1f} ± {score['sd']:.1f})"
            cells.append(f"{score['miou']:.1f}" + ("" if name == UNCHANGED else more))
        rows.append([name, *cells])
    return table(head, rows)


PARTS = {"norms": norms, "maps": maps}
TABLES = {"norms": table_of_norms, "maps": table_of_maps}


if __name__ == "__main__":
    main()
