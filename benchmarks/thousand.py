"""A thousand photos as people have them: any size, any format, some broken.

``python benchmarks/thousand.py PHOTOS`` makes them of a folder of JPEGs: seven formats,
sizes from 40 to 1,600 pixels, EXIF rotation, grey, palette and transparent pictures, and
thirty that are no picture, cut off, empty, or called what they are not. Then ``doctor``
must name the thirty and read the others, ``segment`` write a mask for each of the others,
and ``train-cam`` and ``make-labels`` end well without the thirty.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from machine import measured
from PIL import Image

from weaktr_core.runtime import write_json

COUNT, BROKEN = 1000, 30
FORMATS = ("jpg", "png", "webp", "bmp", "tif", "jpeg", "JPG")
SIZES = (40, 96, 160, 256, 320, 640, 1600)
SMALL = ["img_size=32", "eval_size=32", "epochs=1", "precision=no"]


def main() -> None:
    """Make the photos, run the commands, store what came."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of JPEGs")
    parser.add_argument("--count", type=int, default=COUNT, help="photos to make")
    parser.add_argument(
        "--json", type=Path, default=Path("benchmarks/results/thousand.json")
    )
    asked = parser.parse_args()
    sources = sorted(asked.photos.glob("*.jpg"))
    with TemporaryDirectory() as name:
        folder = Path(name) / "photos"
        broken = make(sources, folder, asked.count)
        found = {"photos": asked.count, "broken": len(broken), "where": measured()}
        found |= run_all(Path(name), folder, broken)
    write_json(asked.json, found)
    print(json.dumps(found, indent=1))


def make(sources: list[Path], folder: Path, count: int) -> list[str]:
    """Write photos, a table of tags; names of those that are broken."""
    folder.mkdir()
    broken, rows = [], ["photo,tags,split"]
    spoil = [index * count // BROKEN for index in range(BROKEN)]
    for index in range(count):
        ending = FORMATS[index % len(FORMATS)]
        path = folder / f"{index:04d}.{ending}"
        data = encoded(Image.open(sources[index % len(sources)]), index, ending)
        if index in spoil:
            data = BREAK[len(broken) % len(BREAK)](data)
            broken.append(path.name)
        path.write_bytes(data)
        tag = ("red", "blue", "red|blue", "")[index % 4]
        rows.append(f"{path.name},{tag},{'val' if index % 20 == 7 else 'train'}")
    (folder / "tags.csv").write_text("\n".join(rows) + "\n")
    return broken


def encoded(photo: Image.Image, index: int, ending: str) -> bytes:
    """A photo of some size and mode in some format."""
    side = SIZES[index % 11 % len(SIZES)]
    photo = photo.resize((side, max(24, side * (3 + index % 4) // 5)))
    kind = ending.lower().replace("jpg", "jpeg").replace("tif", "tiff")
    mode = ("RGB", "L", "P", "RGBA")[index % 4] if kind in ("png", "tiff") else "RGB"
    more = {}
    if kind == "jpeg":
        exif = Image.Exif()
        exif[0x0112] = 1 + index % 8  # orientation
        more = {"exif": exif}
    buffer = io.BytesIO()
    photo.convert(mode).save(buffer, kind, **more)
    return buffer.getvalue()


BREAK: tuple[Callable[[bytes], bytes], ...] = (
    lambda data: b"",
    lambda data: data[: len(data) // 2],
    lambda data: b"not a picture",
    lambda data: data[:20],
    lambda data: np.random.default_rng(0).bytes(len(data)),
)
"""Empty, cut off in the middle, text, hardly a header, noise."""


def run_all(root: Path, folder: Path, broken: list[str]) -> dict:
    """Each command as a user would call it; asserts what must come."""
    found = {}
    for split in ("train", "val"):
        report = root / f"{split}.json"
        code, seconds, _ = weaktr("doctor", folder, "--split", split, "--json", report)
        told = json.loads(report.read_text())
        named = [it for it in told["problems"] if it["kind"] == "unreadable"]
        mine = [name for name in broken if any(name in it["detail"] for it in named)]
        found[f"doctor {split}"] = dict(
            exit_code=code, seconds=seconds, read=told["read"], unreadable=len(named),
            named=len(mine),
        )  # fmt: skip
        assert code == bool(named) and len(named) == told["seen"] - told["read"]
    code, seconds, text = weaktr(
        "segment", folder, "--size", "56", "--scales", "1", "--crf", "none",
        "--explorers", "0", "-o", root / "out",
    )  # fmt: skip
    masks = len(list((root / "out" / "masks").glob("*.png")))
    text = text.replace(f"{folder}/", "")
    found["segment"] = dict(exit_code=code, seconds=seconds, masks=masks, said=text)
    assert masks == len(list(folder.glob("*.*"))) - 1 - len(broken)
    drop(folder / "tags.csv", broken)
    code, seconds, _ = weaktr("train-cam", "--data", folder, "--preset", "smoke", "--run",
                              root / "run", "--set", *SMALL)  # fmt: skip
    found["train-cam"] = dict(exit_code=code, seconds=seconds)
    code, seconds, text = weaktr("make-labels", root / "run", "--crf", "none")
    masks = len(list((root / "run" / "labels" / "masks").glob("*.png")))
    found["make-labels"] = dict(exit_code=code, seconds=seconds, masks=masks)
    assert code == 0 and masks
    return found


def drop(table: Path, names: list[str]) -> None:
    """Take photos out of the table, as the doctor's report asks."""
    rows = table.read_text().splitlines()
    kept = [row for row in rows if row.partition(",")[0] not in names]
    table.write_text("\n".join(kept) + "\n")


def weaktr(*arguments: object) -> tuple[int, float, str]:
    """Exit code, seconds and the last line of a command."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "weaktr_core", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    seconds = round(time.perf_counter() - start, 1)
    print(f"{arguments[0]}: exit code {done.returncode}, {seconds} s", flush=True)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return done.returncode, seconds, lines[-1] if lines else ""


if __name__ == "__main__":
    main()
