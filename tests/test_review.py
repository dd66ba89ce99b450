"""A person's corrections: stored at once, read back, obeyed by labels and trainings."""

import json
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest
from canvases import painted, pixels

from weaktr_core.__main__ import main
from weaktr_core.data import DataError, Scenes, without_masks
from weaktr_core.data.files import read_mask
from weaktr_core.data.retagged import (
    Decision,
    Retagged,
    append_decision,
    check_decision,
    read_decisions,
    write_table,
)
from weaktr_core.labels.files import write_cam
from weaktr_core.labels.making import keep_piece, make_masks
from weaktr_core.labels.recipe import LabelRecipe, label_map
from weaktr_core.reviewing import Review, make_server
from weaktr_core.schema import SettingError
from weaktr_core.scores.judging import Judged
from weaktr_core.widgets import explore_review

CLASSES = ("ant", "bee", "cow")
RANDOM = np.random.default_rng(3)
SIZE = (20, 30)


def judged(name, tags):
    """A photo with random scores of its tags."""
    classes = np.array([CLASSES.index(it) for it in tags])
    given = np.isin(np.arange(3), classes)
    photo = RANDOM.integers(0, 255, (*SIZE, 3), dtype=np.uint8)
    # smooth enough for pieces of some pixels
    rough = RANDOM.random((len(tags), 5, 6)).repeat(4, axis=1).repeat(5, axis=2)
    sure = RANDOM.random(3)
    return Judged(name, photo, classes, rough.astype(np.float32), given, sure, None)


@pytest.fixture
def shown(tmp_path):
    photos = [judged("one", ["ant", "cow"]), judged("two", ["bee"])]
    rows = [("one", ["ant", "cow"], "train"), ("two", ["bee"], "train"),
            ("three", ["cow"], "val")]  # fmt: skip
    return Review(tmp_path / "run", CLASSES, photos, rows, 0.4)


def test_the_last_decision_counts_and_the_table_follows(shown):
    first = dict(photo="one", tags=["ant"], threshold=0.25, point=[0.5, 1])
    second = dict(photo="two", excluded=True)
    shown.decide({"one": first})
    shown.decide({"one": first, "two": second})
    shown.decide({"one": dict(photo="one", tags=["ant", "bee"]), "two": second})
    said = read_decisions(shown.folder / "review.jsonl", CLASSES)
    assert said["one"] == Decision("one", ("ant", "bee")) and said["two"].excluded
    assert len((shown.folder / "review.jsonl").read_text().splitlines()) == 3
    table = (shown.folder / "tags.csv").read_text()
    assert table == "photo,tags,split\none,ant|bee,train\nthree,cow,val\n"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (dict(photo="one", tags=["dog"]), "no class dog"),
        (dict(photo="one", tags="ant"), "tags: expected"),
        (dict(photo="one", threshold=2), "threshold: expected"),
        (dict(photo="one", point=[0.5, -1]), "point: expected"),
        (dict(photo="four"), "none is called four"),
        (dict(tags=["ant"]), "photo: expected"),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused(shown, values, why):
    with pytest.raises(SettingError, match=why):
        shown.decide({"two": dict(photo="two", excluded=True), "one": values})
    assert not (shown.folder / "review.jsonl").exists()


def test_a_broken_line_is_named(tmp_path):
    path = tmp_path / "review.jsonl"
    append_decision(path, check_decision(dict(photo="a"), CLASSES))
    path.write_text(path.read_text() + '{"photo": "b", "threshold": "high"}\n')
    with pytest.raises(DataError, match=r"review.jsonl: expected a decision .*threshold"):
        read_decisions(path, CLASSES)


