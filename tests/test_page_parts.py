"""The page's parts, each against what does the same in Python; run in Node."""

import json
import subprocess

import numpy as np
import pytest
import torch
from page_network import NODE, needs_node
from PIL import Image
from pycocotools import mask as coco_mask

from weaktr_core.labels.recipe import label_map
from weaktr_core.method.cams import normalise
from weaktr_core.method.grid import map_to_image
from weaktr_core.page.compiling import FOLDER
from weaktr_core.page.sample import patch_grid

pytestmark = needs_node
RANDOM = np.random.default_rng(5)


def run(script, tmp_path, **given):
    """What the last line of a module returns, as JSON; `given` and all parts are there."""
    names = (
        "resample",
        "labels",
        "png",
        "coco",
        "setting",
        "mixing",
        "features",
        "picture",
        "sound",
    )
    imports = [f"import * as {n} from '{(FOLDER / f'{n}.js').as_uri()}';" for n in names]
    path = tmp_path / "script.mjs"
    (tmp_path / "given.json").write_text(json.dumps(given))
    read = f"const given = JSON.parse(readFileSync('{tmp_path}/given.json', 'utf8'));"
    lines = ["import { readFileSync } from 'node:fs';", *imports, read]
    lines.append(f"const value = await (async () => {{ {script} }})();")
    lines.append("console.log(JSON.stringify(value, (_, v) => ArrayBuffer.isView(v)"
                 " ? Array.from(v) : v));")  # fmt: skip
    path.write_text("\n".join(lines))
    done = subprocess.run([NODE, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("size", [(37, 53), (16, 16), (90, 41), (20, 160), (53, 37)])
def test_pictures_are_resampled_as_pillow_does(size, tmp_path):
    picture = RANDOM.integers(0, 256, (53, 37, 3), dtype=np.uint8)
    # columns first; since version 13 Pillow begins with rows where they shrink much more
    narrow = Image.fromarray(picture).resize((size[1], 53), Image.Resampling.BICUBIC)
    expected = narrow.resize(size[::-1], Image.Resampling.BICUBIC)
    script = "return resample.resampleBytes(given.values, [53, 37], given.size, 3);"
    got = run(script, tmp_path, values=picture.ravel().tolist(), size=size)
    off = np.abs(np.array(got) - np.asarray(expected, dtype=int).ravel())
    assert off.max() <= 1
    assert (off > 0).mean() <= 1e-3


def test_labels_are_those_of_the_recipe(tmp_path):
    maps = RANDOM.random((3, 5, 7)).astype(np.float32)
    size, threshold = (60, 91), 0.45
    full = normalise(map_to_image(torch.from_numpy(maps)[None], size))[0].numpy()
    expected = label_map(full, np.arange(3), threshold)
    script = "return labels.labels(given.maps, [5, 7], given.size, given.threshold);"
    flat = maps.reshape(3, -1).tolist()
    got = run(script, tmp_path, maps=flat, size=size, threshold=threshold)
    assert (np.array(got).reshape(size) != expected).mean() < 1e-3
    assert set(np.unique(expected)) == {0, 1, 2, 3}


def test_a_saved_mask_holds_labels(tmp_path):
    mask = RANDOM.integers(0, 3, (9, 14), dtype=np.uint8)
    colours = [[0, 0, 0], [230, 159, 0], [86, 180, 233]]
    script = ("const blob = await png.palettePng(Uint8Array.from(given.mask), [9, 14], "
              "given.colours); return new Uint8Array(await blob.arrayBuffer());")  # fmt: skip
    got = run(script, tmp_path, mask=mask.ravel().tolist(), colours=colours)
    (tmp_path / "mask.png").write_bytes(bytes(got))
    stored = Image.open(tmp_path / "mask.png")
    assert stored.mode == "P" and np.array_equal(np.asarray(stored), mask)
    assert stored.getpalette()[:9] == [v for colour in colours for v in colour]


def test_coco_reads_what_the_page_writes(tmp_path):
    mask = np.zeros((8, 11), dtype=np.uint8)
    mask[2:5, 3:9], mask[4:8, 0:2] = 1, 3
    script = ("return coco.cocoJson([{ name: 'a.jpg', size: [8, 11], "
              "labels: Uint8Array.from(given.mask) }], ['cat', 'cow', 'dog']);")  # fmt: skip
    got = run(script, tmp_path, mask=mask.ravel().tolist())
    assert got["images"] == [dict(id=1, file_name="a.jpg", height=8, width=11)]
    assert [a["category_id"] for a in got["annotations"]] == [1, 3]
    for one in got["annotations"]:
        encoded = coco_mask.frPyObjects(one["segmentation"], 8, 11)
        assert np.array_equal(coco_mask.decode(encoded), mask == one["category_id"])
        assert one["area"] == coco_mask.area(encoded)
        assert one["bbox"] == coco_mask.toBbox(encoded).tolist()


def test_a_link_holds_a_trial_and_survives_nonsense(tmp_path):
    trial = dict(base="equal", solo=4, changes={"3": dict(weight=1.5, kind="mean"), "7": dict(weight=0)})  # fmt: skip
    script = "return [setting.fromText(setting.toText(given.trial), 72), setting.fromText('x;900;99:1:mean,a:b,2:9:boo', 72)];"
    same, nonsense = run(script, tmp_path, trial=trial)
    assert same == trial
    assert nonsense == dict(base="learned", solo=-1, changes={"2": dict(weight=3)})


def test_a_changed_head_changes_what_it_should(tmp_path):
    """Itself, silent, its mean, shuffled, from scratch and step by step."""
    heads, rows, patches = 4, 3, 5
    a = RANDOM.random((heads, rows, patches))
    start = [dict(weight=w, kind="itself") for w in (1, 2, 0.5, 1)]
    end = [dict(weight=0, kind="itself"), dict(weight=2, kind="mean"),
           dict(weight=1, kind="shuffle"), dict(weight=1, kind="itself")]  # fmt: skip
    script = ("const sum = mixing.summing(Float32Array.from(given.rows), 4, 5);"
              "const first = Array.from(sum(given.start)), order = mixing.shuffled(5);"
              "const two = given.start.map((s, i) => i === 2 ? given.end[2] : s);"
              "const steps = [two, given.end, given.start].map((s) => Array.from(sum(s)));"
              "return { first, order, steps };")  # fmt: skip
    got = run(script, tmp_path, rows=a.ravel().tolist(), start=start, end=end)
    order = np.array(got["order"])
    assert sorted(order) == [0, 1, 2, 3, 4] and order.tolist() != [0, 1, 2, 3, 4]
    plain = (a * np.array([1, 2, 0.5, 1])[:, None, None]).sum(axis=0) / heads
    mean = np.repeat(a[1].mean(axis=-1, keepdims=True), patches, axis=-1)
    changed = (2 * mean + a[2][:, order] + a[3]) / heads
    one = plain + (a[2][:, order] - 0.5 * a[2]) / heads
    for said, expected in zip(
        [got["first"], *got["steps"]], [plain, one, changed, plain], strict=True
    ):
        assert np.allclose(said, expected.ravel(), atol=1e-6)


def test_patches_are_compared_and_coloured(tmp_path):
    """Cosines, and colours that order patches as principal components do."""
    about = dict(heads=2, dim=3, classes=["a"])
    sizes, values = [(3, 4), (2, 5)], []
    for h, w in sizes:
        x = RANDOM.normal(size=(1 + h * w, 6)) * [5, 3, 1, 0.1, 0.1, 0.1]
        values.append(x)
    seen = [
        dict(
            grid=size,
            layers=[dict(output=x.ravel().tolist(), qkv=np.tile(x, 3).ravel().tolist())],
        )
        for size, x in zip(sizes, values, strict=True)
    ]
    script = """for (const s of given.seen) for (const l of s.layers)
        for (const k in l) l[k] = Float32Array.from(l[k]);
      const [one, two] = given.seen;
      return [features.similarities(one, two, 2, 0, 'key', given.about),
              features.colours([one, two], 0, 'output', given.about)];"""
    alike, colours = run(script, tmp_path, seen=seen, about=about)
    asked, there = values[0][3], values[1][1:]
    cosine = there @ asked / np.linalg.norm(there, axis=1) / np.linalg.norm(asked)
    assert np.allclose(alike, cosine, atol=1e-5)
    rows = np.concatenate([x[1:] for x in values])
    rows = rows - rows.mean(axis=0)
    _, _, axes = np.linalg.svd(rows)
    for c in range(3):
        said = np.concatenate([np.array(one).reshape(-1, 3)[:, c] for one in colours])
        assert abs(np.corrcoef(said, rows @ axes[c])[0, 1]) > 0.98


def test_grids_have_the_shape_of_the_photo(tmp_path):
    sizes = [(224, 224), (451, 300), (300, 451), (4000, 3000), (1000, 60), (14, 15)]
    script = "return given.sizes.map(([w, h]) => picture.gridOf(w, h, 144));"
    got = run(script, tmp_path, sizes=sizes)
    for (width, height), (h, w) in zip(sizes, got, strict=True):
        assert (h, w) == patch_grid(height, width, 144)
        assert 72 < h * w <= 144
        assert abs(np.log(w * height / (h * width))) < 0.2


def test_a_map_sounds_as_it_looks(tmp_path):
    """The lowest row is the lowest note, columns follow in time, faint is silent."""
    values = [[0, 0, 4.0], [2, 0, 0.1]]
    script = "return sound.notesOf(given.values.flat(), [2, 3]);"
    assert run(script, tmp_path, values=values) == [[0.5, 0, 0], [0, 0, 1]]
