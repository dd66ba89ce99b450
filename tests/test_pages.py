"""The built site in a real browser: offline, quiet, usable by everybody, on a phone too."""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import axe
import pytest
import yaml

ROOT = Path(__file__).parents[1]
SITE = ROOT / "build" / "site" / "_build" / "html"
KNOWN = ("THEBE_JS_URL", "Got invalid theme mode")


@pytest.fixture(autouse=True)
def site():
    if not (SITE / "index.html").exists():
        required = os.environ.get("WEAKTR_REQUIRE_BROWSER")
        (pytest.fail if required else pytest.skip)("no built site: run make book first")


def pages():
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text("utf8"))
    return [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]


@pytest.fixture
def visit(browser):
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
    assert not [e for e in errors if not any(k in e for k in KNOWN)]


def address(name):
    return (SITE / f"{name}.html").as_uri()


def overflow(page):
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", pages())
def test_page_is_offline_quiet_and_fits(visit, name, width):
    page = visit(address(name), width)
    images = "[...document.querySelectorAll('article img')].filter(i => !i.alt).length"
    assert page.evaluate(images) == 0
    assert overflow(page) <= 0


@pytest.mark.parametrize("name", pages())
def test_page_does_not_say_where_it_was_built(name):
    text = (SITE / f"{name}.html").read_text("utf8")
    assert "PosixPath(" not in text and str(ROOT) not in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*pages(), "search", "genindex"])
def test_nobody_is_locked_out(visit, server, name, scheme):
    page = visit(f"{server}/{name}.html", scheme=scheme)
    found = axe.violations(page)
    assert not found, "\n".join(found)


@pytest.fixture(scope="session")
def server():
    """The site over http, as a reader gets it."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as started:
        threading.Thread(target=started.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{started.server_address[1]}"
        started.shutdown()


def test_search_finds_a_chapter_over_http(visit, server):
    page = visit(f"{server}/search.html?q=threshold")
    page.wait_for_selector("#search-results li a", timeout=10_000)
    hrefs = page.locator("#search-results li a").evaluate_all("a => a.map(x => x.href)")
    assert any("/09_pseudo_labels.html" in href for href in hrefs)


def test_next_leads_through_the_whole_book(visit, server):
    page = visit(f"{server}/intro.html")  # index.html only leads here
    for name in pages()[1:]:
        page.locator("a.right-next").click()
        page.wait_for_url(f"**/{name}.html")
    assert page.locator("a.right-next").count() == 0


@pytest.mark.parametrize("name", pages())
def test_a_shared_link_has_a_preview(name):
    head = (SITE / f"{name}.html").read_text("utf8").split("</head>")[0]
    for wanted in ('property="og:title"', 'property="og:image"', 'name="description"'):
        assert wanted in head or (wanted == 'name="description"' and name in BARE)


BARE = ("bibliography",)  # pages without a paragraph


def test_a_chapter_prints_its_text_and_nothing_else(visit):
    page = visit(address("01_tags_and_masks"))
    page.emulate_media(media="print")
    shown = "s => [...document.querySelectorAll(s)].some(e => e.offsetParent)"
    for hidden in (".bd-sidebar-primary", ".bd-sidebar-secondary", ".header-article"):
        assert not page.evaluate(shown, hidden), hidden
    assert page.locator("#jb-print-docs-body h1").is_visible()
    box = page.locator("article").bounding_box()
    assert box["width"] > 1000  # the whole sheet
