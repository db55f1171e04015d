"""Images held out by their digests: the same ones in every order, copies on one side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hvae_core.common.errors import DataError
from hvae_core.data.held_out import (
    FEWEST,
    SHARE,
    held_out_of,
    keep_held_out,
    path_of,
    split_by_digest,
)
from tests.small import tiny_set


def test_the_side_of_a_picture_is_its_own() -> None:
    images = tiny_set(600)
    training, held_out = split_by_digest(images)
    assert len(training) + len(held_out) == 600
    assert len(held_out) == pytest.approx(600 / SHARE, abs=40)
    assert not set(training.image_digests()) & set(held_out.image_digests())
    order = np.random.default_rng(0).permutation(600)
    again = split_by_digest(images.take(order[:500]))[1]
    assert set(again.image_digests()) <= set(held_out.image_digests())
    copies = images.take(np.repeat(np.arange(600), 2))
    assert set(split_by_digest(copies)[1].image_digests()) == set(held_out.image_digests())
    assert split_by_digest(images, seed=1)[1].digest != held_out.digest


def test_of_few_pictures_enough_are_held_out_and_of_too_few_none() -> None:
    training, held_out = split_by_digest(tiny_set(45))
    assert len(held_out) >= FEWEST and len(training) + len(held_out) == 45
    with pytest.raises(DataError, match="39 different images; at least 40 are needed"):
        split_by_digest(tiny_set(39))


def test_they_are_kept_by_the_digest_of_the_checkpoint(tmp_path: Path) -> None:
    training, held_out = tiny_set(30, seed=1), tiny_set(20, seed=2)
    digest = "a" * 64
    assert held_out_of(digest) is None
    keep_held_out(path_of(digest), digest, held_out, training)
    found = held_out_of(digest)
    assert found is not None
    assert found.images.digest == held_out.digest
    assert found.images.class_names == held_out.class_names
    assert set(found.training.tolist()) == set(training.image_digests())
    path_of(digest).write_bytes(b"damaged")
    assert held_out_of(digest) is None
    with pytest.raises(DataError, match="cannot be kept"):
        keep_held_out(path_of(digest) / "below" / "file.npz", digest, held_out, training)
