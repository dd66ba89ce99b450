"""What speed there is, as ratios: ``python benchmarks/speed.py [VOC]``.

Each ratio compares two ways to do one thing, measured in turns by one process; the median
of its rounds is taken, then the median of three processes. With VOC, a folder laid out
like VOC 2012, its val is evaluated with the network that comes with the package and the
time that loaders keep networks waiting is measured. Five minutes on two quiet cores.
Writes results/speed.json, speed.md and speed.png.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from machine import measured
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from weaktr_core.data import open_dataset
from weaktr_core.data.batches import same_size_batches
from weaktr_core.data.transforms import TaggedTensors, resize_short_side, train_transform
from weaktr_core.labels.views import infer_tagged, make_views, rescale
from weaktr_core.method.attention import LayerRecord
from weaktr_core.method.grid import flip, tokens_to_map
from weaktr_core.method.losses import three_head_loss
from weaktr_core.networks.cam import CamOutput, WeakTr
from weaktr_core.networks.inference import fast_inference
from weaktr_core.networks.network import statistics_of
from weaktr_core.runtime import mixed_precision, write_atomically, write_json
from weaktr_core.scores.cams import evaluate_cams
from weaktr_core.train.order import batches_of, begin_epoch, make_loader

RESULTS = Path(__file__).parent / "results"
NAME, CLASSES = "deit_small_patch16_224", 20
PROCESSES, ROUNDS = 3, 3
SIDES = (224, 384, 512, 768, 1024)
SCALES = (1.0, 4 / 3)


def plain_vit():
    return timm.create_model(NAME, img_size=224, dynamic_img_size=True).eval()


def network() -> WeakTr:
    torch.manual_seed(0)
    return WeakTr.from_timm(NAME, CLASSES, img_size=224).eval()


class Stacking(TorchFunctionMode):
    """Attention as it is written down: every map is made, and kept."""

    def __init__(self):
        super().__init__()
        self.maps, self.outputs = [], []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is not F.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        query, key, value = args
        self.maps.append((query @ key.mT * query.shape[-1] ** -0.5).softmax(dim=-1))
        self.outputs.append(self.maps[-1] @ value)
        return self.outputs[-1]


def naive(model: WeakTr, images: torch.Tensor) -> CamOutput:
    """The method as it is written down: the whole (B, L, H, T, T) stack, then the sums."""
    with Stacking() as seen:
        tokens = model.backbone.norm(model.backbone.vit.forward_features(images))
    h, w = model.backbone.grid(images)
    k, n = model.num_classes, h * w
    weights = model.fusion([record(out.detach()) for out in seen.outputs])
    stack = torch.stack(seen.maps, dim=1).detach()
    fused = (weights[..., None, None] * stack).mean(dim=(1, 2))  # (B, T, T)
    cross = tokens_to_map(fused[:, :k, -n:].mT, (h, w))
    limit = model.options["cap"] * cross.mean(dim=(2, 3), keepdim=True)
    patch_map = model.patch_head(tokens_to_map(tokens[:, -n:], (h, w)))
    coarse = patch_map.detach().relu()
    cross = torch.minimum(cross, limit)
    cam = cross * coarse
    fine = tokens_to_map(fused[:, -n:, -n:] @ cam.flatten(2).mT, (h, w))
    logits = model.token_head(tokens[:, :k]), patch_map.mean((2, 3)), fine.mean((2, 3))
    return CamOutput(*logits, coarse, cross, cam, fine, weights, patch_map)


def record(gathered: torch.Tensor) -> LayerRecord:
    """What the head weighting looks at, (B, H, T, D/H); the rest stands in."""
    tokens = gathered.transpose(1, 2).flatten(2)
    return LayerRecord(gathered, gathered, 1.0, gathered, tokens, tokens)


def medians(**ways) -> dict[str, float]:
    """Seconds of each way, in turns; a first round is not counted."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def fast(model: torch.nn.Module, images: torch.Tensor):
    """A forward pass as the commands make it."""
    with fast_inference(model):
        return model(images)


def forwards(*shape: int) -> dict[str, float]:
    plain, model, images = plain_vit(), network(), torch.randn(*shape)
    with torch.no_grad():
        return medians(
            plain=lambda: plain(images),
            maps=lambda: model(images),
            plain_fast=lambda: fast(plain, images),
            maps_fast=lambda: fast(model, images),
        )


