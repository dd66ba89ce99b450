"""The built site in a real browser: offline, quiet, readable on a phone."""

import os
import shutil
from pathlib import Path

import pytest

SITE = Path(__file__).parents[1] / "build" / "site" / "_build" / "html"
KNOWN = ("THEBE_JS_URL", "Got invalid theme mode")


@pytest.fixture(autouse=True)
def site():
    if not (SITE / "index.html").exists():
        required = os.environ.get("WEAKTR_REQUIRE_BROWSER")
        (pytest.fail if required else pytest.skip)("no built site: run make book first")


def pages():
    names = [path.stem for path in (SITE.parents[3] / "book").glob("*.ipynb")]
    return ["intro", "api", "glossary", *sorted(names)]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", pages())
def test_page_is_offline_quiet_and_fits(browser, name, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    requests, errors = [], []
    page.on("request", lambda r: requests.append(r.url) if r.url.startswith("http") else 0)
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.goto((SITE / f"{name}.html").as_uri())
    page.wait_for_timeout(300)
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    missing = page.evaluate(
        "[...document.querySelectorAll('article img')].filter(i => !i.alt).length"
    )
    page.close()
    if shutil.which("npm"):  # without it formulas come from MathJax's CDN, as documented
        assert not requests
    assert not [e for e in errors if not any(k in e for k in KNOWN)]
    assert overflow <= 0
    assert missing == 0
