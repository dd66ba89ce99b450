"""Explorers in a live JupyterLab: what is clicked reaches Python, and the way back."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import nbformat
import numpy as np
import pytest
from canvases import expected_map, pixels, without_photo
from playwright.sync_api import TimeoutError

from weaktr_core.data.photos import PHOTOS

ROOT = Path(__file__).parents[1]
GRID, LAYERS, HEADS = (4, 5), 3, 2
SETUP = f"""
import numpy as np
from weaktr_core.data.photos import PHOTOS, photo as read
from weaktr_core.widgets import explore_heads, explore_patches
from weaktr_core.widgets.live import LiveExplorer
random = np.random.default_rng(5)
photo = random.integers(0, 255, (40, 50, 3), dtype=np.uint8)
rows = random.gamma(0.4, size=({LAYERS}, {HEADS}, 21, 21)).astype(np.float32)
rows /= rows.sum(axis=-1, keepdims=True)

def explore(name, photo, network):
    shown = rows if name == {PHOTOS[0]!r} else rows[::-1]
    shown = shown[:2] if network == "small" else shown
    return explore_heads(photo, shown, names=[name], grid={GRID}, host="live")
"""
CELLS = [
    SETUP,
    f"heads = explore_heads(photo, rows, grid={GRID}, every=1, host='live')\nheads",
    "print('heads', heads.layer, heads.head, heads.query)",
    "heads.layer = 1",
    f"patches = explore_patches(photo, rows, grid={GRID}, host='live')\npatches",
    "print('patches', patches.layer, patches.query)",
    "patches.query = 7",
    "photos = {n: lambda n=n: read(n) for n in PHOTOS}\n"
    "live = LiveExplorer(explore, photos, 'dinov2-s')\nlive",
    "print(live.photo.value, live.network.value, live.layer.value, live.explorer.head)",
    "live.layer.value, live.photo.value = 1, live.photo.options[0]",
]
# No news, no list of extensions, no question about updates: nothing leaves the machine.
OPTIONS = [
    "--no-browser",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port_retries=0",
    "--ServerApp.allow_root=True",
    "--LabApp.extension_manager=readonly",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.expose_app_in_browser=True",
]
# before that, running a cell asks which kernel is wanted
KERNEL = """window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status
    === "idle" """
WAIT = 120_000  # ms; generous, for a machine busy with other things
NO_NEWS = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
SETTINGS = {
    "apputils-extension/notification": NO_NEWS,
    # cells out of sight stay in the page
    "notebook-extension/tracker": {"windowingMode": "none"},
}


def attention():
    """The rows that the notebook makes."""
    names = {}
    exec(SETUP, names)
    return names["rows"]


def write_notebook(path):
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in CELLS]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(folder):
    """Nothing of the user's configuration is read, nothing written to it."""
    places = {
        name: str(folder / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR")
    }
    places["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
    places["JUPYTERLAB_WORKSPACES_DIR"] = str(folder / "workspaces")
    places["IPYTHONDIR"] = str(folder / "ipython")
    for name, values in SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values))
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return os.environ | places | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def wait_until_it_answers(url, server, log):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail("JupyterLab did not start:\n" + log.read_text()[-2000:])


