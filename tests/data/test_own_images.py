"""Own pictures made ready: the size and the colour that are chosen, and the two parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hvae_core.common.errors import DataError
from hvae_core.data.image_set import ImageSet
from hvae_core.data.own_images import own_images, shape_for
from tests.small import tiny_set


def pictures(shape: tuple[int, ...], low: int = 0, high: int = 256, n: int = 45) -> ImageSet:
    pixels = np.random.default_rng(0).integers(low, high, (n, *shape), dtype=np.uint8)
    return ImageSet("some", "Some", pixels, labels=np.full(n, -1))


def test_size_and_colour_are_those_of_the_pictures() -> None:
    grey = pictures((1, 28, 28))
    same = grey.images.repeat(3, axis=1)
    stored_as_colour = ImageSet("some", "Some", same, labels=grey.labels)
    tall = pictures((3, 128, 64))
    assert shape_for(grey)[0] == (1, 28, 28)
    assert shape_for(stored_as_colour)[0] == (1, 28, 28)
    assert shape_for(tall)[0] == (3, 32, 16)
    assert shape_for(tall, 64)[0] == (3, 64, 32)
    assert shape_for(pictures((1, 300, 9)))[0] == (1, 32, 8)  # no side below 8
    assert shape_for(pictures((1, 5, 7)))[0] == (1, 8, 8)
    (note,) = shape_for(tall)[1]
    assert note == "trained at 16x32 colour: most are 64x128, and they have colours"


def test_a_folder_is_read_at_that_size_in_two_parts(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (60, 40, 40, 3), np.uint8)
    for part, some in (("train", colours), ("test", 255 - colours[:5])):
        (tmp_path / "signs" / part).mkdir(parents=True)
        for number, image in enumerate(some):
            Image.fromarray(image).save(tmp_path / "signs" / part / f"{number}.png")
    images = own_images(tmp_path / "signs")
    assert images.title == "signs"
    assert images.image_shape == (3, 32, 32)
    assert len(images.training) + len(images.held_out) == 60  # not those of the test split
    assert images.photographs
    assert any("resized from 40x40 colour" in note for note in images.notes)
    other = own_images(tmp_path / "signs", seed=1)
    assert other.digest == images.digest and other.held_out.digest != images.held_out.digest


def test_drawings_are_told_from_photographs() -> None:
    assert not own_images(tiny_set(50)).photographs
    assert own_images(pictures((1, 8, 8), 60, 200)).photographs


def test_what_cannot_be_trained_on_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file or folder"):
        own_images(tmp_path / "nothing")
    with pytest.raises(DataError, match="8 to 128 pixels wide, not 4"):
        own_images(tiny_set(50), side=4)
    with pytest.raises(DataError, match="at least 40 are needed"):
        own_images(tiny_set(12))
