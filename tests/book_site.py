"""The built book: where its pages are and what is asked of all of them."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
SITE = ROOT / "build" / "site" / "_build" / "html"


def pages():
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text("utf8"))
    return [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]


def address(name):
    return (SITE / f"{name}.html").as_uri()


def overflow(page):
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
