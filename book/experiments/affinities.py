"""Where should patches look for their like? Refinements of the shipped network's maps.

    python book/experiments/affinities.py VOC   # → data/results/photographs-affinities.json
    python book/experiments/affinities.py       # the table only

Nothing is trained. The product of coarse CAM and cross-attention of voc-cam is spread
over the patches by attention, by the likeness of features, of queries, keys, values or
outputs of all heads, and by the heads that keep patches of one object together best. On
the 100 photos of train_aug that chose the recipe, tags given, one view of 252 x 336 or
336 x 252 pixels. VOC is a folder laid out like VOC 2012. About five minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.cluster.vq import kmeans2
from torch import Tensor
from tqdm import tqdm
from weaktr_core.data import Sample, open_dataset
from weaktr_core.method import cams
from weaktr_core.method.grid import map_to_image
from weaktr_core.networks.backbone import Tokens
from weaktr_core.networks.cam import WeakTr
from weaktr_core.networks.inference import fast_inference
from weaktr_core.runtime import write_json
from weaktr_core.scores.metrics import THRESHOLDS, ScoredImage, SweepCounter, iou

from ablations import scores
from tables import RESULTS, table

OUT = RESULTS / "photographs-affinities.json"
CHOSEN_BY = (RESULTS / "voc-part-dev.txt").read_text("utf8").split()
POWERS = (2, 4, 8, 16)  # of a likeness; 8 is the shipped network's
THRESHOLD = 0.42  # from which a patch is the thing, in the network's own map
PATCH = 14  # pixels
CLUSTERS = 12  # of heads, as in the code of arXiv 2603.26127
COUNTS = (6, 12, 24, 36)  # heads kept, of 72
COLUMNS = {"power": POWERS, "heads": COUNTS}
DRAWS = 2000  # photos drawn anew, to see how much the choice of photos weighs


def main() -> None:
    """Measure and store where VOC is given; print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("voc", nargs="?", type=Path, help="folder laid out like VOC 2012")
    parser.add_argument("--count", type=int, help="only so many photos, to try it")
    given = parser.parse_args()
    if given.voc:
        samples = photos(given.voc, CHOSEN_BY[: given.count])
        rows = every_reading(WeakTr.pretrained("voc").eval(), samples)
        about = dict(photos=len(samples), reference=REFERENCE, draws=DRAWS)
        write_json(OUT, about | {"rows": compared(rows, samples, REFERENCE)})
    stored = json.loads(OUT.read_text("utf8"))
    sys.stdout.write(tables(stored["rows"]))


def tables(rows: dict[str, dict]) -> str:
    """One table of single rows, and one each of those tried at several powers, counts."""
    alone, many = [], {name: {} for name in COLUMNS}
    for name, row in rows.items():
        more = f"{row['more']:+.1f} ± {row['sd']:.1f}"
        for word in COLUMNS:
            first, found, _ = name.rpartition(f", {word} ")
            if found:
                many[word].setdefault(first, [first]).append(more)
                break
        else:
            alone.append([name, f"{row['miou']:.1f}", more, f"{row['best']:.1f}"])
    text = table(["spread by", "mIoU, %", "against the shipped", "best threshold"], alone)
    for word, numbers in COLUMNS.items():
        head = ["spread by", *(f"{word} {n}" for n in numbers)]
        text += "\n" + table(head, list(many[word].values()))
    return text


def photos(
    voc: Path, names: list[str], short: int = 252, long: int | None = None
) -> list[Sample]:
    """Photos of train_aug and their masks, wide or tall; sides as 3 to 4, whole patches."""
    long = long or round(short * 4 / 3 / PATCH) * PATCH
    data = open_dataset(voc, "train_aug")
    place = {name: index for index, name in enumerate(data.names)}
    return [resized(data[place[name]], short, long) for name in names]


def resized(sample: Sample, short: int, long: int) -> Sample:
    """A photo of VOC, stretched."""
    height, width = sample.image.shape[:2]
    size = (long, short) if width >= height else (short, long)  # PIL: width first
    image = Image.fromarray(sample.image).resize(size, Image.Resampling.BICUBIC)
    mask = Image.fromarray(sample.mask).resize(size, Image.Resampling.NEAREST)
    return replace(sample, image=np.asarray(image), mask=np.asarray(mask))


# ---- measuring ----------------------------------------------------------------------


