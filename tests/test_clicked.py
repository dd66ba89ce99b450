"""The model in the page and the explorers, used in two browsers: by keys, by pointer, on a
phone, in the dark.

Puppeteer speaks to both; Playwright's Firefox is a build of its own that no reader has.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest
from book_site import ROOT, served
from chromium import ARGUMENTS, CHROMIUM
from hostile_pictures import CASES, EITHER
from skimage import data, io
from test_live import CELLS, started
from test_pages_explorers import CHAPTERS

sys.path.insert(0, str(ROOT / "book"))
from npm import npm_package

PUPPETEER = "puppeteer-core@24.10.0"  # newer ones ask Firefox ESR what it does not know
FIREFOX = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
BROWSERS = {"chrome": CHROMIUM, "firefox": FIREFOX}
pytestmark = [
    pytest.mark.usefixtures("site"),
    pytest.mark.skipif(shutil.which("node") is None, reason="no node on this machine"),
    pytest.mark.skipif(
        "WEAKTR_CLICKED" not in os.environ, reason="minutes long: set WEAKTR_CLICKED=1"
    ),
]


@pytest.fixture(scope="module")
def puppeteer():
    """Folder in which Puppeteer is installed."""
    folder = npm_package(PUPPETEER)
    if folder is None:
        pytest.skip(f"npm cannot install {PUPPETEER}")
    return folder


@pytest.fixture(scope="module")
def base():
    """Address of the built site."""
    with served() as address:
        yield address


@pytest.fixture
def hostile(tmp_path):
    """Path → name of every file of `hostile_pictures`; names of its own on this disk."""
    paths = {}
    for number, (name, (content, _)) in enumerate(CASES.items()):
        path = tmp_path / str(number) / name
        path.parent.mkdir()
        with path.open("wb") as file:
            file.truncate(100_000_000) if content is None else file.write(content)
        paths[str(path)] = name
    return paths


@pytest.fixture(params=[False, True], ids=["light", "dark"])
def dark(request):
    return request.param


@pytest.fixture(params=BROWSERS)
def run(request, dark, puppeteer, base, tmp_path, note):
    """Runs a script of this folder in a browser: what it has written."""
    browser = request.param
    if BROWSERS[browser] is None:
        pytest.skip(f"no {browser} on this machine")
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    job = dict(
        puppeteer=str(puppeteer), browser=browser, executable=BROWSERS[browser],
        args=[*ARGUMENTS, *scheme] if browser == "chrome" else [], dark=dark, base=base,
    )  # fmt: skip

    def start(script, **more):
        path = tmp_path / "job.json"
        path.write_text(json.dumps(job | more))
        command = ["node", str(ROOT / "tests" / script), str(path)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        said = json.loads(done.stdout)
        note(f"{script}: {said['browser']}, {'dark' if dark else 'light'}")
        return said

    return start


def test_everything_works(run, tmp_path):
    photo = tmp_path / "astronaut.png"
    io.imsave(photo, data.astronaut())
    run("clicked.mjs", photo=str(photo))


def test_explorers_answer_keys(run):
    used = run("explored.mjs", chapters=CHAPTERS)["used"]
    assert used == 2 * [kind for kinds in CHAPTERS.values() for kind in kinds]  # two widths


@pytest.mark.parametrize("dark", [False], indirect=True, ids=["light"])
def test_keys_reach_python(run, tmp_path):
    ask = "print(f'layer {heads.layer + 1}, head {heads.head + 1}')"
    with started(tmp_path) as lab:
        base = lab.split("/doc/")[0]
        answer = run("live.mjs", base=base, lab=lab, ask=ask, cells=len(CELLS))
    assert answer["traits"] in answer["said"]
    assert answer["traits"] not in answer["before"]


@pytest.mark.parametrize("dark", [False], indirect=True, ids=["light"])
def test_every_file_ends_in_a_picture_or_a_sentence(run, hostile):
    ends = run("refused.mjs", files=list(hostile))["ends"]
    assert {
        hostile[path]: end for path, end in ends.items() if not fits(hostile[path], end)
    } == {}
    assert set(ends) == set(hostile)


def fits(name, end):
    """Whether a file ended as it should: looked at, or refused in one sentence."""
    phrase = CASES[name][1]
    text = end["said"]
    sentence = text.startswith(name) and text.endswith(".") and "\n" not in text
    if name in EITHER:
        return end["taken"] or sentence
    if phrase is None:
        return end["taken"] and not text
    return sentence and phrase in text and not end["taken"]
