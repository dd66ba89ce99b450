"""Parsers under made-up bytes: a value of the documented kind, or one line."""

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from weaktr_core.config import CamConfig, SegConfig
from weaktr_core.data.coco import COCO
from weaktr_core.data.drawn import read_labelmap
from weaktr_core.data.files import read_image, read_json, read_mask
from weaktr_core.data.names import inside, unique_names
from weaktr_core.data.outlines import Instance, outlined, paint
from weaktr_core.data.tables import read_rows
from weaktr_core.data.voc_files import object_names, read_list
from weaktr_core.errors import WeakTrError
from weaktr_core.labels.files import read_cam
from weaktr_core.networks.checkpoints import checked_about, read_safetensors
from weaktr_core.schema import literal
from weaktr_core.train.runs import Progress, Run
from weaktr_core.train.snapshots import hash_file

EXAMPLES = int(os.environ.get("WEAKTR_FUZZ", "60"))
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
NUMBERS = st.one_of(st.integers(), st.floats(), st.integers(-3, 50))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
TEXT = st.text(alphabet=st.sampled_from('abÄ猫,;|:/\\"\n\t #.0123-\0\u202e'), max_size=60)


def one_line_or(action):
    """What an action returns; a complaint must be a single line that says what came."""
    try:
        return action()
    except WeakTrError as error:
        assert str(error) and "\n" not in str(error)
        return None


def with_file(content: bytes, name: str, action):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return one_line_or(lambda: action(path))


@FUZZ
@given(st.one_of(st.binary(max_size=80), TEXT.map(str.encode)))
def test_lists_and_tables_of_anything(content):
    with_file(content, "train.txt", read_list)
    with_file(content, "labelmap.txt", read_labelmap)
    with_file(b"photo,tags,split\n" + content, "tags.csv", lambda p: read_rows(p.parent))
    with_file(content, "metadata.jsonl", lambda p: read_rows(p.parent))


@FUZZ
@given(
    st.one_of(
        st.binary(max_size=120),
        TEXT.map(lambda t: f"<a><object><name>{t}</name></object></a>".encode()),
    )
)
def test_annotations_of_anything(content):
    names = with_file(content, "a.xml", object_names)
    assert names is None or all(isinstance(name, str) for name in names)
    with_file(content, "a.json", read_json)


@FUZZ
@given(
    st.sampled_from(
        [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"II*\0", b"RIFF", b"BM"]
    ),
    st.binary(max_size=200),
)
def test_pictures_of_anything(start, content):
    for read in (read_image, read_mask):
        found = with_file(start + content, "a.jpg", read)
        assert found is None or found.dtype == np.uint8


@FUZZ
@given(JSON, JSON, JSON)
def test_coco_files_of_anything(images, annotations, categories):
    index = {"images": images, "annotations": annotations, "categories": categories}
    with_file(json.dumps(index).encode(), "all.json", lambda path: COCO(path.parent))


ENTRY = st.fixed_dictionaries(
    {
        "image_id": st.sampled_from([1, "1", 2]),
        "category_id": st.sampled_from([1, "1", 2, None]),
        "segmentation": JSON,
        "iscrowd": JSON,
    }
)


@FUZZ
@given(st.lists(ENTRY, max_size=3), JSON, JSON)
def test_coco_entries_of_anything(annotations, height, name):
    image = {"id": 1, "file_name": name, "height": height, "width": 9}
    index = {
        "images": [image],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "dog"}],
    }
    with_file(json.dumps(index).encode(), "all.json", lambda path: list(COCO(path.parent)))


OUTLINE = st.one_of(
    st.lists(st.lists(NUMBERS, max_size=9), max_size=3),
    st.fixed_dictionaries(
        {"size": st.just([9, 7]), "counts": st.lists(NUMBERS, max_size=6)}
    ),
    st.fixed_dictionaries(
        {"size": st.just([9, 7]), "counts": st.text("0123PQabn", max_size=9)}
    ),
)


@FUZZ
@given(st.one_of(JSON, st.dictionaries(st.sampled_from(CamConfig.names()), JSON)))
def test_settings_files_of_anything(content):
    """``config.json`` of a run folder, and the lines of its history."""
    text = json.dumps(content).encode()
    found = with_file(text, "config.json", lambda path: Run(path.parent).settings)
    assert found is None or found == type(found).from_dict(found.as_dict())
    lines = with_file(text, "history.jsonl", lambda path: Run(path.parent).history)
    assert lines is None or all(it["epoch"] >= 0 for it in lines)


