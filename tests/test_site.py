"""The built site as files: every link leads somewhere, every id is one, nothing is left over."""

import re
from collections import Counter
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from book_site import SITE

pytestmark = pytest.mark.usefixtures("site")
FILES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
LINKS = {"a": "href", "link": "href", "script": "src", "img": "src", "source": "src"}


class Read(HTMLParser):
    """Ids, links and whether the page is whole."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.elements = [], [], Counter()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.elements[tag] += 1
        if found.get("id"):
            self.ids.append(found["id"])
        link = found.get(LINKS.get(tag, ""))
        if link and "preconnect" not in (found.get("rel") or ""):
            self.links.append(link)


@pytest.fixture(scope="module")
def pages():
    return {name: Read((SITE / name).read_text("utf8")) for name in FILES}


def test_every_link_inside_the_site_leads_somewhere(pages):
    broken = []
    for name, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (
                (SITE / name).parent / unquote(parts.path) if parts.path else SITE / name
            )
            if not target.is_file():
                broken.append(f"{name}: {link}")
            elif parts.fragment and target.suffix == ".html":
                key = target.resolve().relative_to(SITE.resolve()).as_posix()
                if parts.fragment not in pages[key].ids:
                    broken.append(f"{name}: {link} (no such id)")
    assert not broken, "\n".join(broken)
    assert sum(len(page.links) for page in pages.values()) > 1000


def test_no_id_is_used_twice(pages):
    twice = {
        name: [key for key, times in Counter(page.ids).items() if times > 1]
        for name, page in pages.items()
    }
    assert not {name: keys for name, keys in twice.items() if keys}


def test_no_template_is_among_the_pages(pages):
    for name, page in pages.items():
        assert page.elements["title"] or name == "index.html", f"{name} is no page"
        text = (SITE / name).read_text("utf8")
        assert not re.search(r"\{\{ ?\w+\(|\{% ", text), f"{name} is a template"


def test_no_name_is_declared_twice():
    """A second `const` of one name is an error that stops its whole script."""
    for name in FILES:
        text = (SITE / name).read_text("utf8")
        scripts = re.findall(r"<script>(?!\s*<)(.*?)</script>", text, re.S)
        named = [n for s in scripts for n in re.findall(r"^(?:const|let) (\w+)", s, re.M)]
        assert max(Counter(named).values(), default=1) == 1, name


def test_every_chapter_can_be_downloaded_as_it_is_committed():
    for path in SITE.glob("[0-9]*.html"):
        link = re.search(r'href="(_sources/[^"]*\.ipynb)"', path.read_text("utf8"))
        notebook = nbformat.read(SITE / link[1], 4)
        assert path.stem in link[1]
        assert not any(cell.get("outputs") for cell in notebook.cells)


def test_formulas_and_icons_need_no_script():
    for name in FILES:
        text = (SITE / name).read_text("utf8")
        assert "fontawesome" not in text and '<i class="fa' not in text, name
        assert "window.MathJax" not in text, name
        formulas = re.findall(r'class="math notranslate nohighlight"[^>]*>\s*(\S+)', text)
        assert all(one.startswith("<mjx-container") for one in formulas), name
