"""The world Cutouts: what ships is what its code draws, and no split shares a patch."""

from __future__ import annotations

import numpy as np
import pytest

from hvae_core.data import cutouts, worlds
from hvae_core.data.image_set import ImageSet

WORLD = worlds()["cutouts"]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutouts, "SIZES", dict.fromkeys(cutouts.SIZES, 40))


def test_images_are_outlines_on_black_with_grey_inside(few: None) -> None:
    images = cutouts.cutouts("test")
    assert sorted(np.bincount(images.labels)) == [4] * 10
    corners = images.images[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert not corners.any()
    inside = images.images[:, 0, 12:16, 12:16]
    assert inside.min() >= 55  # the darkest grey of a filling, at an edge a little less
    covered = (images.images > 30).mean((1, 2, 3))
    assert covered.min() > 0.1 and covered.max() < 0.7
    assert cutouts.cutouts("test").digest == images.digest


def test_training_patches_lie_left_of_those_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    y, x = np.indices((60, 150))
    # Fine checks in the left two thirds, coarse ones in the right third.
    marked = np.where(x < 100, (x + y) % 2, (x // 2 + y // 2) % 2).astype(np.uint8)
    monkeypatch.setattr(cutouts, "photographs", lambda: (marked,))
    rng = np.random.default_rng(0)
    for held_out in (False, True):
        for _ in range(50):
            patch = cutouts._patch(rng, held_out=held_out)
            assert patch.shape == (28, 28) and patch.min() == 0 and patch.max() == 1
            fine = (patch[1:] != patch[:-1]).all()
            assert fine != held_out


def test_shipped_sets_are_those_of_the_code() -> None:
    """The first images of each file, drawn again; other versions of pillow may round otherwise."""
    for name, drawn in (("dots", cutouts.simple("dots")), ("frames", cutouts.simple("frames"))):
        shipped = WORLD.load(name)
        assert same(shipped, drawn) > 0.99


def same(one: ImageSet, other: ImageSet) -> float:
    """The share of 50 images of a set that are in the other to two grey levels on the mean."""
    known = other.images.astype(np.float32)
    near = [np.abs(known - image).mean((1, 2, 3)).min() < 2 for image in one.images[:50]]
    return float(np.mean(near))


def test_training_images_are_drawn_and_kept(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    first = WORLD.load("train")
    assert len(first) == 40 and first.title == "Cutouts, training"
    monkeypatch.setattr(cutouts, "cutouts", None)
    assert WORLD.load("train").digest == first.digest
    assert len(WORLD.load("train", limit=5)) == 5
