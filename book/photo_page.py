"""The page "Your photo": the network packed for browsers, samples, the rounding's price."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from nbformat import NotebookNode
from tabulate import tabulate
from weaktr_core import preset
from weaktr_core.data.photos import CREDITS, photo
from weaktr_core.networks.cam import WeakTr
from weaktr_core.page.explorer import FOLDER, network_data, your_photo
from weaktr_core.page.packing import PackedNetwork, write_network
from weaktr_core.page.sample import sample
from weaktr_core.widgets.host import module_source

import scene_page

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "data" / "results" / "rounding.json"
SPEED = ROOT / "benchmarks" / "results" / "page.json"
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


CHAPTERS = {
    "03_heads_disagree": dict(
        tab="heads",
        asks="yes",
        text="All heads of the network for photographs, on a photo of your own: from "
        "which patch does a head see the object, from which only its surroundings?",
    ),
    "06_weighting_heads": dict(
        tab="trial",
        asks="yes",
        text="Weigh, silence or replace the heads of the network for photographs, on a "
        "photo of your own. Does its mask notice?",
    ),
    "07_from_blobs_to_objects": dict(
        tab="classes",
        stage="fine",
        text="The same stages on a photo of your own, by the network for photographs. "
        "Where does the product lose something that the fine map brings back?",
    ),
    "09_pseudo_labels": dict(
        tab="classes",
        stage="mask",
        text="Move the background score on a photo of your own. What happens with a tag "
        "that is not in the photo?",
    ),
}
"""Chapter → what its explorer shows, which is this page's with one tab. Where a chapter is
heavy already, it ``asks`` before it loads that."""

HEADING = "## On your own photo"
BEFORE = "## Exercises"
LATER = """(() => {
  const load = (source) => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: source, onload: resolve, onerror: reject });
    document.head.append(script);
  });
  async function open(el) {
    for (const source of el.dataset.scripts.split(" ")) await load(source);
    const state = { ...el.dataset, data: { ...weaktrPage.data, samples: weaktrSamples } };
    await weaktrPage.render({ model: { get: (name) => state[name] }, el });
  }
  const watch = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries)
      if (isIntersecting) { watch.unobserve(target); open(target); }
  }, { rootMargin: "300px" });
  for (const el of document.querySelectorAll(".wt-later")) {
    const press = el.querySelector("button");
    if (press) press.onclick = () => { press.disabled = true; open(el); };
    else watch.observe(el);
  }
})();"""
"""Opens an explorer when a reader comes near; its scripts are the same for all chapters."""


def put(pages: Path) -> dict[str, str]:
    """Into the folder of all pages: networks' files, explorers, tables.

    Returns:
        Chapter → the HTML of its explorer, for `add_to`.
    """
    network = WeakTr.pretrained(NETWORK)
    folder = pages / "vendor" / "network"
    packed = write_network(network, folder)
    samples = [look_at(network, name) for name in SAMPLES]
    explorer = your_photo(packed, samples)._repr_html_()
    (pages / f"{NAME}_explorer.html").write_text(explorer, "utf8")
    stored = json.loads(RESULT.read_text("utf8"))
    page = pages / f"{NAME}.md"
    text = page.read_text("utf8")
    drawn = scene_page.put(page, folder)
    values = figures(packed, stored) | dict(
        NO_SCENES="" if drawn else scene_page.MISSING
    )
    for name, value in values.items():
        text = text.replace(f"%{name}%", value)
    page.write_text(text, "utf8")
    return chapters(packed, samples, folder)


def chapters(
    packed: PackedNetwork, samples: list[dict], folder: Path
) -> dict[str, str]:
    """The explorers of the chapters, and the scripts that they share."""
    explorer = module_source(NAME, FOLDER).replace("export default", "return")
    data = json.dumps(network_data(packed))
    page = write_script(
        folder, "page",
        f"self.weaktrPage = (() => {{\n{explorer}\n}})();\nweaktrPage.data = {data};",
    )  # fmt: skip
    # attention between patches is most of a sample; where patches gather from those that
    # are alike, only heads ask for it
    rows = {} if samples[0]["affinity"] is None else dict(patchRows=None)
    light = [one | rows for one in samples[:2]]
    lists = {"heads": samples[:1], "": light}
    files = {
        tab: write_script(
            folder, "samples", f"self.weaktrSamples = {json.dumps(some)};"
        )
        for tab, some in lists.items()
    }
    return {
        name: later(what, page | files.get(what["tab"], files[""]))
        for name, what in CHAPTERS.items()
    }


def write_script(folder: Path, stem: str, text: str) -> dict[str, int]:
    """A script named by its content: its address, relative to a page → bytes."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    (folder / f"{stem}-{digest}.js").write_text(text, "utf8")
    return {f"_static/network/{stem}-{digest}.js": len(text)}


