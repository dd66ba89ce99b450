"""A table of hostile input: each case is refused in one line, or read as it should be.

Whatever comes, no command ends in a traceback, leaves half a file, writes outside the
folders it was given or runs code of a stranger.
"""

import argparse
import io
import json
import os
import pickle
import shlex
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from weaktr_core.__main__ import main
from weaktr_core.networks.checkpoints import CheckpointError
from weaktr_core.networks.official import official_state

REFUSED, READ, USAGE = 1, 0, 2
CASES: list = []
OUTCOMES: dict[str, list[str]] = {}


def case(area, name, code, words=""):
    """Add a case: what makes its files and returns the arguments of a command."""

    def add(make):
        CASES.append(pytest.param(area, make, code, words, id=f"{area}: {name}"))
        return make

    return add


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A network trained for a moment on a folder of two classes."""
    folder = tmp_path_factory.mktemp("hostile")
    few = ["--preset", "smoke", "--set", "epochs=1", "img_size=32", "precision=no"]
    data = table(folder / "data", "a.png,dog,train\nb.png,cat,train\nc.png,,val\n")
    assert main(["train-cam", "--data", str(data), "--run", str(folder / "run"), *few]) == 0
    return folder / "run"


def picture(path: Path, size=(40, 32), mode="RGB", **options) -> Path:
    """A photo with something in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).convert(mode).save(path, **options)
    return path


def table(folder: Path, rows: str, photos="abc") -> Path:
    """A folder of photos and ``tags.csv``."""
    for name in photos:
        picture(folder / f"{name}.png")
    (folder / "tags.csv").write_text("photo,tags,split\n" + rows, "utf8")
    return folder


def tree(path: Path) -> set[str]:
    return {str(it.relative_to(path)) for it in path.rglob("*")}


@pytest.mark.parametrize("area, make, code, words", CASES)
def test_hostile(area, make, code, words, run, tmp_path, capsys, request, record_property):
    inside = tmp_path / "in" / "deep"
    inside.mkdir(parents=True)
    arguments = [str(it) for it in make(inside, run)]
    outside = tree(tmp_path) - {f"in/deep/{it}" for it in tree(inside)}
    before, home = tree(run), Path.cwd()
    os.chdir(inside)
    try:
        came = main(arguments)
    finally:
        os.chdir(home)
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if "weaktr: " in line]
    everything = said.out + said.err
    assert came == code, everything[-600:]
    assert len(lines) == (code != READ), lines
    assert words.lower() in everything.lower()
    assert "Traceback" not in everything and "should have been caught" not in everything
    assert not (inside / "owned").exists() and not Path("/tmp/weaktr-owned").exists()
    assert not list(tmp_path.rglob("*.part*"))
    assert tree(tmp_path) - {f"in/deep/{it}" for it in tree(inside)} == outside
    assert tree(run) == before
    OUTCOMES.setdefault(area, []).append("refused" if code else "read")
    record_property("case", request.node.callspec.id)
    telling = [it for it in everything.splitlines() if words.lower() in it.lower()]
    line = telling[0] if words and telling else (lines or [""])[0]
    for path, shown in ((inside, "."), (inside.parent, ".."), (run, "RUN")):
        line = line.replace(str(path), shown)
    said_of_it = line.encode("ascii", "backslashreplace").decode().strip()[:200]
    outcome = f"refused: {said_of_it}" if code else f"read {said_of_it}".strip()
    record_property("outcome", outcome)


# --- photos ------------------------------------------------------------------------------


def one_photo(content: bytes | None = None, name="a.jpg", **options):
    def make(folder, run):
        path = folder / name
        picture(path, **options) if content is None else path.write_bytes(content)
        (folder / "tags.csv").write_text(f"photo,tags,split\n{name},dog,train\n")
        return ["doctor", folder]

    return make


