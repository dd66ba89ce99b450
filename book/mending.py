"""What the tools leave in the site and no reader should meet: removed or set right."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import face
import photo_page
from formulas import set_formulas
from icons import inline_icons, read_icons
from lighter import lighten_figures, lighten_styles

SEARCH = re.compile(
    r'<script src="[^"]*(?:searchtools|language_data|searchindex)\.js"></script>\s*'
)
DESIGN = re.compile(
    r"<(?:link|script)[^>]*(?:sphinx-design|design-tabs)[^>]*>(?:</script>)?\s*"
)
# a diagram that scrolls on a narrow page must be reached by keys
WIDE = re.compile(
    r'(<figure class="align-default"[^>]*)(>\s*<svg [^>]*wt-diagram)'
)
SOURCE = re.compile(r'(<a href="[^"]*_sources/)(" target="_blank")')
MENDED = (
    # axe-core: docutils writes a list whose children are no list items
    (
        re.compile(r'<div role="list" class="citation-list">'),
        '<div class="citation-list">',
    ),
    # two names for one button: the label hides what is written on it
    (
        re.compile(
            r'(<button class="btn search-button-field[^>]*?) aria-label="Search"'
        ),
        r"\1",
    ),
    # a table that scrolls on a narrow page must be reached by keys
    (
        re.compile(r'<table class="((?:docutils )?table[^"]*)"(?! tabindex)'),
        r'<table class="\1" tabindex="0"',
    ),
    # titles of the icons inside would be read as text of the button
    (re.compile(r'(<i class="theme-switch [^>]*?) +title="[^"]*"'), r"\1"),
    # one id for all exercises of a page, and one for all solutions
    (
        re.compile(r'<section id="(?:exercise|solution)-content">'),
        "<section>",
    ),
    # a figure has twice the pixels that it is shown with; a phone may show it smaller
    (
        re.compile(r' style="width: (\d+)px; height: (\d+)px;"(?= */?>)'),
        r' width="\1" height="\2"',
    ),
    # kernels in the cloud, which nobody starts from here; declared twice, too
    (
        re.compile(
            r"<script>const THEBE_JS_URL.*?</script>\s*|"
            r'<script[^>]*src="[^"]*sphinx-thebe\.js[^"]*"></script>\s*|'
            r'<link[^>]*href="[^"]*sphinx-thebe\.css[^"]*"[^>]*>\s*'
        ),
        "",
    ),
    # before a reader has chosen, the theme's own script calls its mode invalid
    (re.compile(r'localStorage\.getItem\("mode"\) \|\| ""'),
     'localStorage.getItem("mode") || "auto"'),
    (re.compile(r'<body data-default-mode="">'), '<body data-default-mode="auto">'),
)  # fmt: skip


def mend_site(html: Path, sources: Path, mathjax: Path | None) -> None:
    """All pages of a built site.

    Args:
        html: its folder.
        sources: folder of the chapters as they are committed, for download.
        mathjax: folder of MathJax's programs, if there is one.
    """
    for template in (html / "_static").glob("*webpack-macros.html"):
        template.unlink()
    drop_dead_links(html / "_modules" / "index.html")
    renamed = lighten_figures(html)
    lighten_styles(html / "_static")
    pages, icons = sorted(html.rglob("*.html")), read_icons(html / "_static")
    for page in pages:
        text = inline_icons(mend(page.read_text("utf8")), icons)
        if page != html / "search.html":
            text = SEARCH.sub("", text)
        if ' class="sd-' not in text:
            text = DESIGN.sub("", text)
        for old, new in renamed.items():
            text = text.replace(old, new)
        # without MathJax here, formulas come from elsewhere
        if page.stem == photo_page.NAME or (
            mathjax and page.stem in photo_page.CHAPTERS
        ):
            text = photo_page.guard(text)
        page.write_text(offer_source(text, page, sources), "utf8")
    set_formulas(pages, mathjax)
    drop_unloaded(html, pages)


def mend(text: str) -> str:
    """A page that is accessible and quiet, with diagrams in its colours."""
    for pattern, better in MENDED:
        text = pattern.sub(better, text)
    return WIDE.sub(r"\1 tabindex='0'\2", face.inline_diagrams(text))


def offer_source(text: str, page: Path, sources: Path) -> str:
    """Let the button for the page's source find it."""
    found = SOURCE.search(text)
    if not found:
        return text
    (source,) = (
        path
        for path in sources.glob(f"{page.stem}.*")
        if path.suffix in (".ipynb", ".md")
    )
    folder = page.parent / "_sources"
    folder.mkdir(exist_ok=True)
    shutil.copy(source, folder)
    return SOURCE.sub(rf"\g<1>{source.name}\2 download", text)


def drop_unloaded(html: Path, pages: list[Path]) -> None:
    """Remove programs that no page loads any more, and maps to sources not here."""
    texts = [page.read_text("utf8") for page in pages]
    for script in (html / "_static").rglob("*.js"):
        if not any(script.name in text for text in texts):
            script.unlink()
    for rest in [*html.rglob("*.js.map"), *html.rglob("*.css.map")]:
        rest.unlink()


def drop_dead_links(page: Path) -> None:
    """Leave out of a list what leads nowhere (a module of Python itself)."""
    text = page.read_text("utf8")
    for entry, target in re.findall(
        r'(<li><a href="([^"#]+)">.*?</a></li>)', text
    ):
        if "://" not in target and not (page.parent / target).exists():
            text = text.replace(entry, "")
    page.write_text(text, "utf8")
