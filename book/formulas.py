"""Formulas set when the site is built, so that no page loads the program that sets them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

MATH = re.compile(
    r'(<(span|div) class="math notranslate nohighlight"[^>]*>\s*)\\[(\[](.*?)\\[)\]](\s*</\2>)',
    re.DOTALL,
)
SCRIPTS = re.compile(
    r"<script>window\.MathJax = .*?</script>\s*|"
    r'<script[^>]*src="[^"]*mathjax[^"]*"></script>\s*'
)
# reads [[TeX, whether it has a line of its own], …]; writes {"set": [HTML, …], "style": CSS}
PROGRAM = """
const [home, formulas] = [process.argv[1], JSON.parse(require("fs").readFileSync(0))];
require(home + "/node-main.js").init({
  loader: { paths: { mathjax: home }, load: ["input/tex", "output/svg", "a11y/assistive-mml"] },
}).then((jax) => {
  const outer = (node) => jax.startup.adaptor.outerHTML(node);
  const set = formulas.map(([tex, display]) => outer(jax.tex2svg(tex, { display })));
  const style = jax.startup.adaptor.textContent(jax.svgStylesheet());
  process.stdout.write(JSON.stringify({ set, style }));
});
"""


def set_formulas(pages: list[Path], mathjax: Path | None) -> None:
    """Put pictures, which can be read aloud, in place of the formulas of all pages.

    A page without formulas loses the script for them; the others keep it where there is
    no node.

    Args:
        pages: HTML files.
        mathjax: folder of MathJax's programs; None where they are not to be had.
    """
    texts = {page: page.read_text("utf8") for page in pages}
    able = mathjax is not None and shutil.which("node") is not None
    formulas = [one for text in texts.values() for one in found_in(text)]
    told = run(mathjax, formulas) if able else {}
    pictures = iter(told.get("set", ()))
    for page, text in texts.items():
        if able or not found_in(text):
            new = MATH.sub(lambda m: m[1] + next(pictures) + m[4], text)
            style = f"<style>{told['style']}</style>" if new != text else ""
            new = SCRIPTS.sub("", new).replace("</head>", style + "</head>", 1)
            page.write_text(new, "utf8")


def found_in(html: str) -> list[tuple[str, bool]]:
    """TeX of a page's formulas, and whether each has a line of its own."""
    return [
        (unescape(m[3]).strip(), m[2] == "div") for m in MATH.finditer(html)
    ]


def run(mathjax: Path, formulas: list[tuple[str, bool]]) -> dict:
    """What MathJax makes of formulas: ``set``, a picture each, and their ``style``."""
    done = subprocess.run(
        ["node", "-e", PROGRAM, str(mathjax)],
        input=json.dumps(formulas),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)