def jpeg(**options) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (32, 40, 3), np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is huge and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    parts = [(b"IHDR", head), (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


for name, code, words, make in [
    ("truncated", REFUSED, "expected a photo", one_photo(jpeg()[:400])),
    ("zero bytes", REFUSED, "0 bytes in no image format", one_photo(b"")),
    ("text", REFUSED, "in no image format", one_photo(b"<html>not found</html>")),
    ("zeros", REFUSED, "in no image format", one_photo(bytes(5000))),
    ("end replaced by zeros", READ, "", one_photo(jpeg()[:-2] + bytes(9))),
    ("CMYK", READ, "", one_photo(mode="CMYK")),
    ("grey", READ, "", one_photo(mode="L")),
    ("palette and alpha", READ, "", one_photo(name="a.png", mode="RGBA")),
    ("1-bit", READ, "", one_photo(name="a.png", mode="1")),
    ("16-bit", REFUSED, "8 bits a channel", one_photo(name="a.png", mode="I;16")),
    ("float", REFUSED, "8 bits a channel", one_photo(name="a.tif", mode="F")),
    ("1 x 1", READ, "", one_photo(name="a.png", size=(1, 1))),
    ("20,000 wide", READ, "", one_photo(name="a.png", size=(20_000, 3))),
    ("bomb", REFUSED, "decompression bomb", one_photo(png_header(60_000, 60_000), "a.png")),
    ("says it is larger", REFUSED, "a photo", one_photo(png_header(900, 900), "a.png")),
    ("PNG called JPEG", READ, "", one_photo(png_header(4, 4))),
    ("broken EXIF", READ, "", one_photo(jpeg(exif=b"Exif\0\0MM\0*" + b"\xff" * 40))),
]:
    case("photo", name, code, words)(make)


@case("photo", "animation", READ)
def animation(folder, run):
    frames = [Image.new("RGB", (40, 32), colour) for colour in ("red", "blue", "green")]
    frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:])
    (folder / "tags.csv").write_text("photo,tags,split\na.gif,dog,train\n")
    return ["doctor", folder]


@case("photo", "pipe", REFUSED, "a pipe or device")
def pipe(folder, run):
    os.mkfifo(folder / "a.jpg")
    (folder / "tags.csv").write_text("photo,tags,split\na.jpg,dog,train\n")
    return ["doctor", folder]


@case("photo", "folder", REFUSED, "Is a directory")
def a_folder(folder, run):
    (folder / "a.jpg").mkdir()
    (folder / "tags.csv").write_text("photo,tags,split\na.jpg,dog,train\n")
    return ["doctor", folder]


