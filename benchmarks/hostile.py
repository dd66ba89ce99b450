"""What hostile input comes to: ``python benchmarks/hostile.py``.

Runs tests/test_hostile.py and writes, case by case, what was said: results/hostile.md.
"""

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from defusedxml.ElementTree import parse
from machine import measured

ROOT = Path(__file__).parents[1]


def cases() -> list[dict[str, str]]:
    """Area, name and outcome of each case, as the test noted it."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        words = ["-q", "-n0", "tests/test_hostile.py", f"--junit-xml={report}"]
        subprocess.run([sys.executable, "-m", "pytest", *words], cwd=ROOT, check=True)
        found = []
        for it in parse(report).iter("testcase"):
            noted = {p.get("name"): p.get("value") for p in it.iter("property")}
            if "outcome" in noted:
                area, _, name = noted["case"].partition(": ")
                found.append(dict(area=area, name=name, outcome=noted["outcome"]))
    return found


def table(found: list[dict[str, str]]) -> str:
    """Markdown: how many, then each."""
    areas = Counter(it["area"] for it in found)
    read = Counter(it["area"] for it in found if it["outcome"].startswith("read"))
    lines = [
        measured(),
        "",
        "| area | cases | refused in one line | read |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {a} | {n} | {n - read[a]} | {read[a]} |" for a, n in sorted(areas.items())
    ]
    whole, good = sum(areas.values()), sum(read.values())
    lines += [f"| all | {whole} | {whole - good} | {good} |", ""]
    lines += ["| area | case | outcome |", "|---|---|---|"]
    lines += [
        f"| {it['area']} | {cell(it['name'])} | {cell(it['outcome'])} |" for it in found
    ]
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    """Text that fits a cell of a table and shows what cannot be seen."""
    plain = text.encode("ascii", "backslashreplace").decode()
    return plain.replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


if __name__ == "__main__":
    written = table(cases())
    (ROOT / "benchmarks" / "results" / "hostile.md").write_text(written, "utf8")
    print(written)
