"""Making labels, and training on tags, cannot see the truth."""

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest
from naive import tiny_model
from PIL import Image

import weaktr_core
from weaktr_core.data import Scenes, TaggedFolder
from weaktr_core.data.masked import Relabelled
from weaktr_core.data.sample import Sample, without_masks
from weaktr_core.data.transforms import TaggedTensors, train_transform
from weaktr_core.labels.files import read_cams
from weaktr_core.labels.making import make_cams, make_masks
from weaktr_core.labels.recipe import LabelRecipe, label_free_threshold
from weaktr_core.labels.views import View

PACKAGE = Path(weaktr_core.__file__).parent
GREY = ((0.5,) * 3, (0.5,) * 3)


class LookedError(AssertionError):
    """Somebody looked at a true mask."""


@dataclass(frozen=True)
class Secret(Sample):
    """A sample whose mask must not be looked at."""

    def __getattribute__(self, name):
        if name == "mask":
            raise LookedError
        return super().__getattribute__(name)


class Guarded:
    """Scenes whose masks raise."""

    classes = Scenes(1, 64).classes

    def __len__(self):
        return 3

    def __getitem__(self, index):
        one = Scenes(3, 64)[index]
        return Secret(one.image, one.tags, one.mask, one.name)

    def __iter__(self):
        return (self[index] for index in range(3))


def test_the_guard_guards():
    with pytest.raises(LookedError):
        _ = Guarded()[0].mask


def test_from_photos_to_masks_without_a_look_at_the_truth(tmp_path):
    data, cams, masks = Guarded(), tmp_path / "cams", tmp_path / "masks"
    make_cams(tiny_model(classes=10), data, cams, views=[View(), View(1.5, True)])
    threshold = label_free_threshold(scores for scores, _ in read_cams(data, cams))
    make_masks(data, cams, masks, LabelRecipe(threshold, ignore_band=0.1), workers=0)
    assert len(list(masks.glob("*.png"))) == 3
    image, tags = TaggedTensors(data, train_transform("flip", 64, GREY))[0]
    assert image.shape == (3, 64, 64) and tags.shape == (10,)
    assert Relabelled(data, masks)[1].mask.shape == (64, 64)


def test_no_word_of_a_mask_in_the_room():
    """`.mask` of anything is not even spelled in labels/ and in step 1."""
    for path in [*(PACKAGE / "labels").glob("*.py"), PACKAGE / "train" / "cam.py"]:
        for node in ast.walk(ast.parse(path.read_text("utf8"))):
            assert not (isinstance(node, ast.Attribute) and node.attr == "mask"), path


def test_masks_are_not_even_decoded(tmp_path):
    (tmp_path / "masks").mkdir()
    (tmp_path / "tags.csv").write_text("photo,tags,split\na.png,cat,train\n")
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    (tmp_path / "masks" / "a.png").write_bytes(b"no picture")
    assert without_masks(TaggedFolder(tmp_path))[0].mask is None
