"""The page "Your photo": the network packed for browsers, samples, the rounding's price."""

from __future__ import annotations

import json
from pathlib import Path

from tabulate import tabulate
from weaktr_core.data.photos import CREDITS, photo
from weaktr_core.networks.cam import WeakTr
from weaktr_core.page.explorer import your_photo
from weaktr_core.page.packing import PackedNetwork, write_network
from weaktr_core.page.sample import sample

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "data" / "results" / "rounding.json"
NAME, NETWORK = "your_photo", "voc"
SAMPLES = ("cat", "astronaut", "rocket")
# What the page may load, and from where: from beside it, and what it makes itself. A
# page opened from a disk has no origin, so its neighbours are named by their scheme.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' file: 'unsafe-inline' 'wasm-unsafe-eval'",
        "worker-src blob:",
        "style-src 'self' file: 'unsafe-inline'",
        "img-src 'self' file: data: blob:",
        "font-src 'self' file: data:",
        "connect-src 'self'",
        "object-src 'none'",
        "form-action 'self' file:",
        "base-uri 'self'",
    )
)


def put(pages: Path) -> None:
    """Into the folder of all pages: the network's files, the explorer, the tables."""
    network = WeakTr.pretrained(NETWORK)
    packed = write_network(network, pages / "vendor" / "network")
    samples = [look_at(network, name) for name in SAMPLES]
    explorer = your_photo(packed, samples)._repr_html_()
    (pages / f"{NAME}_explorer.html").write_text(explorer, "utf8")
    stored = json.loads(RESULT.read_text("utf8"))
    page = pages / f"{NAME}.md"
    text = page.read_text("utf8")
    for name, value in figures(packed, stored).items():
        text = text.replace(f"%{name}%", value)
    page.write_text(text, "utf8")


def look_at(network: WeakTr, name: str) -> dict:
    """One of the photos that come with scikit-image, as the page's samples are."""
    return sample(network, photo(name), name=name, credit=CREDITS[name])


def figures(packed: PackedNetwork, stored: dict) -> dict[str, str]:
    """What the page's prose names by ``%NAME%``."""
    return dict(
        LEVELS=str(stored["rows"][0]["levels"]),
        DOWNLOAD=f"{packed.bytes / 1e6:.1f} MB",
        FULL=f"{stored['float_bytes'] / 1e6:.0f} MB",
        PHOTOS=str(stored["photos"]),
        ROUNDING=rounding_table(stored["rows"]),
    )


def rounding_table(rows: list[dict]) -> str:
    """Markdown: what each number of steps costs."""
    head = ("steps", "compressed, MB", "head maps alike", "fine CAM off by",
            "mask alike")  # fmt: skip
    body = [
        (
            f"± {row['levels']}",
            f"{row['bytes'] / 1e6:.1f}",
            f"{row['rank_correlation']:.4f}",
            f"{100 * row['fine_cam']:.1f} %",
            f"{100 * row['mask_iou']:.1f} %",
        )
        for row in rows
    ]
    return tabulate(body, head, tablefmt="github", disable_numparse=True)


def guard(html: str) -> str:
    """A page that can send nothing anywhere: its policy comes before all it loads."""
    meta = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    return html.replace("<head>", f"<head>\n{meta}", 1)