@contextmanager
def started(tmp_path):
    """Address of a JupyterLab with one notebook, while the context lasts."""
    if find_spec("jupyterlab") is None:
        required = os.environ.get("WEAKTR_REQUIRE_BROWSER")
        (pytest.fail if required else pytest.skip)("jupyterlab is not installed")
    folder = tmp_path / "work"
    folder.mkdir()
    write_notebook(folder / "live.ipynb")
    port, token, log = free_port(), secrets.token_hex(16), tmp_path / "lab.log"
    place = [f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}"]
    command = [sys.executable, "-m", "jupyterlab", *OPTIONS, *place]
    with log.open("w") as out:
        server = subprocess.Popen(
            [*command, f"--IdentityProvider.token={token}"],
            env=environment(tmp_path),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_it_answers(f"{address}/api?token={token}", server, log)
            yield f"{address}/doc/tree/live.ipynb?token={token}"
        finally:
            server.terminate()  # ends its kernels, too
            server.wait(20)


@pytest.fixture
def lab(tmp_path):
    with started(tmp_path) as address:
        yield address


def execute(page, command):
    # what a command promises is not waited for: it may be an answer to a question
    page.evaluate("name => { window.jupyterapp.commands.execute(name); }", command)


def run_cell(page, number):
    """Run one cell; the text it prints."""
    cell = page.locator(".jp-CodeCell").nth(number)
    count = cell.locator(".jp-InputArea-prompt").inner_text()
    cell.locator(".cm-content").click()
    execute(page, "notebook:run-cell")
    done = "([cell, old]) => !/[*]/.test(cell.innerText) && cell.innerText !== old"
    prompt = cell.locator(".jp-InputArea-prompt").element_handle()
    page.wait_for_function(done, arg=[prompt, count], timeout=WAIT)
    printed = cell.locator(".jp-OutputArea-output")
    return printed.inner_text().strip() if printed.count() else ""


def shows_explorers(page, lab):
    """Open the notebook and run it; False where no explorer appears in time."""
    try:
        page.goto(lab)
        page.wait_for_function(KERNEL, timeout=WAIT)
        page.locator(".jp-CodeCell").nth(len(CELLS) - 1).wait_for(timeout=WAIT)
        execute(page, "notebook:run-all-cells")
        page.locator(".wt-heads .wt-big canvas").first.wait_for(timeout=WAIT)
        page.locator(".wt-patches .wt-map").wait_for(timeout=WAIT)
        page.locator(".widget-box .wt-heads .wt-big canvas").wait_for(timeout=WAIT)
    except TimeoutError:
        return False
    return True


def test_clicks_reach_python_and_python_reaches_the_page(browser, lab):
    page = browser.new_page(viewport={"width": 1200, "height": 1400})
    left = []  # requests to any other machine
    page.on("request", lambda r: "//127.0.0.1:" in r.url or left.append(r.url))
    if not (shows_explorers(page, lab) or shows_explorers(page, lab)):
        required = os.environ.get("WEAKTR_REQUIRE_BROWSER")
        give_up = pytest.fail if required else pytest.skip
        give_up("JupyterLab showed no widget in time, twice: is the machine busy?")
    heads_both_ways(page, page.locator(".wt-heads").first)
    patches_both_ways(page, page.locator(".wt-patches"))
    controls_both_ways(page, page.locator(".widget-box").first)
    page.close()
    assert [url for url in left if url.startswith(("http", "ws"))] == []


def heads_both_ways(page, heads):
    rows = attention()
    without_photo(heads)
    thumbs = heads.locator(".wt-grid canvas")
    assert np.array_equal(pixels(thumbs.nth(3)), expected_map(rows[1, 1, 0, 1:], GRID))
    heads.get_by_role("button", name="layer 3, head 2").click()
    heads.get_by_role("combobox", name="Seen from").select_option("patch")
    assert run_cell(page, 2).startswith("heads 2 1 ")
    query = int(run_cell(page, 2).split()[-1])
    assert np.array_equal(pixels(thumbs.nth(3)), expected_map(rows[1, 1, query, 1:], GRID))
    run_cell(page, 3)  # heads.layer = 1
    heads.get_by_text("layer 2, head 2, seen from patch row").wait_for(timeout=WAIT)
    pressed = heads.locator('.wt-grid button[aria-pressed="true"]')
    assert pressed.get_attribute("title") == "layer 2, head 2"


def patches_both_ways(page, patches):
    rows = attention()
    patches.get_by_role("slider", name="Layer").fill("2")
    patches.locator(".wt-big canvas").focus()
    page.keyboard.press("ArrowRight")
    assert run_cell(page, 5) == "patches 1 8"  # all cells ran: it was 7
    run_cell(page, 6)  # patches.query = 7
    patches.get_by_text("row 2, column 3").wait_for(timeout=WAIT)
    mean = rows[1, :, 1 + 7, 1:].mean(axis=0)
    shown = patches.locator(".wt-map")
    assert np.array_equal(pixels(shown), expected_map(mean, GRID))


def controls_both_ways(page, box):
    without_photo(box)
    rows, thumbs = attention(), box.locator(".wt-grid canvas")
    layer, say = box.locator(".widget-readout"), box.locator(".wt-say")
    # all cells ran: the first layer of the first photo
    say.filter(has_text=f"{PHOTOS[0]}: layer 1, head 1").wait_for(timeout=WAIT)
    assert np.array_equal(pixels(thumbs.nth(3)), expected_map(rows[1, 1, 0, 1:], GRID))
    box.get_by_role("button", name="layer 2, head 2").click()
    layer.filter(has_text="2").wait_for(timeout=WAIT)
    box.locator(".widget-slider .noUi-handle").press("ArrowRight")
    say.filter(has_text="layer 3, head 2").wait_for(timeout=WAIT)
    box.locator(".widget-dropdown select").select_option(label=PHOTOS[1])
    say.filter(has_text=f"{PHOTOS[1]}: layer 3, head 2").wait_for(timeout=WAIT)
    without_photo(box)  # another photo, another explorer
    assert np.array_equal(pixels(thumbs.nth(4)), expected_map(rows[0, 0, 0, 1:], GRID))
    assert run_cell(page, 8) == f"{PHOTOS[1]} dinov2-s 3 1"
    box.locator("input[list]").fill("small")
    page.keyboard.press("Tab")
    say.filter(has_text="layer 2, head 2").wait_for(timeout=WAIT)
    assert thumbs.count() == 2 * HEADS and layer.inner_text() == "2"
    assert run_cell(page, 8) == f"{PHOTOS[1]} small 2 1"
    run_cell(page, 9)  # another layer and photo
    say.filter(has_text=f"{PHOTOS[0]}: layer 1, head 2").wait_for(timeout=WAIT)
    without_photo(box)
    assert np.array_equal(pixels(thumbs.nth(3)), expected_map(rows[1, 1, 0, 1:], GRID))