def compared(
    rows: dict[str, list[Tensor]], samples: list[Sample], reference: str
) -> dict[str, dict]:
    """Scores in % of maps (P, h, w) of the tagged classes, one list per row.

    Returns:
        ``miou`` at Otsu's threshold, ``best`` at the best; ``more``: points above the
        reference, ``sd`` of that over photos drawn with replacement.
    """
    found = {name: measured(maps, samples) for name, maps in rows.items()}
    drawn = np.random.default_rng(0).multinomial(
        len(samples), np.full(len(samples), 1 / len(samples)), size=DRAWS
    )
    again = {name: resampled(counts, drawn) for name, (_, counts) in found.items()}
    first = found[reference][0]["miou"]
    return {
        name: score
        | dict(
            more=round(score["miou"] - first, 2),
            sd=round(float((again[name] - again[reference]).std(ddof=1)), 2),
        )
        for name, (score, _) in found.items()
    }


def measured(maps: list[Tensor], samples: list[Sample]) -> tuple[dict, np.ndarray]:
    """Scores, and confusion matrices (photos, C, C) at Otsu's threshold."""
    size = len(samples[0].tags) + 1
    every = SweepCounter(THRESHOLDS, size - 1)
    beaten = []
    for raw, sample in zip(maps, samples, strict=True):
        one = SweepCounter(THRESHOLDS, size - 1)
        shape = (sample.image.shape[0], sample.image.shape[1])
        large = cams.normalise(map_to_image(raw[None], shape)[0]).numpy()
        one.update(ScoredImage(large, np.flatnonzero(sample.tags), sample.mask))
        every.add(one)
        beaten.append(one.beaten.astype(np.int32))
    both = scores(every.sweep)
    place = int(np.abs(THRESHOLDS - both["label_free_threshold"]).argmin())
    counts = []
    for one in beaten:  # foreground: every pixel that beats more thresholds than these
        above = one[..., place + 1 :].sum(axis=-1)
        above[:, 0] += one.sum(axis=(1, 2)) - above.sum(axis=1)
        counts.append(above)
    score = dict(
        miou=round(100 * both["label_free_miou"], 2),
        best=round(100 * both["miou"], 2),
        otsu=both["label_free_threshold"],
    )
    return score, np.stack(counts)


