import subprocess
import sys

import numpy as np
import pytest

from weaktr_core.data.sample import DataError
from weaktr_core.data.scenes import scenes
from weaktr_core.data.scenes.grounds import GROUNDS, paint_ground
from weaktr_core.data.scenes.scenes import (
    CLASSES,
    MIN_AREA,
    MIN_VISIBLE,
    Scenes,
    scene,
)


def same(first, second):
    return (
        first.name == second.name
        and np.array_equal(first.image, second.image)
        and np.array_equal(first.mask, second.mask)
        and np.array_equal(first.tags, second.tags)
    )


@pytest.fixture(scope="module")
def world():
    return list(Scenes(150, 64, seed=3))


def test_a_scene_depends_on_seed_and_index_only():
    forwards = list(Scenes(4, 64, seed=5))
    backwards = [Scenes(9, 64, seed=5)[i] for i in (3, 2, 1, 0)][::-1]
    assert all(map(same, forwards, backwards))
    assert not np.array_equal(forwards[0].image, forwards[1].image)
    assert not np.array_equal(forwards[0].image, Scenes(1, 64, seed=6)[0].image)


def test_it_is_a_sequence_of_named_samples():
    data = Scenes(3, 48, seed=2)
    assert len(data) == 3
    assert data.classes == CLASSES
    assert [sample.name for sample in data] == [f"scene-2-0000{i}" for i in range(3)]
    assert same(data[-1], data[2])
    for index in (3, -4):
        with pytest.raises(IndexError):
            data[index]


@pytest.mark.parametrize("size", [32, 75, (96, 160), (120, 48), 448])
def test_any_size(size):
    sample = Scenes(1, size, seed=1)[0]
    expected = (size, size) if isinstance(size, int) else size
    assert sample.image.shape == (*expected, 3)
    assert sample.mask.shape == expected
    assert (sample.image.dtype, sample.mask.dtype) == (np.uint8, np.uint8)
    assert sample.tags.dtype == np.float32


def test_too_small_is_refused():
    with pytest.raises(DataError, match="32 pixels"):
        Scenes(1, (64, 20))


def test_tags_say_what_the_mask_holds(world):
    for sample in world:
        inside = np.isin(np.arange(1, len(CLASSES) + 1), sample.mask)
        assert np.array_equal(sample.tags, inside.astype(np.float32))
        assert 1 <= sample.tags.sum() <= 3
        assert sample.mask.max() <= len(CLASSES)


def test_every_class_occurs_and_none_dominates(world):
    counts = np.sum([sample.tags for sample in world], axis=0)
    expected = counts.sum() / len(CLASSES)
    assert counts.min() > 0.5 * expected
    assert counts.max() < 1.6 * expected


def test_objects_have_a_sensible_size(world):
    shares = [np.mean(s.mask == k) for s in world for k in np.unique(s.mask) if k]
    assert min(shares) >= MIN_AREA
    assert max(shares) <= 0.6
    assert 0.06 < np.median(shares) < 0.2


def test_enough_of_every_object_is_visible():
    size = (64, 90)
    for index in range(60):
        rng = np.random.default_rng(index)
        placed = scenes._place(rng, scenes._cast(rng, size), size)
        top = np.full(size, -1)
        for number, one in enumerate(placed):
            picture, own = scenes._overlap(one, size)
            top[picture][one[0].solid[own]] = number
        for number, one in enumerate(placed):
            seen = np.sum(top == number)
            assert seen >= MIN_VISIBLE * one[0].solid.sum()
            assert seen >= MIN_AREA * top.size


def test_mask_covers_the_object_and_not_its_shadow(monkeypatch):
    """Against a plain ground, in plain light, what differs is the object."""
    monkeypatch.setattr(scenes, "_light", lambda rng, picture: picture)
    sample = scene(0, 4, (96, 96))
    monkeypatch.setattr(scenes, "_place", lambda *args: [])
    empty = scene(0, 4, (96, 96))
    changed = np.abs(sample.image - empty.image).max(axis=-1) > 2
    assert np.mean(changed[sample.mask > 0]) > 0.9
    assert np.any(changed & (sample.mask == 0))
    assert (
        np.all(sample.image <= empty.image + 1e-3, axis=-1)[sample.mask == 0].mean() > 0.9
    )
    assert empty.mask.max() == 0
    assert empty.tags.sum() == 0


def test_the_ground_knows_nothing_of_the_classes(monkeypatch):
    """Whatever is cast, ground and light draw the same random numbers."""
    pictures = []
    for label in (0, 1):
        cutout = scenes.draw_object(np.random.default_rng(0), label, 20.0)
        one = (cutout, 60, 60)
        monkeypatch.setattr(scenes, "_cast", lambda rng, size: [])
        monkeypatch.setattr(scenes, "_place", lambda *args, one=one: [one])
        sample = scene(0, 8, (96, 96))
        assert np.flatnonzero(sample.tags).tolist() == [label]
        pictures.append(sample.image[:48, :48])
    assert np.array_equal(*pictures)


def test_every_ground_is_painted_in_range():
    for kind in range(len(GROUNDS)):
        seed = next(
            s for s in range(300) if np.random.default_rng(s).integers(len(GROUNDS)) == kind
        )
        ground = paint_ground(np.random.default_rng(seed), (40, 64))
        assert ground.shape == (40, 64, 3)
        assert ground.dtype == np.float32
        assert np.isfinite(ground).all()
        assert 20 < ground.mean() < 240
        assert ground.std() > 3


@pytest.mark.parametrize("label", range(len(CLASSES)))
def test_no_object_is_cut_by_its_sheet(label):
    """The cutout keeps clear of the sheet it was drawn on, however turned."""
    for seed in range(12):
        cutout = scenes.draw_object(np.random.default_rng(seed), label, 40.0)
        assert max(cutout.alpha.shape) < scenes._SPAN * 40
        assert 0.55 < cutout.solid.sum() / 40**2 < 1.05
        assert cutout.rgb[cutout.solid].std() > 10


def test_drawing_needs_no_torch():
    code = (
        "import sys; from weaktr_core.data.scenes.scenes import Scenes; Scenes(1, 32)[0];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