def test_corrected_tags_and_left_out_photos(tmp_path):
    scenes = Scenes(4, 32)
    rows = [(s.name, ["cat"], "train") for s in scenes]
    left = {scenes[1].name: Decision(scenes[1].name, excluded=True)}
    write_table(tmp_path / "tags.csv", rows, left)
    corrected = Retagged(scenes, tmp_path / "tags.csv")
    assert [s.name for s in corrected] == [scenes[i].name for i in (0, 2, 3)]
    cat = scenes.classes.index("cat")
    assert all(np.flatnonzero(s.tags).tolist() == [cat] for s in corrected)
    assert corrected[0].mask is not None
    assert all(s.mask is None for s in without_masks(corrected))
    for text, why in [("x,cat", "by name, came x"), ("x,gnu", "came gnu")]:
        (tmp_path / "tags.csv").write_text(f"photo,tags\n{text}\n")
        with pytest.raises(DataError, match=why):
            Retagged(scenes, tmp_path / "tags.csv")


def test_masks_obey_a_threshold_and_a_point(tmp_path):
    scenes = Scenes(3, 32)
    scores = np.zeros((1, 32, 32), np.float32)
    scores[0, 2:8, 2:8], scores[0, 20:30, 20:30] = 0.9, 0.5
    for scene in scenes:
        write_cam(tmp_path / "cams" / f"{scene.name}.npz", scores, np.array([2]))
    low, point = (scenes[i].name for i in (1, 2))
    said = {low: Decision(low, threshold=0.6), point: Decision(point, point=(0.75, 0.75))}
    make_masks(scenes, tmp_path / "cams", tmp_path / "masks", LabelRecipe(0.3), said=said)
    masks = [read_mask(tmp_path / "masks" / f"{s.name}.png") for s in scenes]
    both = label_map(scores, np.array([2]), 0.3)
    upper = label_map(scores, np.array([2]), 0.6)
    np.testing.assert_array_equal(masks[0], both)
    np.testing.assert_array_equal(masks[1], upper)
    np.testing.assert_array_equal(masks[2], both - upper)
    assert keep_piece(both, (0.0, 0.0)) is both  # background: nothing changes


# ---- the page