STATE = st.dictionaries(st.sampled_from([*Progress.__annotations__, "sha256"]), JSON)


@FUZZ
@given(STATE)
def test_states_of_anything(state):
    """``state.json`` of a snapshot whose other files are as it says."""
    with tempfile.TemporaryDirectory() as folder:
        last = Path(folder) / "last"
        last.mkdir()
        for name in ("model.safetensors", "training.safetensors"):
            (last / name).write_bytes(b"")
        empty = hash_file(last / "model.safetensors")
        hashes = dict.fromkeys(("model.safetensors", "training.safetensors"), empty)
        (last / "state.json").write_text(json.dumps({"sha256": hashes} | state))
        (Path(folder) / "history.jsonl").write_text("")
        found = one_line_or(lambda: Run(folder).progress())
    assert found is None or 0 <= found.step <= found.steps


ABOUT = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["cam", "segmenter", "x"]) | JSON,
        "source": st.fixed_dictionaries(
            {"name": st.sampled_from(["vit_tiny_patch16_224", "x"]), "img_size": JSON},
            optional={"vit_options": JSON},
        )
        | JSON,
        "num_classes": NUMBERS,
        "options": JSON,
        "notes": JSON,
        "statistics": JSON,
        "trained_only": JSON,
    },
)


@FUZZ
@given(st.one_of(ABOUT, JSON).map(json.dumps) | TEXT)
def test_descriptions_of_networks_of_anything(about):
    """The metadata of a checkpoint: checked before any network is built."""
    content = save({"x": torch.zeros(1)}, metadata={"weaktr": about})
    found = with_file(
        content,
        "a.safetensors",
        lambda path: checked_about(path, read_safetensors(path)[0]),
    )
    assert found is None or {"source", "num_classes", "options"} <= found.keys()


@FUZZ
@given(st.binary(max_size=60), st.integers(0, 200))
def test_checkpoints_of_anything(tail, length):
    header = length.to_bytes(8, "little")
    for content in (tail, header + tail, header + b'{"x":' + tail):
        assert with_file(content, "a.safetensors", read_safetensors) is None
    whole = save({"x": torch.zeros(9)}, metadata={"weaktr": "{}"})
    cut = whole[: length % len(whole)]
    assert with_file(cut, "a.safetensors", read_safetensors) is None
    with_file(cut + tail, "a.npz", read_cam)


@FUZZ
@given(OUTLINE)
def test_outlines_paint_or_complain_and_never_leave_old_memory(outline):
    if not outlined(outline):
        return
    try:
        masks = [paint([Instance(0, False, outline)], 9, 7) for _ in range(2)]
    except (ValueError, TypeError, OverflowError):
        return
    assert set(np.unique(masks[0])) <= {0, 1} and (masks[0] == masks[1]).all()


@FUZZ
@given(st.text(max_size=30))
def test_names_stay_inside(name):
    root = Path("/data/photos")
    found = one_line_or(lambda: inside(root, name, "list"))
    if found is not None:
        assert Path(os.path.normpath(found)).is_relative_to(root)


@FUZZ
@given(
    st.lists(
        st.from_regex(r"[ab]{1,2}(/[ab]{1,2}){0,2}\.(jpg|png)", fullmatch=True),
        max_size=12,
        unique=True,
    )
)
def test_photos_keep_names_of_their_own(paths):
    names = unique_names(paths)
    assert len(set(names)) == len(paths) and not any("/" in name for name in names)


@FUZZ
@pytest.mark.parametrize("config", [CamConfig, SegConfig])
@given(st.data())
def test_settings_are_what_their_types_say_or_refused(config, data):
    name = data.draw(st.sampled_from(config.names()))
    value = data.draw(st.one_of(JSON, st.text(max_size=20).map(literal)))
    made = one_line_or(lambda: config.from_dict({name: value}))
    if made is not None:
        again = config.from_dict(json.loads(json.dumps(made.as_dict(), allow_nan=False)))
        assert again == made