@case("photo", "HEIC of a phone in a folder", REFUSED, "came HEIC")
def heic(folder, run):
    picture(folder / "photos" / "a.png")
    (folder / "photos" / "b.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    return ["segment", folder / "photos", "--run", run, "--explorers", "0"]


@case("photo", "long strip", REFUSED, "too long a strip")
def strip(folder, run):
    return ["segment", picture(folder / "a.png", (900, 20)), "--run", run]


@case("photo", "name that is no UTF-8", READ)
def bad_name(folder, run):
    picture(folder / "a.png").rename(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.png"))
    words = ["segment", folder, "--run", run, "--explorers", "1", "-o", folder / "out"]
    return [*words, "--export", "coco", "csv", "cvat", "label-studio"]


@case("photo", "folder whose name is no UTF-8", READ)
def bad_folder(folder, run):
    data = os.fsencode(folder) + b"/\xff"
    shutil.copytree(run.parent / "data", os.fsdecode(data))
    few = ["--preset", "smoke", "--set", "epochs=1", "img_size=32", "precision=no"]
    return ["train-cam", "--data", os.fsdecode(data), "--run", folder / "r", *few]


@case("photo", "too small for a patch", REFUSED, "not one patch")
def tiny(folder, run):
    return ["explore", picture(folder / "a.png"), "--run", run, "--size", "3"]


# --- masks -------------------------------------------------------------------------------


def one_mask(array=None, content=None, table=None, exif=None, **options):
    def make(folder, run):
        exif_of = {"exif": exif} if exif else {}
        picture(folder / "a.jpg", **exif_of)
        path = folder / "masks" / "a.png"
        path.parent.mkdir()
        if content is not None:
            path.write_bytes(content)
        elif array is None:
            picture(path, **options)
        else:
            Image.fromarray(array).save(path)
        if table:
            (folder / "labelmap.txt").write_text(table)
        (folder / "tags.csv").write_text("photo,tags,split\na.jpg,dog,train\n")
        return ["doctor", folder]

    return make


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


DOG = np.zeros((32, 40), np.uint8)
DOG[5:20] = 1
RED = np.zeros((32, 40, 3), np.uint8)
RED[5:20] = (255, 0, 0)

for name, code, words, make in [
    ("ids", READ, "ready", one_mask(DOG)),
    ("0 and 255", REFUSED, "labelmap.txt with the line dog:255", one_mask(DOG * 255)),
    ("0 and 255 with a table", READ, "", one_mask(DOG * 255, table="dog:255,255,255")),
    ("one bit", READ, "", one_mask(DOG.astype(bool))),
    ("id that is no class", REFUSED, "ids 0 to 1 and 255, came 9", one_mask(DOG * 9)),
    ("16 bits, ids in 8", READ, "", one_mask(DOG.astype(np.uint16))),
    ("16 bits, larger ids", REFUSED, "0 to 300", one_mask(DOG.astype(np.uint16) * 300)),
    ("colours", REFUSED, "labelmap.txt can say", one_mask(RED)),
    ("colours with a table", READ, "", one_mask(RED, table="dog:255,0,0::\n")),
    ("another colour", REFUSED, "came 255,0,0", one_mask(RED, table="dog:250,0,0::\n")),
    ("table of no colours", REFUSED, "colours R,G,B", one_mask(RED, table="dog:red::\n")),
    ("table of twins", REFUSED, "of its own", one_mask(RED, table="dog:1,1,1\ncat:1,1,1")),
    ("another size", REFUSED, "came 16 x 20", one_mask(DOG[::2, ::2].copy())),
    ("empty file", REFUSED, "0 bytes", one_mask(content=b"")),
    ("background only", REFUSED, "every pixel of every mask is 0", one_mask(DOG * 0)),
    ("turned by 180°", REFUSED, "either way up", one_mask(DOG, exif=turned(3))),
    ("turned by 90°, drawn before", READ, "", one_mask(DOG, exif=turned(6))),
    ("turned by 90°, drawn after", READ, "", one_mask(DOG.T.copy(), exif=turned(6))),
]:
    case("mask", name, code, words)(make)


# --- VOC: XML and lists ------------------------------------------------------------------


def voc(xml=None, listed="a\n", photo="a.jpg", encoding="utf8"):
    def make(folder, run):
        root = folder / "VOC2012"
        lists = root / "ImageSets" / "Segmentation"
        for part in (lists, root / "Annotations"):
            part.mkdir(parents=True)
        picture(root / "JPEGImages" / photo)
        good = "<annotation><object><name>cat</name></object></annotation>"
        (root / "Annotations" / "a.xml").write_text(good if xml is None else xml)
        (lists / "train.txt").write_bytes(listed.encode(encoding))
        return ["doctor", root]

    return make


LAUGHS = "".join(
    f'<!ENTITY l{n} "{("&l" + str(n - 1) + ";") * 10 if n else "ha"}">' for n in range(10)
)
OBJECT = "<object><name>{}</name></object>"

for name, code, words, make in [
    ("cut off", REFUSED, "an XML annotation", voc("<annotation><object>")),
    ("empty", REFUSED, "an XML annotation", voc("")),
    (
        "entity bomb",
        REFUSED,
        "EntitiesForbidden",
        voc(f"<!DOCTYPE a [{LAUGHS}]><a>&l9;</a>"),
    ),
    (
        "outside entity",
        REFUSED,
        "EntitiesForbidden",
        voc('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'),
    ),
    ("deep", READ, "", voc("<a>" * 20_000 + "</a>" * 20_000)),
    ("unknown name", REFUSED, "came 'dodo'", voc(f"<a>{OBJECT.format('dodo')}</a>")),
    ("object without a name", REFUSED, "came ''", voc("<a><object/></a>")),
]:
    case("XML", name, code, words)(make)

for name, code, words, make in [
    ("leaves its folder", REFUSED, "inside its folder", voc(listed="../../../a\n")),
    ("absolute", REFUSED, "inside its folder", voc(listed="/etc/passwd\n")),
    ("drive", REFUSED, "inside its folder", voc(listed="C:\\x\n")),
    ("zero byte", REFUSED, "inside its folder", voc(listed="a\0\n")),
    ("empty", REFUSED, "an empty file", voc(listed="\n\n")),
    ("UTF-16", REFUSED, "UTF-8", voc(encoding="utf-16")),
    ("byte-order mark", READ, "", voc(encoding="utf-8-sig")),
    ("paths", READ, "", voc(listed="/JPEGImages/a.jpg /SegmentationClassAug/a.png\n")),
    ("marks", READ, "", voc(listed="a  -1\n")),
    ("twice the same", REFUSED, "name used more than once", voc(listed="a\na\n")),
    ("no such photo", REFUSED, "no such file", voc(listed="b\n")),
    (".JPG", READ, "", voc(photo="a.JPG")),
]:
    case("list", name, code, words)(make)


# --- COCO --------------------------------------------------------------------------------


def coco(text=None, **changes):
    def make(folder, run):
        (folder / "annotations").mkdir()
        picture(folder / "train2017" / "a.jpg")
        box = [[4, 4, 20, 4, 20, 20, 4, 20]]
        index = {
            "images": [{"id": 1, "file_name": "a.jpg", "height": 32, "width": 40}],
            "annotations": [{"image_id": 1, "category_id": 1, "segmentation": box}],
            "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
        }
        for key, value in changes.items():
            known = key in ("images", "annotations", "categories")
            at = (
                index
                if known
                else index["images" if key in index["images"][0] else "annotations"][0]
            )
            at[key] = value
        path = folder / "annotations" / "instances_train2017.json"
        path.write_text(json.dumps(index) if text is None else text)
        return ["doctor", folder]

    return make


def shape(outline):
    return coco(segmentation=outline)


INF = float("inf")
for name, code, words, make in [
    ("no JSON", REFUSED, "a JSON file", coco("{")),
    ("a list", REFUSED, "a JSON object", coco("[]")),
    ("deep", REFUSED, "a JSON file", coco("[" * 200_000)),
    ("nothing in it", REFUSED, "COCO's format", coco("{}")),
    ("numbers for entries", REFUSED, "COCO's format", coco(images=[1])),
    ("no photo", REFUSED, "no image", coco(images=[], annotations=[])),
    ("unknown image", REFUSED, "unknown images 7", coco(image_id=7)),
    ("unknown category", REFUSED, "COCO's format", coco(category_id=7)),
    ("name leaves the folder", REFUSED, "inside its folder", coco(file_name="../../x.jpg")),
    ("absolute name", REFUSED, "inside its folder", coco(file_name="/etc/passwd")),
    ("name that is a number", REFUSED, "COCO's format", coco(file_name=5)),
    ("corner at 1e7", REFUSED, "far outside", shape([[1, 1, 1e7, 1, 9, 9]])),
    ("corner at infinity", REFUSED, "far outside", shape([[1, 1, INF, 1, 9, 9]])),
    ("corner that is no number", REFUSED, "far outside", shape([[1, 1, float("nan"), 1, 9, 9]])),
    ("short RLE", REFUSED, "do not fill", shape({"size": [32, 40], "counts": "04"})),
    ("RLE of noise", REFUSED, "a sign", shape({"size": [32, 40], "counts": "\x01~~"})),
    ("negative RLE", REFUSED, "do not fill", shape({"size": [32, 40], "counts": [-9, 1289]})),
    ("RLE of another size", REFUSED, "size [3, 3]", shape({"size": [3, 3], "counts": [9]})),
    ("box only", READ, "", shape([])),
    ("two points", READ, "", shape([[1, 1, 2, 2]])),
    ("size of a planet", REFUSED, "a size of", coco(height=10**9, width=10**9)),
    ("size of another photo", REFUSED, "came 90 x 90", coco(height=90, width=90)),
    ("300 classes", REFUSED, "1 to 254 classes",
     coco(categories=[{"id": n, "name": f"c{n}"} for n in range(300)])),
    ("twins of a class", REFUSED, "one spelling",
     coco(categories=[{"id": 1, "name": "dog"}, {"id": 2, "name": "Dog"}])),
]:  # fmt: skip
    case("COCO", name, code, words)(make)


# --- tags --------------------------------------------------------------------------------


def tags(rows, raw=None):
    def make(folder, run):
        table(folder, rows)
        if raw is not None:
            (folder / "tags.csv").write_bytes(raw)
        return ["doctor", folder]

    return make


for name, code, words, make in [
    ("empty", REFUSED, "columns photo,tags", tags("", b"")),
    ("UTF-16", REFUSED, "UTF-8", tags("", "photo,tags\na.png,dog\n".encode("utf-16"))),
    ("huge field", REFUSED, "field larger", tags(f"a.png,{'x' * 200_000},train\n")),
    ("leaves its folder", REFUSED, "inside its folder", tags("../a.png,dog,train\n")),
    ("absolute", REFUSED, "inside its folder", tags("/etc/passwd,dog,train\n")),
    ("dog and Dog", REFUSED, "came Dog, dog", tags("a.png,dog,train\nb.png,Dog,train\n")),
    ("accents two ways", READ, "1 class",
     tags("a.png,K\u00e4fer,train\nb.png,Ka\u0308fer,train\nc.png,,train\n")),
    ("300 classes", REFUSED, "1 to 254", tags(f"a.png,{'|'.join(map(str, range(300)))},train\n")),
    ("control sign", REFUSED, "can be printed", tags("a.png,do\x07g,train\n")),
    ("script", READ, "</script>", tags("a.png,</script><script>alert(1)</script>,train\n")),
    ("right to left", READ, "", tags("a.png,\u202ecod\u05d0,train\n")),
    ("formula", READ, "", tags("a.png,=cmd()|$x$,train\n")),
    ("no photo of the split", REFUSED, "split 'train'", tags("a.png,dog,test\n")),
    ("a photo twice", REFUSED, "'a.png' again", tags("a.png,dog,train\na.png,cat,train\n")),
    ("a photo that is not there", REFUSED, "no such file", tags("z.png,dog,train\n")),
]:  # fmt: skip
    case("tags", name, code, words)(make)


@case("tags", "jsonl of numbers", REFUSED, "tags that are names")
def numbers(folder, run):
    picture(folder / "a.png")
    (folder / "metadata.jsonl").write_text('{"file_name": "a.png", "label": 3}\n')
    return ["doctor", folder]


@case("tags", "jsonl cut off", REFUSED, "line 1: expected a JSON object")
def cut(folder, run):
    picture(folder / "a.png")
    (folder / "metadata.jsonl").write_text('{"file_name": "a.png", "la')
    return ["doctor", folder]


# --- checkpoints and run folders ---------------------------------------------------------


def stranger(change):
    """A copy of the run whose best network is changed; ``evaluate`` opens it."""

    def make(folder, run):
        copy = folder / "run"
        shutil.copytree(run, copy)
        for name in ("last", "previous"):
            shutil.rmtree(copy / name, ignore_errors=True)
        change(copy)
        return ["evaluate", copy, "--data", run.parent / "data", "--split", "train"]

    return make


def described(**changes):
    """The network's file with other words about it."""

    def change(copy):
        from safetensors import safe_open

        path = copy / "best.safetensors"
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["weaktr"])
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        for key, value in changes.items():
            at = about["source"] if key in about["source"] else about
            at[key] = value
        save_file(state, path, metadata={"weaktr": json.dumps(about)})

    return stranger(change)


class Owned:
    """Unpickled, it leaves a file."""

    def __reduce__(self):
        return Path.touch, (Path("/tmp/weaktr-owned"),)


def pickled(copy):
    (copy / "best.safetensors").write_bytes(pickle.dumps(Owned()))


def half(copy):
    path = copy / "best.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def config_with(text):
    return stranger(lambda copy: (copy / "config.json").write_text(text))


def piped(path):
    """A pipe that nobody writes to, where a file was."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)


EVIL = {"checkpoint_path": "/tmp/evil.pth"}
for name, code, words, make in [
    ("as it is", READ, "", stranger(lambda copy: None)),
    ("pickle", REFUSED, "expected safetensors", stranger(pickled)),
    ("cut in half", REFUSED, "expected safetensors", stranger(half)),
    ("page of HTML", REFUSED, "expected safetensors",
     stranger(lambda copy: (copy / "best.safetensors").write_text("<!doctype html>"))),
    ("no network", REFUSED, "no such checkpoint",
     stranger(lambda copy: (copy / "best.safetensors").unlink())),
    ("option that loads a file", REFUSED, "no option checkpoint_path",
     described(vit_options=EVIL)),
    ("option with a file in it", REFUSED, "no option pretrained_cfg",
     described(vit_options={"pretrained_cfg": {"file": "/tmp/evil.pth"}})),
    ("name of a hub", REFUSED, "a model's name", described(name="hf-hub:evil/model")),
    ("name of a folder", REFUSED, "a model's name", described(name="local-dir:/tmp")),
    ("unknown name", REFUSED, "no such network", described(name="vit_evil")),
    ("a million classes", REFUSED, "from 1 to 1000", described(num_classes=10**6)),
    ("other classes", REFUSED, "came 2 names", described(num_classes=5)),
    ("sizes that do not go together", REFUSED, "no such network",
     described(vit_options={"embed_dim": 50, "num_heads": 7, "depth": 3})),
    ("weights of another size", REFUSED, "best.safetensors",
     described(vit_options={"embed_dim": 24, "num_heads": 3, "depth": 3})),
    ("options that are a list", REFUSED, "options", described(options=[])),
    ("config cut off", REFUSED, "config.json", config_with('{"epochs"')),
    ("config that is a list", REFUSED, "config.json", config_with("[]")),
    ("config of NaN", REFUSED, "threshold", config_with('{"threshold": NaN}')),
    ("config without end", REFUSED, "RecursionError", config_with("[" * 200_000)),
    ("config that is a pipe", REFUSED, "config.json: expected a JSON file, came a pipe",
     stranger(lambda copy: piped(copy / "config.json"))),
    ("network that is a pipe", REFUSED, "no such checkpoint",
     stranger(lambda copy: piped(copy / "best.safetensors"))),
]:  # fmt: skip
    case("checkpoint", name, code, words)(make)


def report_of(change):
    def make(folder, run):
        copy = shutil.copytree(run, folder / "run")
        change(copy)
        return ["report", copy]

    return make


for name, words, change in [
    ("history of numbers", "history.jsonl line 1: expected a JSON object, came 3",
     lambda copy: (copy / "history.jsonl").write_text("3")),
    ("history of other bytes", "history.jsonl: expected",
     lambda copy: (copy / "history.jsonl").write_bytes(b"\xff\xfe")),
    ("history without losses", "losses: expected values by name, came None",
     lambda copy: (copy / "history.jsonl").write_text('{"epoch": 0, "seconds": 1}')),
    ("history that is a pipe", "history.jsonl: expected",
     lambda copy: piped(copy / "history.jsonl")),
    ("a run that names no data", "config.json: expected a value for data, came none",
     lambda copy: (copy / "config.json").write_text("{}")),
]:  # fmt: skip
    case("checkpoint", name, REFUSED, words)(report_of(change))


@case("checkpoint", "labels.json cut off", REFUSED, "labels.json")
def broken_labels(folder, run):
    shutil.copytree(run, folder / "run")
    (folder / "run" / "labels").mkdir(exist_ok=True)
    (folder / "run" / "labels" / "labels.json").write_text('{"threshold": ')
    return ["segment", picture(folder / "a.png"), "--run", folder / "run"]


@case("checkpoint", "labels.json of NaN", REFUSED, "a number from 0 to 1")
def labels_of_nan(folder, run):
    shutil.copytree(run, folder / "run")
    (folder / "run" / "labels").mkdir(exist_ok=True)
    (folder / "run" / "labels" / "labels.json").write_text('{"threshold": NaN}')
    return ["segment", picture(folder / "a.png"), "--run", folder / "run"]


def official(name, content, words):
    def check(tmp_path):
        path = tmp_path / "official.pth"
        content(path)
        with pytest.raises(CheckpointError) as caught:
            official_state(path)
        assert words in str(caught.value) and "\n" not in str(caught.value)
        assert not Path("/tmp/weaktr-owned").exists()
        OUTCOMES.setdefault("official", []).append("refused")

    return pytest.param(check, id=name)


def zipped(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("../../../tmp/weaktr-owned", b"x")
        file.writestr("archive/data.pkl", pickle.dumps(Owned()))


@pytest.mark.parametrize(
    "check",
    [
        official(
            "pickle", lambda p: p.write_bytes(pickle.dumps(Owned())), "more than weights"
        ),
        official("saved pickle", lambda p: torch.save({"model": Owned()}, p), "run code"),
        official("HTML", lambda p: p.write_text("<html>"), "a page of HTML"),
        official("empty", lambda p: p.write_bytes(b""), "a PyTorch file"),
        official("zip that leaves its folder", zipped, "not a readable checkpoint"),
        official("a list", lambda p: torch.save([1], p), "came a list"),
        official("no weights", lambda p: torch.save({"epoch": 3}, p), "a dict with epoch"),
        official("not there", lambda p: None, "no such checkpoint"),
    ],
)
def test_official_files_that_are_none(check, tmp_path):
    check(tmp_path)


def test_official_files_as_they_go_round(tmp_path):
    weights = {"module.x": torch.ones(2)}
    args = argparse.Namespace(lr=0.1, out=Path("x"), scale=np.float64(0.69))
    for stored in ({"state_dict": weights, "args": args}, {"model": weights}, weights):
        torch.save(stored, tmp_path / "a.pth")
        assert list(official_state(tmp_path / "a.pth")) == ["x"]
    OUTCOMES.setdefault("official", []).extend(["read"] * 3)


def test_a_file_written_under_numpy_1_is_read(shared):
    assert official_state(shared / "cases" / "saved_with_numpy_1_26.pth")


# --- CAM files ---------------------------------------------------------------------------


def cam_file(write):
    def make(folder, run):
        data = table(folder / "data", "a.png,dog,train\nb.png,cat,train\nc.png,,val\n")
        masks = folder / "labels" / "masks"
        masks.mkdir(parents=True)
        write(masks / "a.png")
        picture(masks / "b.png", mode="L")
        train = ["train-seg", "--data", data, "--labels", masks, "--run", folder / "seg"]
        return [*train, "--preset", "smoke", "--set", "epochs=1", "pretrained=False"]

    return make


for name, words, make in [
    ("mask cut off", "a.png", cam_file(lambda p: p.write_bytes(jpeg()[:90]))),
    ("mask of another size", "a.png", cam_file(lambda p: Image.new("L", (9, 9)).save(p))),
    ("mask of colours", "a.png", cam_file(lambda p: picture(p))),
    (
        "mask with a strange id",
        "a.png",
        cam_file(lambda p: Image.fromarray(DOG * 9).save(p)),
    ),
]:
    case("labels", name, REFUSED, words)(make)


@case("labels", "CAM file that is a pipe is made anew", READ)
def cam_pipe(folder, run):
    copy = shutil.copytree(run, folder / "run")
    piped(folder / "cams" / "a.npz")
    words = ["make-labels", copy, "--out", folder / "out", "--crf", "none"]
    return [*words, "--cams", folder / "cams"]


# --- settings and arguments --------------------------------------------------------------

for text, words in {
    "epochs=2.5": "epochs: expected a whole number from 1",
    "epochs=0": "epochs: expected a whole number from 1",
    "epochs=nan": "epochs: expected a whole number",
    "batch_size=0": "batch_size",
    "augment=none": "one of flip, crop, strong",
    "schedule=poly": "one of one-cycle",
    "head_lr=-1": "head_lr: expected a number from 0",
    "head_lr=1e999": "head_lr",
    "threshold=nan": "threshold",
    "scales=()": "scales",
    "scales=0": "scales",
    "precision=fp64": "one of auto",
    "workers=-1": "workers",
    "backbone=vit_tiny_patch16_242": "such as vit_tiny_patch16_2",
    "backbone=resnet50": "a ViT of timm",
    "backbone=hf-hub:evil/model": "a model's name",
    "vit_options={'checkpoint_path':'x'}": "no option checkpoint_path",
    "vit_options={'num_heads':5}": "expected sizes that go together",
    "img_size=8": "scenes are 32 pixels or larger",
    "model={'fusion':'random:x'}": "fusion",
    "eval_size=big": "eval_size",
    "nothing=1": "no setting named nothing",
    "epochs": "NAME=VALUE",
    "seed=" + "9" * 5000: "seed",
    "epochs=__import__('os')": "epochs",
}.items():

    @case("settings", text[:40], REFUSED, words)
    def settings(folder, run, text=text):
        return ["train-cam", "--preset", "smoke", "--run", folder / "r", "--set", text]


@case("settings", "a size below a patch", REFUSED, "at least one patch, came 8 pixels")
def below_a_patch(folder, run):
    start = ["train-cam", "--preset", "smoke", "--data", run.parent / "data"]
    return [*start, "--run", folder / "r", "--set", "img_size=8"]


for flags, words in {
    "--labels true --set stride=320 window=224": "stride: expected at most the window",
    "--labels true --set loss=clip": "one of clipped, cross-entropy",
    "--labels true --set train_ratios=(2,1)": "train_ratios",
    "--labels true --set lr=0": "lr: expected a number above 0",
    "--labels true --set decoder={'depth':3}": "no option depth",
}.items():

    @case("settings", flags[14:], REFUSED, words)
    def seg_settings(folder, run, flags=flags):
        start = ["train-seg", "--preset", "smoke", "--run", folder / "r"]
        return [*start, *flags.split()]


for line, words in {
    "make-labels RUN --threshold nan": "otsu, peek or a number",
    "make-labels RUN --threshold 2": "from 0 to 1",
    "make-labels RUN --ignore-band -1": "from 0 to 0.5",
    "make-labels RUN --scales 0": "--scales",
    "doctor scenes:3 --limit -1": "--limit",
    "segment a.png --run RUN --size 1e9": "--size",
    "segment a.png --run RUN --explorers -2": "--explorers",
    "explore a.png --size nan": "--size",
    "nonsense": "invalid choice",
    "train-cam --preset phone": "invalid choice",
    "train-cam --run ''": "an argument is empty",
}.items():

    @case("arguments", line, USAGE, words)
    def usage(folder, run, line=line):
        return [str(run) if word == "RUN" else word for word in shlex.split(line)]


@case("arguments", "more scenes than fit", REFUSED, "number of scenes")
def scenes(folder, run):
    return ["doctor", "scenes:-3"]


@case("arguments", "a split that leaves the folder", REFUSED, "a list")
def split(folder, run):
    return [*voc()(folder, run), "--split", "../../../etc/passwd"]


@case("arguments", "an output that is a folder", REFUSED, "in/deep: Is a directory")
def output(folder, run):
    return ["doctor", "scenes:2", "--json", folder]


@case("arguments", "an output below a file", REFUSED, "")
def below(folder, run):
    (folder / "file").write_text("")
    return ["doctor", "scenes:2", "--json", folder / "file" / "x.json"]


def drawn(folder, run):
    """The run's photos, with masks that somebody drew."""
    data = shutil.copytree(run.parent / "data", folder / "data")
    (data / "masks").mkdir()
    for name in "ab":
        Image.fromarray(DOG).save(data / "masks" / f"{name}.png")
    return data


@case("arguments", "labels where the true masks are", REFUSED, "came the data's masks")
def labels_over_masks(folder, run):
    data = drawn(folder, run)
    return ["make-labels", run, "--data", data, "--out", data, "--crf", "none"]


@case("arguments", "masks of photos where theirs are", REFUSED, "came the data's masks")
def masks_over_masks(folder, run):
    data = drawn(folder, run)
    return ["segment", data, "--run", run, "-o", data / ".." / "data"]


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_whoever_closed_the_output_gets_no_traceback(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, name, None)
    assert main(["doctor", "scenes:2"]) == 0
    monkeypatch.setattr(sys, name, None)
    assert main(["doctor", "scenes:-2"]) == 1


def test_a_reader_that_goes_away_is_said_in_one_line():
    """As ``weaktr doctor … | head -1``: the pipe is closed before the report comes."""
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "weaktr_core", "doctor", "scenes:2"]
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    *before, last = done.stderr.splitlines()
    assert last == "weaktr: the program that read the output has gone"
    assert "Traceback" not in done.stderr and not any("weaktr:" in it for it in before)
    assert done.returncode == 1


def test_an_output_of_ascii_shows_any_name(tmp_path):
    table(tmp_path, "a.png,\u72d7$x^2$,train\nb.png,K\u00e4fer,train\n")
    words = [sys.executable, "-m", "weaktr_core", "doctor", tmp_path]
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, capture_output=True, env=ascii_only, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert "\\u72d7$x^2$" in done.stdout and "K\\xe4fer" in done.stdout


def test_the_table_is_long_enough(note):
    """Runs last: says what became of the cases."""
    counts = {area: (len(it), it.count("refused")) for area, it in OUTCOMES.items()}
    for area, (cases, refused) in sorted(counts.items()):
        note(f"hostile {area}: {cases} cases, {refused} refused, {cases - refused} read")
    assert len(CASES) >= 80
