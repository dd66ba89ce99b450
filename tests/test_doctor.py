"""The doctor finds what is wrong and counts right; datasets open by what is there."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weaktr_core.__main__ import main
from weaktr_core.commands.common import parse_setting
from weaktr_core.config import preset
from weaktr_core.data import COCO, VOC2012, DataError, Sample, open_dataset, remarks
from weaktr_core.data.doctor import examine
from weaktr_core.data.remarks import advise_settings, width_of
from weaktr_core.data.report import NOTES, PROBLEMS

SHARED = os.environ.get("WEAKTR_SHARED")
CLASSES = ("ant", "bee", "cow")


class Listed:
    """A dataset from a list; an exception in it is raised when it is asked for."""

    def __init__(self, *samples, classes=CLASSES):
        self.samples, self.classes = samples, classes

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        if isinstance(self.samples[index], Exception):
            raise self.samples[index]
        return self.samples[index]

    def __iter__(self):
        return (self[index] for index in range(len(self)))


def sample(name="one", tags=(1, 0, 0), mask="as tagged", size=(4, 10)) -> Sample:
    if isinstance(mask, str):
        mask = np.zeros(size, np.uint8)
        for k in np.flatnonzero(tags):
            mask[k] = k + 1
    image = np.zeros((*size, 3), np.uint8)
    return Sample(image, np.array(tags, np.float32), mask, name)


def found(*samples) -> list[tuple[str, str]]:
    report = examine(Listed(*samples), progress=False)
    return [(finding.kind, finding.name) for finding in report.findings]


def test_statistics():
    second = sample("two", (1, 0, 1), size=(6, 20))
    second.mask[5] = 255
    report = examine(Listed(sample(), second), progress=False)
    assert (report.total, report.seen, report.read, report.masks) == (2, 2, 2, 2)
    assert report.images.tolist() == [2, 0, 1]
    assert report.heights == (4, 6) and report.widths == (10, 20)
    assert report.tags == (1, 1.5, 2)
    assert report.ignored == pytest.approx(20 / 160)
    # Of 140 labelled pixels: ant 10 + 20, cow 20, the rest background.
    np.testing.assert_allclose(report.shares, np.array([90, 30, 0, 20]) / 140)
    assert report.ready and report.verdict == "ready"


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (DataError("a.jpg: expected a photo, came no such file"), "unreadable"),
        (PermissionError("a.jpg"), "unreadable"),
        (sample("bad", (1, 0)), "malformed"),
        (sample("bad", (1, 0, 0.5), mask=None), "malformed"),
        (sample("bad", mask=np.zeros((4, 10), np.int64)), "malformed"),
        (sample("bad", mask=np.ones((10, 4), np.uint8)), "mask size"),
        (sample("bad", mask=np.array([[1, 4]], np.uint8), size=(1, 2)), "mask id"),
        (
            sample("bad", mask=np.array([[1, 2]], np.uint8), size=(1, 2)),
            "untagged class",
        ),
        (sample("one"), "duplicate"),
    ],
)
def test_each_problem_is_found_and_the_rest_still_counted(bad, kind):
    report = examine(Listed(sample(), bad, sample("last")), progress=False)
    assert [finding.kind for finding in report.problems] == [kind]
    assert not report.ready and report.verdict == "1 problem"
    assert report.images[0] >= 2
    assert report.text().endswith("\n1 problem")
    assert PROBLEMS[kind] in report.text()


@pytest.mark.parametrize(
    ("odd", "kind"),
    [
        (sample("odd", (0, 0, 0)), "no tag"),
        (sample("odd", (1, 1, 0), np.ones((4, 10), np.uint8)), "unseen tag"),
        (sample("odd", mask=None), "no mask"),
    ],
)
def test_notes_do_not_spoil_the_verdict(odd, kind):
    report = examine(Listed(sample(), odd), progress=False)
    assert [finding.kind for finding in report.notes] == [kind]
    assert report.ready and report.text().endswith("\nready")
    assert f"note: {NOTES[kind]} (1)" in report.text()


def test_masks_of_nothing_but_ignored_pixels_are_fine():
    hidden = sample("two", mask=np.full((4, 10), 255, np.uint8))
    assert found(sample(), hidden) == [("unseen tag", "two")]


def test_a_dataset_without_masks_is_no_finding():
    assert found(sample("a", mask=None), sample("b", mask=None)) == []
    report = examine(Listed(sample(mask=None)), progress=False)
    assert "masks   0 of 1" in report.text()


def test_empty_dataset_is_a_problem():
    report = examine(Listed(), progress=False)
    assert report.verdict == "1 problem" and "no image" in report.text()


def test_limit_looks_at_the_first_images_only():
    data = Listed(sample("a"), sample("b"), DataError("never asked for"))
    report = examine(data, limit=2, progress=False)
    assert report.ready and (report.seen, report.total) == (2, 3)
    assert "2 of 2 read, 1 not looked at; 3 classes" in report.text()


def test_worst_report_of_twenty_classes_has_less_than_sixty_lines():
    classes = tuple(f"class number {k}" for k in range(20))
    wrong = np.full((4, 10), 30, np.uint8)
    wrong[0] = 2
    tags = np.eye(20)[0]
    samples = [DataError("x"), sample("a", tags), sample("a", tags)]
    samples += [sample(f"w{k}", tags, wrong) for k in range(3)]
    samples += [sample(f"n{k}", tags, None) for k in range(3)]
    samples += [sample(f"z{k}", 0 * tags, wrong.T) for k in range(3)]
    samples += [sample(f"f{k}", tags[:5]) for k in range(3)]
    report = examine(Listed(*samples, classes=classes), progress=False)
    assert {it.kind for it in report.findings} == {*PROBLEMS, *NOTES} - {
        "empty",
        "empty masks",
        "twin",
        "leak",
    }
    lines = report.text().splitlines()
    assert len(lines) < 60
    assert lines[-1] == f"{len(report.problems)} problems"


def test_table_has_one_row_a_class_or_columns():
    few = examine(Listed(sample()), progress=False).text()
    assert "ant" in few and "#" * 20 in few
    many = tuple(f"class{k}" for k in range(80))
    data = Listed(sample(tags=np.eye(80)[2]), classes=many)
    text = examine(data, progress=False).text()
    assert len(text.splitlines()) < 45
    assert all(f"{name} " in text for name in many)


def test_open_dataset_makes_scenes():
    assert len(open_dataset("scenes")) == 800
    assert len(open_dataset("scenes", "val")) == 400
    assert len(open_dataset("scenes:7")) == 7
    assert len(open_dataset("scenes:7", count=5)) == 5
    data = open_dataset("scenes:2", "val", size=48)
    assert data[0].image.shape == (48, 48, 3)
    assert open_dataset("scenes:1")[0].image.shape == (112, 112, 3)
    assert examine(data, progress=False).ready


def test_train_and_val_scenes_differ():
    train, val = (open_dataset("scenes:1", split, size=48) for split in ("train", "val"))
    assert (train[0].image != val[0].image).any()


@pytest.mark.parametrize("where", ["scenes:", "scenes:many", "scenes:0", "scenes:-3"])
def test_scenes_need_a_number(where):
    with pytest.raises(DataError, match="number of scenes"):
        open_dataset(where)


def test_open_dataset_refuses_what_it_does_not_know(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match=r"VOC.*COCO.*photos/"):
        open_dataset(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        open_dataset(tmp_path / "nowhere")
    with pytest.raises(DataError, match="split of train, val, test"):
        open_dataset("scenes", "trainval")
    with pytest.raises(DataError, match="size=64"):
        open_dataset(tmp_path, size=64)
    (tmp_path / "VOCdevkit").mkdir()
    with pytest.raises(DataError, match="JPEGImages"):
        open_dataset(tmp_path)


def remarks_on(*tags) -> str:
    samples = [sample(f"s{n}", it, mask=None) for n, it in enumerate(tags)]
    return "\n".join(examine(Listed(*samples), progress=False).remarks)


def test_classes_that_tags_cannot_teach_are_named():
    both, bee, none = (1, 1, 0), (0, 1, 0), (0, 0, 0)
    text = remarks_on(both, both, bee, bee, none)
    assert "ant never without bee (2 photos)" in text and "no photo of cow" in text
    assert "fewer than 10 photos of ant (2), bee (4)" in text
    assert "ant and bee always together (2 photos)" in remarks_on(both, both, none)
    assert "every photo shows bee" in remarks_on(both, bee)
    fine = [(1, 0, 0)] * 10 + [(0, 1, 0)] * 10 + [(0, 0, 1)] * 10
    (alone,) = remarks_on(*fine).splitlines()
    assert alone.startswith("cow: words that everybody knows") and "SAM 3" in alone


def test_things_thinner_than_a_patch_are_named():
    wire, disc = np.zeros((2, 120, 160), np.uint8)
    wire[60:63] = 1
    rows, columns = np.mgrid[:120, :160]
    disc[(rows - 60) ** 2 + (columns - 80) ** 2 < 1600] = 2
    assert width_of(wire == 1) == pytest.approx(2 * 480 / 322 / 120, rel=0.01)
    samples = [
        Sample(np.zeros((120, 160, 3), np.uint8), np.eye(3)[k], mask, f"s{k}")
        for k, mask in enumerate((wire, disc))
    ]
    remarks = examine(Listed(*samples), progress=False).remarks
    (thin,) = [it for it in remarks if "patch" in it]
    assert thin.startswith("ant (1/40) of the short side wide")


def photo(seed: int) -> np.ndarray:
    blocks = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return blocks.repeat(20, 0).repeat(20, 1)


def test_the_same_photo_again_is_found_in_other_splits_too():
    pictures = [photo(0), photo(1), photo(0) // 8 * 8, photo(2)[::2, ::2]]
    train = [Sample(it, np.eye(3)[0], None, f"t{n}") for n, it in enumerate(pictures)]
    val = [
        Sample(it, np.eye(3)[0], None, f"v{n}") for n, it in enumerate([photo(2), photo(3)])
    ]
    report = examine(Listed(*train), progress=False, others={"val": Listed(*val)})
    found = {(it.kind, it.name, it.detail) for it in report.notes}
    assert found == {("twin", "t0", "t2"), ("leak", "t3", "v0 in val")}
    flat = [sample(f"f{n}", mask=None) for n in range(5)]
    assert not examine(Listed(*flat), progress=False).notes


def test_masks_that_measure_nothing_are_a_problem_with_its_mend():
    drawn = sample(mask=np.full((4, 10), 255, np.uint8))
    drawn.mask[0] = 0
    report = examine(Listed(drawn), progress=False)
    assert [it.kind for it in report.problems] == ["empty masks"]
    assert "labelmap.txt with the line ant:255,255,255" in report.text()


def test_settings_have_reasons_and_json_holds_everything():
    report = examine(Listed(sample()), progress=False, advise=True)
    stored = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert stored["ready"] is True and stored["classes"][0]["images"] == 1
    assert all(it["setting"] and it["reason"] for it in stored["settings"])
    for count, side in ((1, 20), (53, 100), (5000, 480)):
        advised(count, [side])


def advised(count, sides, *more):
    """The preset with all that is advised."""
    told = [text for text, _ in advise_settings(count, sides, *more)]
    return preset("photos", **dict(parse_setting(it) for t in told for it in t.split()))


def test_batches_fit_into_memory_and_steps_stay_as_many():
    plenty, little = 2**40, 5 * 2**30
    assert advised(53, [], None, plenty) == preset("photos")
    assert advised(53, [100], None, plenty).img_size == 98
    sizes = [advised(800, [480], side, little).batch_size for side in (112, 224, 448)]
    assert sizes[0] > sizes[1] > sizes[2] >= 1
    assert advised(800, [480], 448, plenty).batch_size == 16
    assert advised(800, [480], 224, little).epochs < advised(800, [480], 112, little).epochs


def test_the_rule_for_batches_is_the_one_that_was_measured():
    path = Path(__file__).parents[1] / "benchmarks" / "results" / "memory.json"
    rule = json.loads(path.read_text())["rule"]
    measured = (rule["mib_a_patch"], rule["mib_besides"])
    used = (remarks.MIB_A_PATCH, remarks.MIB_BESIDES)
    assert all(
        1 <= ours / theirs < 1.1 for ours, theirs in zip(used, measured, strict=True)
    )


def test_doctor_writes_json_and_a_contact_sheet(tmp_path, capsys):
    names = ["雨|$x$", "</script>|\u202egod"]
    for number in range(2):
        Image.fromarray(photo(number)).save(tmp_path / f"{number}.png")
    rows = "".join(f"{n}.png,{tags},train\n" for n, tags in enumerate(names))
    (tmp_path / "tags.csv").write_text("photo,tags,split\n" + rows, "utf8")
    out = tmp_path / "report.json"
    sheet = tmp_path / "sheet.jpg"
    arguments = ["doctor", str(tmp_path), "--json", str(out), "--sheet", str(sheet)]
    assert main(arguments) == 0
    assert json.loads(out.read_text())["read"] == 2
    assert Image.open(sheet).size[0] > 600


@pytest.mark.skipif(not SHARED, reason="WEAKTR_SHARED is not set: no real photos")
@pytest.mark.parametrize(
    ("folder", "split", "kind", "count"),
    [("voc-mini", "val", VOC2012, 24), ("coco-mini", "train", COCO, 98)],
)
def test_real_photos_are_ready(folder, split, kind, count):
    data = open_dataset(Path(SHARED) / folder, split)
    assert isinstance(data, kind) and len(data) == count
    report = examine(data, progress=False)
    assert report.ready and report.read == report.masks == count
    assert len(report.text().splitlines()) < 60