def work(way) -> int:
    """Operations of the matrix products; those of fused kernels would go uncounted."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        way()
    return counter.get_total_flops()


def arithmetic() -> dict[str, float]:
    """The least that the ratios in float32 can be where all arithmetic is equally fast."""
    plain, model = plain_vit(), network()
    one, eight = torch.randn(1, 3, 384, 512), torch.randn(8, 3, 224, 224)
    with torch.no_grad():
        found = {
            part: work(lambda seen=images: model(seen))
            / work(lambda seen=images: plain(seen))
            for part, images in zip(PARTS, (one, eight), strict=False)
        }
    tags = torch.zeros(4, CLASSES)

    def step(forward) -> None:
        three_head_loss(forward(eight[:4]), tags).total.backward()

    ours, theirs = work(lambda: step(model)), work(lambda: step(partial(naive, model)))
    return found | {"training step, 4 photos": ours / theirs}


def steps() -> dict[str, float]:
    model, images = network().train(), torch.randn(4, 3, 224, 224)
    tags = (torch.rand(4, CLASSES) > 0.9).float()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)

    def step(forward, reduced: bool = False) -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            loss = three_head_loss(forward(images), tags).total
        loss.backward()
        optimizer.step()

    return medians(
        naive=lambda: step(lambda x: naive(model, x)),
        ours=lambda: step(model),
        ours_auto=lambda: step(model, mixed_precision() == "bf16"),
    )


def views() -> dict[str, float]:
    model, images, looked = network(), torch.randn(1, 3, 256, 336), make_views(SCALES)

    def separately() -> None:
        for view in looked:
            seen = rescale(images, view.scale)
            model(flip(seen) if view.mirrored else seen)

    def together() -> None:
        with fast_inference(model):
            infer_tagged(model, images, [np.array([3, 7])], looked, ["fine_cam"])

    with torch.no_grad():
        return medians(separate=separately, together=together)


PARTS = {
    "one photo, 384 x 512": lambda: forwards(1, 3, 384, 512),
    "8 photos, 224 x 224": lambda: forwards(8, 3, 224, 224),
    "training step, 4 photos": steps,
    "two scales, mirrored too": views,
}


RATIOS = {
    "384 x 512, all maps, float32 : plain ViT, float32":
        ("one photo, 384 x 512", "maps", "plain", 1.10),
    "384 x 512, all maps, as the commands : plain ViT, float32":
        ("one photo, 384 x 512", "maps_fast", "plain", 1.10),
    "384 x 512, all maps : plain ViT, both as the commands":
        ("one photo, 384 x 512", "maps_fast", "plain_fast", 1.10),
    "8 of 224 x 224, all maps, float32 : plain ViT, float32":
        ("8 photos, 224 x 224", "maps", "plain", 1.05),
    "8 of 224 x 224, all maps, as the commands : plain ViT, float32":
        ("8 photos, 224 x 224", "maps_fast", "plain", 1.05),
    "training step, float32 : naive step, float32":
        ("training step, 4 photos", "ours", "naive", 0.75),
    "training step, as train-cam : naive step, float32":
        ("training step, 4 photos", "ours_auto", "naive", 0.75),
    "CAMs of two scales, mirrored, as make-labels : four forwards, float32":
        ("two scales, mirrored too", "together", "separate", 0.90),
}  # fmt: skip
"""What is compared → part, our way, the other way, what the ratio should stay below."""


def tokens(way: str, side: int) -> dict[str, float]:
    """Seconds and MiB that a forward pass of one photo needs."""
    images = torch.randn(1, 3, side, side)
    model = plain_vit() if way == "plain" else network()
    begin = peak()
    with torch.no_grad():
        once = {
            "plain": lambda: model(images),
            "naive": lambda: naive(model, images),
            "all maps": lambda: model(images),
            "as the commands": lambda: fast(model, images),
        }[way]
        once()
        start = time.perf_counter()
        once()
    return dict(seconds=time.perf_counter() - start, mib=peak() - begin)


def peak() -> float:
    """MiB that this process held at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


WAYS = ("plain", "naive", "all maps", "as the commands")


def free_mib() -> float:
    table = Path("/proc/meminfo")
    if not table.exists():
        return 0.0
    line = next(it for it in table.read_text().splitlines() if "MemAvailable" in it)
    return int(line.split()[1]) / 1024


