"""A linear classifier on a frozen backbone: more photos, and tags that can be seen, help."""

import numpy as np
import timm

from weaktr_core.data import Scenes
from weaktr_core.scores.probe import Embedded, embed, probe, probe_text


def test_what_can_be_seen_is_found_and_what_cannot_is_named():
    random = np.random.default_rng(0)
    tags = (random.random((160, 2)) < 0.4).astype(np.float32)
    features = random.normal(size=(160, 12)).astype(np.float32)
    features[:, 3] += 2 * tags[:, 0]  # nothing tells of the second tag
    parts = [slice(0, 100), slice(100, 160)]
    train, val = (
        Embedded([f"{i}" for i in range(*part.indices(160))], features[part], tags[part])
        for part in parts
    )
    found = probe(train, val, [5, 20, 100])
    assert found.shape == (3, 2)
    assert found[2, 0] > 0.8 > found[2, 1] and found[2, 0] > found[0, 0]
    np.testing.assert_array_equal(found, probe(train, val, [5, 20, 100]))
    text = probe_text(train, ("seen", "hidden"), [5, 20, 100], found)
    assert "100 photos" in text and "class seen" not in text
    count = int(tags[:100, 1].sum())
    assert f"class hidden: {count} photos; with these the probe reaches AP" in text


def test_a_photo_is_the_mean_of_its_patches():
    sizes = dict(embed_dim=48, depth=2, num_heads=3, num_classes=0)
    vit = timm.create_model(
        "vit_tiny_patch16_224", img_size=112, dynamic_img_size=True, **sizes
    )
    scenes = Scenes(3, 48)
    found = embed(vit, scenes)
    assert found.features.shape == (3, 48) and found.names == [s.name for s in scenes]
    np.testing.assert_array_equal(found.tags, np.stack([s.tags for s in scenes]))
