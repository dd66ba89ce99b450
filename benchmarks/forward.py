"""What the CAM maps cost: ``python benchmarks/forward.py``.

One DeiT-S forward pass with all maps against a plain timm forward pass of the same
photo, interleaved, medians, as a ratio.
"""

import statistics
import time

import timm
import torch
from machine import measured

from weaktr_core.networks.cam import WeakTr

SIZE, ROUNDS = (384, 512), 9


def seconds(function, images) -> float:
    start = time.perf_counter()
    with torch.no_grad():
        function(images)
    return time.perf_counter() - start


def main() -> None:
    name = "deit_small_patch16_224"
    options = {"img_size": 224, "dynamic_img_size": True}
    plain = timm.create_model(name, **options).eval()
    model = WeakTr.from_timm(name, 20, img_size=224).eval()
    images = torch.randn(1, 3, *SIZE)
    times = {"plain": [], "cams": []}
    for _ in range(ROUNDS):
        times["plain"].append(seconds(plain, images))
        times["cams"].append(seconds(model, images))
    medians = {key: statistics.median(values) for key, values in times.items()}
    print(measured() + "\n")
    print(f"plain {medians['plain']:.3f} s, with all maps {medians['cams']:.3f} s,")
    print(f"ratio {medians['cams'] / medians['plain']:.2f}")


if __name__ == "__main__":
    main()
