"""How heavy and how quick the page "Your photo" is; nothing is asserted.

    make book && python benchmarks/page.py [--looks N] [--store]

The built site is served on this machine and opened in headless Chromium and Firefox, as
far as they are here: sizes, first canvas, from the button to a network that is ready, a
photo from the file to its mask, one forward pass, one change of a head's weight, one move
in the scene, and requests to anywhere else. Medians. ``--store`` keeps the numbers in
results/page.json, from which the page's own table is made when the site is built again.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import measured
from skimage import data, io

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "book")]

from book_site import SITE, served
from chromium import ARGUMENTS
from photo_page import SPEED, speed_table
from test_clicked import BROWSERS, PUPPETEER

from npm import npm_package


def measure(browser, base, photo, looks):
    """What page.mjs found in one browser."""
    job = dict(
        puppeteer=str(npm_package(PUPPETEER)), browser=browser, photo=str(photo),
        executable=BROWSERS[browser], base=base, looks=looks, dark=False,
        args=ARGUMENTS if browser == "chrome" else [],
    )  # fmt: skip
    path = photo.with_suffix(".json")
    path.write_text(json.dumps(job))
    command = ["node", str(Path(__file__).with_suffix(".mjs")), str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{browser}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def sizes():
    """Bytes of the page, of all it loads before a network, and of both networks' files."""
    page = (SITE / "your_photo.html").stat().st_size
    return dict(page=page, networks=sum(p.stat().st_size for p in parts()))


def parts():
    """All parts of all networks, as a server sends them."""
    return sorted((SITE / "_static" / "network").glob("network-*.bin"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--looks", type=int, default=9, help="forward passes (default: 9)")
    parser.add_argument("--store", action="store_true", help=f"keep the numbers in {SPEED}")
    arguments = parser.parse_args()
    if not (SITE / "your_photo.html").exists():
        sys.exit(f"no built site in {SITE}: run make book first")
    here = [name for name, path in BROWSERS.items() if path]
    if not here or npm_package(PUPPETEER) is None:
        sys.exit("no chromium and no firefox here, or no npm to speak to them")
    found = dict(machine=measured(), **sizes(), browsers=[])
    with tempfile.TemporaryDirectory() as folder, served() as base:
        photo = Path(folder) / "astronaut.png"
        io.imsave(photo, data.astronaut())
        for browser in here:
            sys.stderr.write(f"{browser} …\n")
            found["browsers"].append(measure(browser, base, photo, arguments.looks))
    if arguments.store:
        SPEED.write_text(json.dumps(found, indent=1) + "\n", "utf8")
    print(speed_table(found))


if __name__ == "__main__":
    main()
