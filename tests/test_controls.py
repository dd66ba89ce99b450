"""Controls around the head explorer, without a browser: values set, traits read."""

import datetime
import io
from functools import partial

import ipywidgets
import numpy as np
import pytest
from PIL import Image

from weaktr_core import look
from weaktr_core.__main__ import main
from weaktr_core.data.photos import PHOTOS, photo
from weaktr_core.look import explore_live
from weaktr_core.widgets import explore_heads
from weaktr_core.widgets.live import LiveExplorer, uploaded_file

RANDOM = np.random.default_rng(0)


def fake(name, photo, network):
    """An explorer of random attention: 4 layers of 2 heads, "small" has 2 layers."""
    if network == "broken" or min(photo.shape[:2]) < 3:
        raise ValueError("a photo of 2 pixels\nis too small")
    if "/" in network:
        look.open_network(network)
    rows = RANDOM.random((2 if network == "small" else 4, 2, 10, 10))
    return explore_heads(photo, rows, names=[name], host="live")


@pytest.fixture
def live():
    photos = {name: partial(photo, name) for name in PHOTOS}
    return LiveExplorer(fake, photos, "dinov2-s")


SEVEN = ipywidgets.__version__.startswith("7.")


def upload(live, name, content):
    """What the browser does, in the words of either ipywidgets."""
    now = datetime.datetime.now(datetime.timezone.utc)
    file = dict(name=name, type="image/png", size=len(content))
    if SEVEN:
        value = {name: {"metadata": file, "content": content}}
        live.upload.set_trait("value", value)
    else:
        file |= {"last_modified": now, "content": memoryview(content)}
        live.upload.value = (file,)


def png(width=30, height=20):
    buffer = io.BytesIO()
    pixels = RANDOM.integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def shown(live):
    """Name of the photo in the explorer that the box holds."""
    assert live.box.children[-1] is live.explorer
    return live.explorer.data["photos"][0]["name"]


def test_slider_and_explorer_move_each_other(live):
    assert (live.layer.min, live.layer.max, live.layer.value) == (1, 4, 4)
    live.layer.value = 2
    assert live.explorer.layer == 1
    live.explorer.set_state({"layer": 2})  # what the browser sends
    assert live.layer.value == 3
    live.explorer.layer = 99
    assert live.layer.value == 4  # as the page does: the last there is


def test_another_photo_keeps_layer_and_head(live):
    old = live.explorer
    old.layer, old.head = 1, 1
    live.photo.value = PHOTOS[2]
    assert shown(live) == PHOTOS[2] and live.explorer is not old
    assert (live.explorer.layer, live.explorer.head, live.layer.value) == (1, 1, 2)
    old.layer = 3  # no longer tied
    assert live.layer.value == 2


def test_another_network_has_its_own_layers(live):
    live.network.value = "small"
    assert live.layer.max == 2 and live.layer.value == 2 and live.explorer.layer == 1
    live.network.value = "dinov2-s"
    assert live.layer.max == 4


def test_an_uploaded_photo_is_shown_and_can_be_chosen_again(live):
    upload(live, "mine.png", png())
    assert shown(live) == "mine.png" and live.photo.value == "mine.png"
    live.photo.value = PHOTOS[0]
    assert shown(live) == PHOTOS[0]
    upload(live, "mine.png", png(40, 40))
    assert shown(live) == "mine.png (2)"
    assert live.photo.options == (*PHOTOS, "mine.png", "mine.png (2)")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no photo", "8 bytes in no image format"),
        (b"", "0 bytes in no image format"),
        (png()[:400], "a damaged image"),
    ],
)
def test_a_bad_upload_is_said_in_one_sentence_and_nothing_is_lost(live, content, reason):
    live.explorer.layer = 1
    kept = live.explorer
    upload(live, "</script>.png", content)
    assert live.message.value.startswith("</script>.png is no photo: " + reason)
    assert "\n" not in live.message.value
    assert live.explorer is kept and kept.layer == 1 and shown(live) == PHOTOS[0]
    assert live.photo.options == PHOTOS
    upload(live, "good.png", png())
    assert shown(live) == "good.png" and live.message.value == ""


def test_both_forms_of_an_upload_are_read():
    eight = ({"name": "a.png", "content": memoryview(b"12")},)
    seven = {"a.png": {"metadata": {"name": "a.png"}, "content": b"12"}}
    assert uploaded_file(eight) == uploaded_file(seven) == ("a.png", b"12")
    assert uploaded_file(()) is uploaded_file({}) is None


def test_what_cannot_be_explored_leaves_all_as_it_was(live):
    kept = live.explorer
    upload(live, "dot.png", png(2, 2))
    assert live.message.value == "Not shown: a photo of 2 pixels is too small"
    assert live.explorer is kept and live.photo.value == PHOTOS[0]
    for network in ("broken", "no/such/run"):
        live.network.value = network
        assert live.message.value.startswith("Not shown: ")
        assert live.explorer is kept and live.network.value == "dinov2-s"
    live.photo.value = PHOTOS[1]
    assert shown(live) == PHOTOS[1] and live.message.value == ""


def test_without_a_kernel_it_is_the_static_explorer(monkeypatch):
    monkeypatch.setenv("WEAKTR_WIDGETS", "html")
    monkeypatch.setattr(look, "explore_photo", lambda *_, **named: named)
    assert explore_live() == dict(name=PHOTOS[0], size=168, host="html")


def test_a_trained_run_offers_its_class_tokens(tmp_path, monkeypatch):
    settings = ["--preset", "smoke", "--set", "epochs=1", "precision=no", "img_size=48"]
    run = tmp_path / "run"
    assert main(["train-cam", "--data", "scenes:6", "--run", str(run), *settings]) == 0
    live = explore_live(str(run), size=48, host="live")
    assert live.explorer.data["photos"][0]["prefix"][0].startswith("token of ")
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    live._ipython_display_()
    assert shown == [live.box]
    live.network.value = str(tmp_path)
    assert "no run here" in live.message.value and live.network.value == str(run)