def stack_mib(side: int) -> float:
    """What the naive stack and its weighted copy would need."""
    return 3 * 12 * 6 * ((side // 16) ** 2 + CLASSES) ** 2 * 4 / 2**20


def evaluation(voc: str) -> dict:
    """Val at two scales, mirrored too, with the CAM network that is shipped."""
    model, data = WeakTr.pretrained("voc"), open_dataset(voc, "val")
    start = time.perf_counter()
    with fast_inference(model):
        evaluate_cams(model, data, views=make_views(SCALES), eval_size=252, batch_size=16)
    return dict(photos=len(data), seconds=time.perf_counter() - start, mib=peak())


def waiting(voc: str) -> dict[str, float]:
    """The share of time in which a network waits for photos."""
    model = WeakTr.pretrained("voc")
    data = open_dataset(voc, "val")
    found = {}
    with torch.no_grad(), fast_inference(model):
        batches = iter(same_size_batches(data, 4, range(24)))
        found["evaluation"] = share_waited(
            batches,
            lambda batch: [
                model(model.prepare([resize_short_side(s.image, 252) for _, s in batch]))
            ],
        )
    transform = train_transform("crop", 224, statistics_of(model))
    train = TaggedTensors(open_dataset(voc, "train"), transform)
    model.train()
    batches = batches_of(begin_epoch(0, len(train)), 8, 0, 1)[:6]
    for workers in (0, 1):
        loader = iter(make_loader(train, batches, workers, 0, always=False))
        found[f"training, {workers} workers"] = share_waited(
            loader, lambda batch: three_head_loss(model(batch[0]), batch[1])[-1].backward()
        )
    return found


def share_waited(batches, use) -> float:
    """Time in ``next`` of all time; what the first batch waits is start, not hunger."""
    use(next(batches))
    waited, begun = 0.0, time.perf_counter()
    while True:
        start = time.perf_counter()
        batch = next(batches, None)
        waited += time.perf_counter() - start
        if batch is None:
            return waited / (time.perf_counter() - begun)
        use(batch)


def child(*arguments: str):
    """What this script says when it is asked for one part, in a process of its own."""
    command = [sys.executable, __file__, "--part", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def all_parts(voc: str | None) -> dict:
    said = [child("ratios") for _ in range(PROCESSES)]
    seconds = {
        part: {way: statistics.median(s[part][way] for s in said) for way in said[0][part]}
        for part in PARTS
    }
    ratios = {
        name: statistics.median(s[part][ours] / s[part][theirs] for s in said)
        for name, (part, ours, theirs, _) in RATIOS.items()
    }
    cost = [
        dict(way=way, side=side, **child("tokens", way, str(side)))
        for side in SIDES
        for way in WAYS
        if way != "naive" or stack_mib(side) < free_mib()
    ]
    found = dict(measured=measured(), ratios=ratios, seconds=seconds, tokens=cost)
    found["arithmetic"] = arithmetic()
    if voc:
        found |= dict(waiting=child("waiting", voc), evaluation=child("evaluation", voc))
    return found


def table(found: dict) -> str:
    """Markdown."""
    lines = [found["measured"], "", "| time of … : of … | ratio | aim |", "|---|---|---|"]
    lines += [
        f"| {name} | {found['ratios'][name]:.2f} | ≤ {aim:.2f} |"
        for name, (*_, aim) in RATIOS.items()
    ]
    if "evaluation" in found:
        it = found["evaluation"]
        minutes = f"{it['seconds'] / 60:.1f} min, {it['mib']:.0f} MiB"
        lines.append(
            f"| {it['photos']} photos at two scales, mirrored | {minutes} | < 3 min |"
        )
        lines += [
            f"| {name}: share of the time in which photos are waited for | "
            f"{100 * share:.1f} % | 0 |"
            for name, share in found["waiting"].items()
        ]
    counted = [f"{part}: {ratio:.2f}" for part, ratio in found["arithmetic"].items()]
    lines += ["", f"The same in float32, operations counted: {'; '.join(counted)}."]
    lines += ["", "One photo, seconds and MiB:", ""]
    lines += [f"| side | {' | '.join(WAYS)} |", "|---" * (1 + len(WAYS)) + "|"]
    cells = {
        (it["way"], it["side"]): f"{it['seconds']:.2f} s, {it['mib']:.0f} MiB"
        for it in found["tokens"]
    }
    for side in SIDES:
        row = [cells.get((way, side), "not enough memory") for way in WAYS]
        lines.append(f"| {side} | {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def plot(found: dict, path: Path) -> None:
    """Seconds and memory against tokens."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, key, unit in zip(axes, ("seconds", "mib"), ("seconds", "MiB"), strict=True):
        for way in WAYS:
            points = [
                ((it["side"] // 16) ** 2, it[key])
                for it in found["tokens"]
                if it["way"] == way
            ]
            axis.plot(*zip(*points, strict=True), marker="o", label=way)
        axis.set(xlabel="patches of one photo", ylabel=unit, xscale="log", yscale="log")
    axes[0].legend(frameon=False)
    write_atomically(path, lambda part: figure.savefig(part, dpi=110))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voc", nargs="?", help="folder laid out like VOC 2012")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        part, *rest = arguments.part
        said = {
            "ratios": lambda: {name: work() for name, work in PARTS.items()},
            "tokens": lambda: tokens(rest[0], int(rest[1])),
            "waiting": lambda: waiting(*rest),
            "evaluation": lambda: evaluation(*rest),
        }[part]()
        print(json.dumps(said))
        return
    found = all_parts(arguments.voc)
    write_json(RESULTS / "speed.json", found)
    (RESULTS / "speed.md").write_text(table(found), "utf8")
    plot(found, RESULTS / "speed.png")
    print(table(found))


if __name__ == "__main__":
    main()