def later(what: dict[str, str], scripts: dict[str, int]) -> str:
    """An explorer that loads when it is needed; without scripts it is a link.

    Args:
        what: of `CHAPTERS`.
        scripts: address → bytes.
    """
    stage = what.get("stage", "mask")
    size = f"{sum(scripts.values()) / 1e6:.1f} MB"
    start = (
        f'<button style="min-height: 44px">Open it here ({size})</button>'
        if "asks" in what
        else ""
    )
    height = "" if start else ' style="min-height: 30rem"'
    return (
        f'<div class="wt-later"{height} data-tab="{what["tab"]}" data-stage="{stage}" '
        f'data-only="{NAME}.html" data-scripts="{" ".join(scripts)}"><p>{start} All of it '
        f'is on <a href="{NAME}.html">a page of its own</a>.</p></div>'
        f"<script>{LATER}</script>"
    )


def add_to(
    notebook: NotebookNode, name: str, explorers: dict[str, str]
) -> None:
    """A chapter's explorer, before its exercises."""
    if name not in explorers:
        return
    index = next(i for i, c in enumerate(notebook.cells) if BEFORE in c.source)
    before, after = notebook.cells[index].source.split(BEFORE, 1)
    text = (
        f"{HEADING}\n\n{CHAPTERS[name]['text']} {{ref}}`your-photo` says more."
    )
    html = f"```{{raw}} html\n{explorers[name]}\n```"
    whole = "\n\n".join([before.rstrip(), text, html, BEFORE + after])
    notebook.cells[index].source = whole.lstrip()


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
        SCENE_SIDE=str(preset(scene_page.PRESET).img_size),
        ROUNDING=rounding_table(stored["rows"]),
        SPEED=speed_table(json.loads(SPEED.read_text("utf8")))
        if SPEED.exists()
        else "",
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


MEASURED = {
    "canvas": "from opening to the first canvas",
    "ready": "from the button to a ready network",
    "photo": "from a file to its mask",
    "forward": "one forward pass, 224 × 224, one thread",
    "forward_least": "the quickest of them",
    "redraw": "a head's weight changed, all redrawn",
    "redraw_most": "the slowest of them",
    "scene_redraw": "a thing moved, the scene redrawn",
    "scene_answer": "a thing moved, the network's answer drawn",
}
"""What benchmarks/page.py measured, in milliseconds → its words."""


def speed_table(found: dict) -> str:
    """What the page costs, as benchmarks/page.py measured it, with the machine."""
    browsers = found["browsers"]
    head = ("", *(one["version"].replace("/", " ") for one in browsers))
    body = [
        (
            words,
            *(
                f"{one[name]:.0f} ms" if name in one else ""
                for one in browsers
            ),
        )
        for name, words in MEASURED.items()
    ]
    body.append(
        ("requests to elsewhere", *(str(one["foreign"]) for one in browsers))
    )
    table = tabulate(body, head, tablefmt="github", disable_numparse=True)
    sizes = (
        f"The page itself has {found['page'] / 1e6:.1f} MB, both networks together "
        f"{found['networks'] / 1e6:.1f} MB; medians in headless browsers, from this machine."
    )
    return f"{table}\n\n{found['machine']} {sizes}"


def guard(html: str) -> str:
    """A page that can send nothing anywhere: its policy comes before all it loads."""
    meta = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    return html.replace("<head>", f"<head>\n{meta}", 1)
