"""The built site in a real browser: offline, quiet, usable by everybody, on a phone too."""

import re

import axe
import pypdf
import pytest
from book_site import ROOT, SITE, address, overflow, pages, served

pytestmark = pytest.mark.usefixtures("site")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", pages())
def test_page_is_offline_quiet_and_fits(visit, name, width):
    page = visit(address(name), width)
    # a thumbnail inside a link that has words is decoration, and says so by an empty alt
    bare = "i => !i.alt && !(i.hasAttribute('alt') && i.closest('a')?.innerText.trim())"
    images = f"[...document.querySelectorAll('article img')].filter({bare}).length"
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
    with served() as base:
        yield base


FOUND = {"threshold": "09_pseudo_labels", "cite": "research", "token": "04_class_tokens"}


@pytest.mark.parametrize("word", FOUND)
def test_search_finds_what_readers_look_for(visit, server, word):
    page = visit(f"{server}/search.html?q={word}")
    page.wait_for_selector("#search-results li a", timeout=10_000)
    hrefs = page.locator("#search-results li a").evaluate_all("a => a.map(x => x.href)")
    assert any(f"/{FOUND[word]}.html" in href for href in hrefs)


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
    assert page.locator("article h1").is_visible()
    assert not page.locator("#jb-print-docs-body").is_visible()  # the theme's second title
    box = page.locator("article").bounding_box()
    assert box["width"] > 1000  # the whole sheet


LIMIT = 2_000_000  # bytes, uncompressed: a page and all that it loads


@pytest.mark.parametrize("name", pages())
def test_a_page_is_light(browser, server, name, note):
    """Everything that a reader's browser fetches who scrolls to the end."""
    page = browser.new_page()
    sizes = []
    page.on("response", lambda r: sizes.append(len(r.body())))
    page.goto(f"{server}/{name}.html")
    page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    page.evaluate("document.querySelector('.wt-later')?.scrollIntoView()")
    page.wait_for_timeout(300)
    page.wait_for_load_state("networkidle")
    page.close()
    note(f"{name}: {sum(sizes) / 1e6:.2f} MB in {len(sizes)} files")
    assert sum(sizes) <= LIMIT


@pytest.mark.parametrize("name", pages())
def test_the_dark_leaves_pictures_as_they_are(visit, name):
    page = visit(address(name), scheme="dark")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    shown = "[...document.querySelectorAll('article img, article canvas, article .wt')]"
    filters = page.evaluate(f"{shown}.map(e => getComputedStyle(e).filter)")
    assert set(filters) <= {"none"}


@pytest.mark.parametrize("name", pages())
def test_pictures_keep_their_shape_on_a_phone(visit, name):
    page = visit(address(name), 390)
    page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    page.wait_for_load_state("networkidle")
    bent = """[...document.querySelectorAll('article figure img')].filter(i => {
        const s = getComputedStyle(i), inner = [i.clientWidth, i.clientHeight];
        inner[0] -= parseFloat(s.paddingLeft) + parseFloat(s.paddingRight);
        inner[1] -= parseFloat(s.paddingTop) + parseFloat(s.paddingBottom);
        const share = inner[0] / inner[1] / (i.naturalWidth / i.naturalHeight);
        return i.offsetParent && Math.abs(share - 1) > 0.05;
    }).map(i => i.alt)"""
    assert page.evaluate(bent) == []


@pytest.mark.parametrize("name", pages())
def test_words_of_code_fit_a_phone(visit, name):
    page = visit(address(name), 390)
    wide = """[...document.querySelectorAll('article code')].filter(
        c => !c.closest('pre, table') && c.getBoundingClientRect().right > innerWidth
    ).map(c => c.textContent)"""
    assert page.evaluate(wide) == []


@pytest.mark.parametrize("name", [name for name in pages() if name[0].isdigit()])
def test_paper_has_no_empty_sheet_and_no_torn_figure(browser, name, tmp_path):
    page = browser.new_page()
    page.goto(address(name))
    page.wait_for_timeout(500)
    page.pdf(path=tmp_path / "page.pdf", format="A4")
    page.close()
    for number, sheet in enumerate(pypdf.PdfReader(tmp_path / "page.pdf").pages, 1):
        lines, pictures = read_sheet(sheet)
        assert lines or pictures, f"sheet {number} is empty"
        top, first = max(lines, default=(0, ""))
        torn = re.match(r"Fig\. \d+", first) and max(pictures, default=0) < top
        assert not torn, f"sheet {number} begins with {first}"


def read_sheet(sheet):
    """Lines of text with their heights above the sheet's foot, and tops of its pictures."""
    lines, pictures = [], []

    def text(words, cm, tm, *_):
        if words.strip():
            lines.append((tm[4] * cm[1] + tm[5] * cm[3] + cm[5], words.strip()))

    def picture(operator, _arguments, cm, _tm):
        if operator == b"Do":
            pictures.append(max(cm[5], cm[5] + cm[3]))

    sheet.extract_text(visitor_text=text, visitor_operand_before=picture)
    return lines, pictures
