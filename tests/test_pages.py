"""The built site in a real browser: offline, quiet, usable by everybody, on a phone too."""

import functools
import http.server
import threading

import axe
import pytest
from book_site import ROOT, SITE, address, overflow, pages

pytestmark = pytest.mark.usefixtures("site")


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
