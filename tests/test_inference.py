"""Views carry their own scale and flip; CAM files and masks survive the disk."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from naive import tiny_model
from PIL import Image

from weaktr_core.data import Scenes
from weaktr_core.data.batches import same_size_batches
from weaktr_core.data.sample import DataError
from weaktr_core.labels.files import (
    made_of,
    read_cam,
    voc_palette,
    write_cam,
    write_mask,
)
from weaktr_core.labels.making import make_cams, make_masks
from weaktr_core.labels.recipe import LabelRecipe, label_map
from weaktr_core.labels.views import STAGES, View, infer_cams, infer_tagged, make_views


def test_views_pair_each_scale_with_its_mirror():
    assert make_views([1.0, 0.8]) == (
        View(1.0),
        View(1.0, True),
        View(0.8),
        View(0.8, True),
    )
    assert make_views([1.0], mirror=False) == (View(1.0),)


def test_a_mirrored_view_of_the_mirror_image_is_the_mirror_map():
    model, images = tiny_model(), torch.randn(1, 3, 64, 96)
    straight, _ = infer_cams(model, images, [View()])
    mirrored, _ = infer_cams(model, images.flip(-1), [View(1.0, True)])
    for stage in straight:
        assert torch.allclose(straight[stage].flip(-1), mirrored[stage], atol=1e-4)


def test_views_are_summed_at_image_size():
    model, images = tiny_model(), torch.randn(1, 3, 64, 80)
    views = [View(1.0), View(1.5)]
    both, first = infer_cams(model, images, views)
    parts = [infer_cams(model, images, [view])[0] for view in views]
    assert both["cam"].shape == (1, 5, 64, 80)
    assert torch.allclose(both["cam"], parts[0]["cam"] + parts[1]["cam"], atol=1e-5)
    assert torch.equal(first.cam, model(images).cam)


class Mixed(list):
    """Scenes of two sizes."""

    classes = Scenes(1, 64).classes

    def __init__(self):
        super().__init__([*Scenes(3, 64), *Scenes(2, 48), *Scenes(1, 64)])


def test_batches_hold_one_size_each_and_every_image_once():
    batches = list(same_size_batches(Mixed(), 2))
    sizes = [[sample.image.shape[0] for _, sample in batch] for batch in batches]
    assert sizes == [[64, 64], [48, 48], [64, 64]]
    assert sorted(n for batch in batches for n, _ in batch) == list(range(6))
    alone = [[n for n, _ in batch] for batch in same_size_batches(Scenes(5, 64), 2)]
    assert alone == [[0, 1], [2, 3], [4]]  # in order, where all are of one size
    assert [n for b in same_size_batches(Mixed(), 2, [4, 1]) for n, _ in b] == [4, 1]


def test_large_photos_go_through_alone(monkeypatch):
    monkeypatch.setattr("weaktr_core.data.batches.MOST_PIXELS", 64 * 64 + 1)
    assert [len(batch) for batch in same_size_batches(Scenes(3, 64), 8)] == [1, 1, 1]


def test_a_photo_that_cannot_be_read_stops_the_reading():
    class Broken(Mixed):
        def __getitem__(self, number):
            if number == 3:
                raise DataError("broken")
            return super().__getitem__(number)

    with pytest.raises(DataError, match="broken"):
        list(same_size_batches(Broken(), 2))


def test_only_the_tagged_maps_are_enlarged_and_they_are_the_same():
    model, images = tiny_model(), torch.randn(3, 3, 64, 80)
    views, wanted = (
        make_views([1.0, 1.5]),
        [np.array([1, 4]), np.array([], int), np.array([0])],
    )
    every, _ = infer_cams(model, images, views)
    some, _ = infer_tagged(model, images, wanted, views)
    for n, classes in enumerate(wanted):
        assert some[n].shape == (4, len(classes), 64, 80)
        for stage, maps in zip(STAGES, some[n], strict=True):
            assert torch.allclose(maps, every[stage][n, classes], rtol=1e-6, atol=1e-7)


def test_ties_go_to_the_background():
    scores = np.array([[[0.4, 0.41]], [[0.3, 0.9]]])
    assert label_map(scores, np.array([2, 5]), 0.4).tolist() == [[0, 6]]
    assert label_map(np.zeros((0, 1, 2)), np.array([], int), 0.4).tolist() == [[0, 0]]


def test_palette_is_vocs_and_masks_come_back(tmp_path):
    palette = voc_palette()
    assert palette[1].tolist() == [128, 0, 0]  # aeroplane
    assert palette[15].tolist() == [192, 128, 128]  # person
    assert palette[255].tolist() == [224, 224, 192]
    labels = np.array([[0, 1], [15, 255]], dtype=np.uint8)
    write_mask(tmp_path / "m.png", labels)
    with Image.open(tmp_path / "m.png") as stored:
        assert stored.mode == "P" and (np.asarray(stored) == labels).all()


def test_cams_and_masks_of_a_dataset_and_resuming(tmp_path, monkeypatch):
    model, data = tiny_model(classes=10), Scenes(3, 64)
    make_cams(model, data, tmp_path / "cams", views=[View()])
    scores, classes = read_cam(tmp_path / "cams" / f"{data[0].name}.npz")
    assert scores.shape == (len(classes), 64, 64) and scores.max() == 1
    assert (classes == np.flatnonzero(data[0].tags)).all()
    make_masks(data, tmp_path / "cams", tmp_path / "masks", LabelRecipe(0.4))
    with Image.open(tmp_path / "masks" / f"{data[0].name}.png") as mask:
        assert (np.asarray(mask) == label_map(scores, classes, 0.4)).all()
    monkeypatch.setattr("weaktr_core.labels.making.infer_tagged", None)  # not called again
    make_cams(model, data, tmp_path / "cams", views=[View()])


def test_a_cam_is_made_anew_when_what_made_it_changed(tmp_path):
    model, first = tiny_model(classes=10), Scenes(1, 64)[0]
    make = partial(make_cams, folder=tmp_path, views=[View()])

    class One(Mixed):
        def __init__(self, sample):
            list.__init__(self, [sample])

    path = tmp_path / f"{first.name}.npz"

    def remade(network, sample, **changes):
        before = made_of(path)
        make(network, One(sample), **changes)
        return made_of(path) != before

    assert remade(model, first) and not remade(model, first)
    assert remade(model, replace(first, tags=np.eye(10, dtype=np.float32)[7]))
    assert read_cam(path)[1].tolist() == [7]
    assert remade(model, replace(first, image=first.image[::-1].copy()))
    assert remade(model, first, views=[View(), View(1.0, True)])
    assert remade(model, first) and remade(model, first, eval_size=48)
    model.patch_head.bias.data += 1
    assert remade(model, first, eval_size=48)
    path.write_bytes(path.read_bytes()[:99])  # as is what was cut off
    assert remade(model, first, eval_size=48)


def test_a_class_beyond_255_keeps_its_number_and_makes_no_mask(tmp_path):
    scores, classes = np.ones((1, 4, 4)), np.array([299])
    write_cam(tmp_path / "a.npz", scores, classes)
    assert read_cam(tmp_path / "a.npz")[1].tolist() == [299]
    with pytest.raises(DataError, match="ids 1 to 254, came class 300"):
        label_map(scores, classes, 0.5)


def test_missing_and_broken_cam_files(tmp_path):
    with pytest.raises(DataError, match="expected a CAM file of make-labels"):
        read_cam(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(b"x")
    with pytest.raises(DataError, match=r"a\.npz: expected a CAM file"):
        read_cam(tmp_path / "a.npz")
