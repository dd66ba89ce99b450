"""Modules become one text that means the same, with scopes kept apart."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from canvases import heat_colours

from weaktr_core.scores.metrics import ScoredImage, threshold_sweep
from weaktr_core.widgets.bundle import bundle
from weaktr_core.widgets.host import FOLDER

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="no node on this machine")
FILES = {
    "inner.js": "const hidden = 1;\nexport const one = hidden;\n",
    "other.js": 'import { one } from "./inner.js";\n'
    "const hidden = 2;\nexport function two() {\n  return one + hidden - 1;\n}\n",
    "all.js": 'export * from "./inner.js";\nexport * from "./other.js";\n',
    "entry.js": 'import {\n  one,\n  two as deux,\n} from "./all.js";\n'
    'import { one as again } from "./inner.js";\n'
    "export const unused = 7;\nexport default { sum: one + deux() + again };\n",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(script, tmp_path):
    """What a module prints, as JSON."""
    path = tmp_path / "script.mjs"
    path.write_text(script)
    done = subprocess.run([NODE, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_node
def test_a_bundle_means_what_its_modules_mean(folder):
    text = bundle(folder / "entry.js")
    assert text == bundle(folder / "entry.js") and text.count("hidden = 1") == 1
    assert "import" not in text
    (folder / "one.mjs").write_text(text)
    script = "import a from './one.mjs'; import b from './entry.mjs';"
    for path in list(folder.glob("*.js")):
        path.with_suffix(".mjs").write_text(path.read_text().replace(".js", ".mjs"))
    shown = run(script + "console.log(JSON.stringify([a.sum, b.sum]));", folder)
    assert shown == [4, 4]


def test_what_is_not_understood_is_named(folder):
    (folder / "inner.js").write_text('import x from "far";\n')
    with pytest.raises(ValueError, match=r"inner\.js: not understood: import x from"):
        bundle(folder / "entry.js")
    (folder / "inner.js").write_text('import { two } from "./other.js";\n')
    with pytest.raises(ValueError, match=r"inner\.js imports itself through other\.js"):
        bundle(folder / "inner.js")


def test_every_name_that_an_explorer_imports_is_exported():
    for path in FOLDER.glob("*.js"):
        bundle(path)


@needs_node
def test_the_colours_are_those_of_the_figures(tmp_path):
    place = (FOLDER / "colours.js").as_uri()
    script = f"import {{ HEAT }} from '{place}'; console.log(JSON.stringify(HEAT));"
    assert np.array_equal(run(script, tmp_path), heat_colours())


@needs_node
def test_the_sweep_is_that_of_python(tmp_path):
    random = np.random.default_rng(3)
    images = []
    for _ in range(2):
        scores = random.random((2, 12, 15)).round(3)
        mask = random.choice([0, 1, 2, 255], (12, 15)).astype(np.uint8)
        images.append(ScoredImage(scores, np.array([0, 1]), mask))
    given = [
        dict(
            truth=one.mask.ravel().tolist(),
            best=(1 + one.scores.argmax(axis=0)).ravel().tolist(),
            score=one.scores.max(axis=0).ravel().tolist(),
        )
        for one in images
    ]
    script = f"""import * as scores from '{(FOLDER / "scores.js").as_uri()}';
    let counts = null;
    for (const one of {json.dumps(given)})
      counts = scores.countPixels({{ ...one, beaten: scores.beats(one.score, 101) }},
        {{ labels: 3, cuts: 101 }}, counts);
    console.log(JSON.stringify(Array.from(scores.sweep(counts))));"""
    expected = threshold_sweep(images, num_classes=2).miou
    assert np.allclose(run(script, tmp_path), expected, atol=1e-12)