def send(address, secret, values):
    """The status with which the server answers a decision."""
    headers = {"X-WeakTr": secret}
    body = json.dumps(values).encode()
    request = urllib.request.Request(address, body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def served(shown):
    server = make_server(shown)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_server_takes_decisions_of_its_own_page_only(shown, served):
    page = urllib.request.urlopen(served, timeout=10).read().decode()
    secret = page.split("'X-WeakTr': \"")[1].split('"')[0]
    path = shown.folder / "review.jsonl"
    assert send(served, "guess", dict(one=dict(photo="one"))) == 403
    assert send(served, secret, dict(one=dict(photo="one", tags=["gnu"]))) == 400
    assert send(served, secret, ["one"]) == send(served, secret, {"one": 1}) == 400
    assert not path.exists()
    assert send(served, secret, dict(one=dict(photo="one", tags=["bee"]))) == 204
    assert json.loads(path.read_text())["tags"] == ["bee"]
    elsewhere = urllib.request.Request(served, headers={"Host": "example.org"})
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(elsewhere, timeout=10)


def test_nothing_is_lost_when_the_browser_closes(shown, served, browser):
    path, photo = shown.folder / "review.jsonl", shown.photos[0]
    page = browser.new_page()
    page.goto(served)
    page.wait_for_selector(".wt-big canvas")
    box = page.locator(".wt-big canvas").bounding_box()
    page.get_by_role("slider").fill("30")
    place = dict(x=0.3 * box["width"], y=0.6 * box["height"])
    page.locator(".wt-big canvas").click(position=place)
    page.get_by_role("checkbox", name="bee").check()
    page.wait_for_timeout(500)
    page.close()
    said = read_decisions(path, CLASSES)["one"]
    assert said.threshold == 0.3 and said.tags == ("ant", "cow", "bee")
    assert said.point == pytest.approx((0.6, 0.3), abs=0.02)
    page = browser.new_page()
    page.goto(served)
    canvas = page.locator(".wt-big canvas")
    canvas.wait_for()
    assert page.get_by_role("checkbox", name="bee").is_checked()
    labels = keep_piece(label_map(photo.scores, photo.classes, 0.3), said.point)
    source = shown.show("html").state["data"]["photos"][0]["jpeg"]
    expected = painted(page, source, labels)
    assert np.abs(pixels(canvas).astype(int) - expected.astype(int)).max() <= 1
    page.get_by_role("button", name="Leave out").click()
    page.get_by_text("two, 2 of 2").wait_for()
    page.wait_for_timeout(300)
    assert read_decisions(path, CLASSES)["one"].excluded
    page.close()


def test_a_page_whose_command_has_ended_says_so(shown, browser):
    server = make_server(shown)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
    page.wait_for_selector(".wt-big canvas")
    server.shutdown()
    thread.join()
    server.server_close()
    page.get_by_role("button", name="Keep").click()
    page.get_by_text("NOT SAVED").wait_for()
    page.close()


def test_a_widget_stores_what_is_decided(shown):
    widget = shown.show("live")
    said = json.loads(widget.decisions)
    assert set(said) == {"one", "two"}
    widget.decisions = json.dumps(said | {"two": dict(photo="two", tags=[])})
    assert read_decisions(shown.folder / "review.jsonl", CLASSES)["two"].tags == ()
    assert json.loads(shown.show("live").decisions)["two"]["tags"] == []
    widget.decisions = json.dumps(said)  # undone
    assert read_decisions(shown.folder / "review.jsonl", CLASSES)["two"].tags is None


def test_the_page_fits_a_phone(shown, opened):
    page = opened(shown.show("html")._repr_html_(), 390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


# ---- the whole loop


def test_training_goes_on_from_corrected_tags(tmp_path, caplog):
    caplog.set_level("INFO")
    run, other = tmp_path / "run", tmp_path / "other"
    few = ["--data", "scenes:8", "--preset", "smoke"]
    few += ["--set", "epochs=1", "img_size=32", "precision=no"]
    assert main(["train-cam", *few, "--run", str(run)]) == 0
    from weaktr_core.networks import load_checkpoint
    from weaktr_core.reviewing import open_review, splits_of
    from weaktr_core.train.runs import Run

    train, val = splits_of(Run(run))
    review = open_review(Run(run), train, val, limit=3)
    doubts = [it.doubt for it in review.photos]
    assert len(doubts) == 3 and doubts == sorted(doubts, reverse=True)
    assert len(review.rows) == len(train) + len(val)
    name = review.photos[0].name
    review.decide({name: dict(photo=name, excluded=True)})
    more = ["--tags", str(run / "tags.csv"), "--start", str(run), "--run", str(other)]
    few[-3] = "epochs=2"
    assert main(["train-cam", *few, *more]) == 0
    assert "7 images to train on" in caplog.text
    assert Run(other).config["tags"] == str(run / "tags.csv")
    assert len(splits_of(Run(other))[0]) == 7
    before, after = (
        load_checkpoint(run / "best.safetensors"),
        load_checkpoint(Run(other).best),
    )
    moved = [
        (a - b).abs().max().item()
        for a, b in zip(before.parameters(), after.parameters(), strict=True)
    ]
    assert 0 < max(moved) < 0.1  # it began where the other had ended
    assert main(["make-labels", str(run), "--crf", "none"]) == 0
    assert len(list((run / "labels" / "masks").glob("*.png"))) == 7
    seg, masks = tmp_path / "seg", str(run / "labels" / "masks")
    assert main(["train-seg", *few, "--labels", masks, "--run", str(seg)]) == 0
    assert len(splits_of(Run(seg))[0]) == 7


def test_explorers_of_a_review_are_listed_by_name(shown):
    page = explore_review(
        [shown.photos[0].image], [shown.photos[0].scores], [shown.photos[0].classes],
        [shown.photos[0].probability], class_names=CLASSES, threshold=0.4, names=["x"],
        host="html",
    )  # fmt: skip
    assert page.state["data"]["photos"][0]["tags"] == [0, 2]
    assert page.state["data"]["names"] == ["background", *CLASSES]
