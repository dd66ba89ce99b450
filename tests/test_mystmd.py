"""An explorer in a book that Jupyter Book 2 makes: the {anywidget} directive of mystmd.

Its theme is fetched from mystmd's server; where ``WEAKTR_MYST_THEME`` names no theme,
only what mystmd itself makes of the directive is looked at.
"""

import json
import os
import subprocess
import sys

import pytest
from book_site import ROOT, served
from explorers import heads

from weaktr_core.widgets.host import module_source

sys.path.insert(0, str(ROOT / "book"))
from npm import npm_package

MYSTMD = "mystmd@1.8.3"  # the directive came with 1.8.2
THEME = os.environ.get("WEAKTR_MYST_THEME")
PAGE = """# One explorer

```{anywidget} ./explorer.mjs
%s
```
"""
PROJECT = """version: 1
project:
  title: One explorer
site:
  template: %s
"""
STUB = "jtex: v1\ntitle: stub\nversion: 1.0.0\nlicense: MIT\nsource: https://example.org\n"


@pytest.fixture
def project(tmp_path):
    """A book of one page, and the explorer in it."""
    explorer = heads()
    (tmp_path / "explorer.mjs").write_text(module_source(explorer.name), "utf8")
    (tmp_path / "index.md").write_text(PAGE % json.dumps(explorer.state), "utf8")
    (tmp_path / "myst.yml").write_text(PROJECT % (THEME or "./theme"), "utf8")
    (tmp_path / "theme").mkdir()
    (tmp_path / "theme" / "template.yml").write_text(STUB, "utf8")
    return tmp_path, explorer


def run_myst(folder, *arguments):
    """Where mystmd can be installed."""
    package = npm_package(MYSTMD)
    if package is None:
        pytest.skip(f"npm cannot install {MYSTMD}")
    program = package / "node_modules" / "mystmd" / "dist" / "myst.cjs"
    command = ["node", str(program), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def nodes(node, kind):
    """All nodes of a kind in a document."""
    found = [node] if node.get("type") == kind else []
    return found + [one for child in node.get("children", []) for one in nodes(child, kind)]


@pytest.mark.skipif(THEME is not None, reason="the whole site is looked at instead")
def test_the_directive_takes_the_module_and_its_state(project):
    folder, explorer = project
    run_myst(folder, "build", "--site", "--ci")
    made = folder / "_build" / "site"
    document = json.loads((made / "content" / "index.json").read_text("utf8"))["mdast"]
    (node,) = nodes(document, "anywidget")
    assert node["model"] == explorer.state
    source = (made / "public" / node["esm"].lstrip("/")).read_text("utf8")
    assert source == module_source(explorer.name)


@pytest.mark.skipif(THEME is None, reason="WEAKTR_MYST_THEME names no theme to fetch")
def test_the_explorer_works_in_a_book_of_mystmd(project, browser):
    folder, _ = project
    run_myst(folder, "build", "--html", "--ci")
    with served(folder / "_build" / "html") as base:
        page = browser.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{base}/")
        explorer = page.locator(".wt-heads")  # in a shadow root
        explorer.get_by_role("button", name="layer 1, head 2").press("Enter")
        explorer.locator(".wt-say").filter(has_text="layer 1, head 2").wait_for()
        page.close()
    assert errors == []
