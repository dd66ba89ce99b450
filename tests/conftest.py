"""Shapes in signatures are checked whenever tests run."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from book_site import SITE
from chromium import ARGUMENTS, CHROMIUM
from jaxtyping import install_import_hook

install_import_hook("weaktr_core", "shape_checker.check")
torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)


@pytest.fixture
def note(record_property):
    """Keep a line of measurements for the end of the log."""
    return lambda line: record_property("note", line)


def pytest_terminal_summary(terminalreporter):
    """Show what tests noted; with several processes it is only here that it can be seen."""
    reports = [r for r in terminalreporter.getreports("passed") if r.when == "call"]
    lines = [value for r in reports for key, value in r.user_properties if key == "note"]
    if lines:
        terminalreporter.section("measured by the tests")
        terminalreporter.write_line("\n".join(sorted(lines)))


@pytest.fixture
def shared() -> Path:
    """Folder with real photos in VOC and COCO layout, where there is one."""
    folder = os.environ.get("WEAKTR_SHARED")
    if not folder:
        pytest.skip("no real photos: WEAKTR_SHARED is not set")
    return Path(folder)


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium; skipped where there is none unless it is required."""
    required = os.environ.get("WEAKTR_REQUIRE_BROWSER")
    if CHROMIUM is None:
        (pytest.fail if required else pytest.skip)("no chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Open an explorer's HTML from a file; fails on errors and requests that leave."""
    troubles, pages = [], []

    def watch(request):
        if request.url.startswith(("http:", "https:")):
            troubles.append(request.url)

    def show(html, width=1000, height=900, **options):
        path = tmp_path / "page.html"
        head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>test</title>'
        head += '<meta name="viewport" content="width=device-width, initial-scale=1">'
        path.write_text(head + html, "utf8")
        page = browser.new_page(viewport={"width": width, "height": height}, **options)
        pages.append(page)
        page.on("console", lambda m: m.type == "error" and troubles.append(m.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", watch)
        page.goto(path.as_uri())
        page.wait_for_selector(".wt canvas", timeout=30_000)
        page.wait_for_timeout(200)
        return page

    yield show
    for page in pages:
        page.close()
    assert troubles == []


@pytest.fixture
def site():
    """Skips where the book is not built, unless a browser is required."""
    if not (SITE / "index.html").exists():
        required = os.environ.get("WEAKTR_REQUIRE_BROWSER")
        (pytest.fail if required else pytest.skip)("no built site: run make book first")


@pytest.fixture
def visit(browser, site):
    """Open a page of the site; fails on errors and on requests that leave the machine."""
    requests, errors, contexts = [], [], []

    def open_page(address, width=1280, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda r: requests.append(r.url))
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.on("console", lambda m: m.type == "error" and errors.append(m.text))
        page.goto(address)
        page.wait_for_timeout(300)
        return page

    yield open_page
    for context in contexts:
        context.close()
    if shutil.which("npm"):  # without it formulas come from MathJax's CDN, as documented
        here = ("file:", "data:", "blob:", "http://127.0.0.1:")
        assert not [url for url in requests if not url.startswith(here)]
    assert not errors
