"""A few shapes for the book's diagrams: SVG that takes its colours from the page.

Every colour is a CSS variable of book.css with a light value to fall back on, so one file
serves light, dark and paper once it stands inside the page (`pages.inline_diagrams`).
"""

from __future__ import annotations

from html import escape

STYLE = """
.wt-diagram{font-family:var(--wt-sans,system-ui,sans-serif);font-size:13px;color:var(--d-ink,#1f2a44)}
.wt-diagram text{fill:currentColor}
.wt-diagram .s{font-size:11px;fill:var(--d-soft,#56607a)}
.wt-diagram .b{font-weight:650}
.wt-diagram .m{font-family:var(--wt-mono,ui-monospace,monospace);font-size:12px}
.wt-diagram .box{stroke:var(--d-line,#8a93a8);stroke-width:1;fill:var(--d-paper,#fff)}
.wt-diagram .frame{stroke:var(--d-line,#8a93a8);stroke-dasharray:4 4;fill:none}
.wt-diagram .patch{fill:var(--d-patch,#c7d9ee)}
.wt-diagram .class{fill:var(--d-class,#f7d987)}
.wt-diagram .heat{fill:var(--d-heat,#f0b58a)}
.wt-diagram .attn{fill:var(--d-attn,#d9d0f3)}
.wt-diagram .mask{fill:var(--d-mask,#b9e0cf)}
.wt-diagram .flow{fill:none;stroke:var(--d-line,#8a93a8);stroke-width:1.6}
.wt-diagram .tip{fill:var(--d-line,#8a93a8)}
.wt-diagram .grad{fill:none;stroke:var(--d-grad,#0b7a57);stroke-width:2.6}
.wt-diagram .grad-tip{fill:var(--d-grad,#0b7a57)}
.wt-diagram .cut{fill:none;stroke:var(--d-cut,#b3341f);stroke-width:2.4}
.wt-diagram .cut-text{fill:var(--d-cut,#b3341f);font-size:11px}
.wt-diagram .strong{stroke:currentColor;stroke-width:2}
""".strip().replace("\n", "")


class Drawing:
    """Shapes on a sheet of ``width`` × ``height`` units; a unit is about a pixel."""

    def __init__(self, width: int, height: int, title: str):
        self.size, self.title = (width, height), title
        self.parts: list[str] = []
        self.fitted: list[
            tuple[float, str, str]
        ] = []  # widths of boxes, and their words

    def svg(self) -> str:
        """The sheet as the text of an SVG file."""
        width, height = self.size
        head = f'<svg xmlns="http://www.w3.org/2000/svg" class="wt-diagram" viewBox="0 0 {width} {height}"'
        body = "\n".join(self.parts)
        return (
            f'{head} role="img" aria-label="{escape(self.title)}">\n'
            f"<style>{STYLE}</style>\n{body}\n</svg>\n"
        )

    def text(self, x, y, words, kind="", anchor="middle") -> None:
        """One or several lines, the first one's baseline at y."""
        for number, line in enumerate(words.split("\n")):
            self.parts.append(
                f'<text x="{x:g}" y="{y + 15 * number:g}" text-anchor="{anchor}"'
                f"{kind and f' class={kind!r}'}>{escape(line)}</text>".replace(
                    "'", '"'
                )
            )

    def rect(self, x, y, w, h, kind="box", round_=4, opacity=1.0) -> None:
        """A rectangle by its upper left corner."""
        faint = f' opacity="{opacity:.2f}"' if opacity < 1 else ""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="{round_}" class="{kind}"{faint}/>'
        )

    def box(self, x, y, w, h, words, kind="", small="") -> None:
        """A rectangle with words in its middle, and smaller ones beneath them."""
        self.rect(x, y, w, h, f"box {kind}".strip())
        self.fitted.append((w, words, small))
        lines = words.split("\n")
        deep = 15 * len(lines) + (14 * len(small.split("\n")) if small else 0)
        top = y + (h - deep) / 2 + 11.5
        self.text(x + w / 2, top, words, "b" if small else "")
        if small:
            self.text(x + w / 2, top + 15 * len(lines), small, "s")

    def grid(
        self, x, y, rows, columns, cell, kind, values=None, gap=1
    ) -> None:
        """Cells of a table; ``values(row, column)`` in 0…1 is how full a cell is."""
        for r in range(rows):
            for c in range(columns):
                left, top = x + c * cell, y + r * cell
                side, full = cell - gap, values(r, c) if values else 1.0
                self.rect(
                    left,
                    top,
                    side,
                    side,
                    f"box {kind}" if full else "box",
                    1,
                    max(0.15, full),
                )

    def line(self, *points, kind="flow", tip=True) -> None:
        """Straight pieces from point to point, an arrow's tip at the end."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" class="{kind}"/>')
        if tip:
            (x0, y0), (x1, y1) = points[-2:]
            angle = {(1, 0): 0, (0, 1): 90, (-1, 0): 180, (0, -1): 270}
            turn = angle[(x1 > x0) - (x1 < x0), (y1 > y0) - (y1 < y0)]
            self.parts.append(
                f'<path d="M0,0 L-8,-4 L-8,4 Z" class="{"grad-tip" if kind == "grad" else "tip"}"'
                f' transform="translate({x1:g} {y1:g}) rotate({turn})"/>'
            )

    def cut(self, x, y, words="", side="right") -> None:
        """Two strokes across a line: no gradient passes here."""
        for shift in (-3, 3):
            self.parts.append(
                f'<path d="M{x + shift - 4:g},{y + 7:g} L{x + shift + 4:g},{y - 7:g}" class="cut"/>'
            )
        if words:
            away = 12 if side == "right" else -12
            self.text(
                x + away,
                y + 4,
                words,
                "cut-text",
                "start" if side == "right" else "end",
            )
