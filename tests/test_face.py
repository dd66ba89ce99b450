"""What gives the site its face: diagrams, the way on top of chapters, cards, slides."""

import base64
import io
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import pytest
from PIL import Image

BOOK = Path(__file__).parents[1] / "book"
sys.path.insert(0, str(BOOK))

import diagrams  # noqa: E402
import face  # noqa: E402
import slides  # noqa: E402
import way  # noqa: E402

CHAPTERS = sorted(BOOK.glob("[01]?_*.ipynb"))


@pytest.mark.parametrize("draw", diagrams.DIAGRAMS, ids=lambda draw: draw.__name__)
def test_diagrams_are_as_drawn_and_stay_on_their_sheet(draw):
    drawing = draw()
    stored = (diagrams.FOLDER / f"{draw.__name__}.svg").read_text("utf8")
    assert stored == drawing.svg(), "run python book/diagrams.py"
    width, height = drawing.size
    for rect in ET.fromstring(stored).iter("{http://www.w3.org/2000/svg}rect"):
        x, y, w, h = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
        assert min(x, y) >= 0 and x + w <= width and y + h <= height


def test_words_of_a_diagram_fit_their_boxes():
    """A letter is at most 7 units wide at 13 and 5.7 at 11, on the average of a line."""
    for draw in diagrams.DIAGRAMS:
        for width, words, small in draw().fitted:
            longest = max(len(line) for line in words.split("\n")) * 7.0
            lowest = max((len(line) for line in small.split("\n")), default=0) * 6.0
            assert max(longest, lowest) <= width, (draw.__name__, words, small)


def test_the_way_marks_one_stop_and_leads_to_all():
    assert list(way.STOPS) == [path.stem for path in CHAPTERS]
    html = way.way_through("05_class_activation_maps")
    assert html.count('aria-current="page"') == 1 == html.count('class="here"')
    assert re.findall(r'href="(\w+)\.html"', html) == list(way.STOPS)


def test_every_card_shows_a_figure_of_its_chapter():
    for path in CHAPTERS:
        name, (left, top, right, bottom) = face.CARDS[path.name[:2]]
        cells = nbformat.read(path, 4).cells
        told = [c.metadata.get("mystnb", {}).get("figure", {}).get("name") for c in cells]
        assert name in told
        assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1


def test_cards_take_the_place_of_the_table(tmp_path):
    page = tmp_path / "intro.md"
    row = '| {ref}`1 <ch:01>` | What about "tags" & masks? |'
    page.write_text(
        f"before\n\n| chapter | question |\n|---|---|\n{row}\n\nafter\n", "utf8"
    )
    face.put_cards(page, {"01_tags": 12})
    text = page.read_text("utf8")
    assert "|---" not in text and text.startswith("before") and "after" in text
    assert 'href="01_tags.html"' in text and "&amp; masks?" in text and "12 minutes" in text


def test_a_diagram_is_put_into_the_page_with_its_own_words():
    html = '<img alt="All &amp; one" src="_images/method.svg" />'
    found = face.inline_diagrams(f"<p>{html}</p><img alt='x' src='_images/a.png'>")
    assert 'aria-label="All &amp; one"' in found and "<svg" in found and "a.png" in found


def test_a_deck_has_a_slide_per_picture_and_the_questions(tmp_path):
    notebook = nbformat.v4.new_notebook()
    told = {"figure": {"caption": "A *map*.", "name": "fig-a"}, "image": {"alt": "Squares"}}
    cell = nbformat.v4.new_code_cell("x", metadata={"mystnb": told})
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "white").save(file, "PNG")
    drawn = {"image/png": base64.b64encode(file.getvalue()).decode()}
    cell.outputs = [nbformat.v4.new_output("display_data", drawn)]
    first = nbformat.v4.new_markdown_cell("(ch:01)=\n# Why?")
    last = nbformat.v4.new_markdown_cell(
        "## Check yourself\n\n- Is {term}`it <x>`\n  so?\n\n## What next"
    )
    notebook.cells = [first, cell, last]
    path = tmp_path / "01_why.ipynb"
    nbformat.write(notebook, path)
    html = slides.deck(path)
    assert html.count("<section>") == 3 and "data:image/webp;base64," in html
    assert (
        "<p>A map.</p>" in html and 'alt="Squares"' in html and "<li>Is it so?</li>" in html
    )
