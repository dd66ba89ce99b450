"""The networks in the package still draw what their stored scores say."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOLERANCE = 0.3  # points of mIoU: other processors round otherwise


def test_the_shipped_networks_reach_their_stored_scores(shared, monkeypatch):
    folder = shared / "voc-part"
    if not folder.is_dir():
        pytest.skip(f"{folder}: no part of VOC there")
    monkeypatch.syspath_prepend(str(ROOT / "book" / "experiments"))
    shipped = pytest.importorskip("shipped")
    stored = json.loads(shipped.RESULT.read_text("utf8"))["miou"]
    assert shipped.scores(folder) == pytest.approx(stored, abs=TOLERANCE)