def resampled(counts: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """MIoU in % of each draw (draws, photos) of photos with matrices (photos, C, C)."""
    total = np.einsum("dp,pij->dij", drawn, counts)
    return 100 * np.nanmean(iou(total), axis=-1)


# ---- reading ------------------------------------------------------------------------

REFERENCE = "features of the last layer (shipped)"
PARTS = {"queries": 0, "keys": 1, "values": 2}


@contextmanager
def projections(model: WeakTr) -> Iterator[list[Tensor]]:
    """The output of every block's qkv layer, (B, T, 3·D), as a pass goes on."""
    kept: list[Tensor] = []
    layers = [block.attn.qkv for block in model.backbone.vit.blocks]
    handles = [
        layer.register_forward_hook(lambda _, __, output: kept.append(output))
        for layer in layers
    ]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def every_reading(model: WeakTr, samples: list[Sample]) -> dict[str, list[Tensor]]:
    """Maps (P, h, w) of the tagged classes of each photo, by the row's name."""
    rows: dict[str, list[Tensor]] = {}
    each, own, true = [], [], []  # of every head: what it spreads, how it keeps together
    with fast_inference(model, "no"), projections(model) as kept:
        for sample in tqdm(samples, desc="read", unit="photo", mininterval=5):
            kept.clear()
            tokens = model.encode(model.prepare(sample.image))
            tagged = torch.from_numpy(np.flatnonzero(sample.tags))
            out = model.read_out(tokens)
            cam, coarse = out.cam[:, tagged], out.coarse_cam[:, tagged]
            found = by_likeness(cam, coarse, tokens, heads_of(kept, tokens))
            spread, attention = by_heads(cam, tokens)
            found |= {
                "nothing": cam,
                "attention, equal weights": spread.mean(0),
                "attention, learned weights": cams.refine(
                    cam, tokens.layers, out.head_weights
                ),
            }
            for name, maps in found.items():
                rows.setdefault(name, []).append(maps.reshape(-1, *tokens.grid))
            each.append(spread)
            things = [cams.normalise(out.fine_cam[0, tagged]) > THRESHOLD]
            hot = F.one_hot(torch.tensor(sample.mask).long(), 256)[..., 1 + tagged]
            share = F.avg_pool2d(hot.permute(2, 0, 1).float(), model.backbone.patch_size)
            things.append(share > 0.5)
            for store, thing in zip((own, true), things, strict=True):
                store.append(kept_together(attention, thing.flatten(1).float()))
    return rows | by_rank(each, {"its own map": own, "true masks": true})


def heads_of(kept: list[Tensor], tokens: Tokens) -> dict[str, Tensor]:
    """Patches' vectors of all heads (L·H, N, D/H), each of length 1."""
    n, heads = tokens.grid[0] * tokens.grid[1], tokens.layers[0].query.shape[1]
    three = torch.stack(kept)[:, 0, -n:].unflatten(2, (3, heads, -1))  # (L, N, 3, H, D/H)
    found = {
        name: three[:, :, place].transpose(1, 2).flatten(0, 1)
        for name, place in PARTS.items()
    }
    found["outputs"] = torch.cat([layer.head_output[0, :, -n:] for layer in tokens.layers])
    return {name: F.normalize(vectors, dim=-1) for name, vectors in found.items()}


def by_likeness(
    cam: Tensor, coarse: Tensor, tokens: Tokens, heads: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Maps refined by features: the cosine of joined heads is the mean of their cosines."""
    three = torch.stack([heads[name] for name in PARTS])  # (3, L·H, N, D/H)
    last = tokens.layers[0].query.shape[1]
    alike = object_heads(three, last)
    joined = {
        **heads,
        "queries, keys and values": three.flatten(0, 1),
        "the same, last layer": three[:, -last:].flatten(0, 1),
        "the same, heads like the last layer's": three[:, alike].flatten(0, 1),
    }
    found = {
        REFERENCE: cams.refine_by_features(cam, tokens.patches),
        "the same, coarse CAM alone": cams.refine_by_features(coarse, tokens.patches),
    }
    for name, vectors in joined.items():
        features = vectors.transpose(0, 1).flatten(1)[None]  # (1, N, all of them)
        for power in POWERS:
            key = f"{name}, power {power}"
            found[key] = cams.refine_by_features(cam, features, power)
    return found


def object_heads(three: Tensor, last: int) -> Tensor:
    """Heads that attract as most heads of the last layer do, (L·H,) bool.

    Each head's likeness of patches becomes a map of how much a patch is like all others;
    k-means groups these maps over the heads of one photo.

    Source: Object-DINO, arXiv 2603.26127, clusters and choice as in its code.
    """
    total = 0
    for vectors in three:
        like = (vectors @ vectors.mT * vectors.shape[-1] ** -0.5).softmax(dim=-1)
        total = total + like.mean(dim=1)  # (L·H, N)
    maps = total.double().numpy()
    maps = (maps - maps.mean(axis=0)) / (maps.std(axis=0) + 1e-12)
    _, cluster = kmeans2(maps, CLUSTERS, minit="++", seed=0)
    return torch.from_numpy(cluster == np.bincount(cluster[-last:]).argmax())


def by_heads(cam: Tensor, tokens: Tokens) -> tuple[Tensor, Tensor]:
    """What each head makes of a map (L·H, P, h, w), and its attention (L·H, N, N)."""
    n = tokens.grid[0] * tokens.grid[1]
    patches = slice(-n, None)
    attention = torch.cat([layer.rows(patches)[0, ..., -n:] for layer in tokens.layers])
    spread = cam[0].flatten(1) @ attention.mT
    return spread.unflatten(2, tokens.grid), attention


def kept_together(attention: Tensor, things: Tensor) -> Tensor:
    """How much of its attention a patch of a thing leaves there, above chance, (L·H,).

    Things (P, N) are 0 or 1; the mean over the thing and over what is around it, minus a
    half: 0 for a head that looks anywhere.
    """
    rows = attention / attention.sum(dim=2, keepdim=True)
    kept = []
    for thing in things:
        if 0 < thing.sum() < len(thing):
            inside = (rows @ thing * thing).sum(1) / thing.sum()
            outside = (rows @ (1 - thing) * (1 - thing)).sum(1) / (1 - thing).sum()
            kept.append((inside + outside) / 2 - 0.5)
    return torch.stack(kept).mean(0) if kept else torch.zeros(len(attention))


def by_rank(each: list[Tensor], kept: dict[str, list[Tensor]]) -> dict[str, list[Tensor]]:
    """The heads that keep things together best, on other photos or on the photo itself."""
    rows = {}
    even = torch.arange(len(each)) % 2 == 0
    for judge, values in kept.items():
        stacked = torch.stack(values)  # (photos, L·H)
        halves = {e: stacked[even != e].mean(0) for e in (True, False)}
        others = [halves[bool(e)] for e in even]
        for scope, ranks in (("other photos", others), ("the photo", values)):
            for count in COUNTS:
                name = f"heads that hold {scope} together by {judge}, heads {count}"
                rows[name] = [
                    spread[rank.topk(count).indices].mean(0)
                    for spread, rank in zip(each, ranks, strict=True)
                ]
    return rows


if __name__ == "__main__":
    main()
