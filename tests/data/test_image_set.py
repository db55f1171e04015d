"""ImageSet: immutable, known by content, brought to a shape as PIL does it."""

from __future__ import annotations

import hashlib
import pickle
import time

import numpy as np
import pytest
from PIL import Image

from hvae_core.common.errors import DataError
from hvae_core.data import ImageSet
from hvae_core.data.controls import CONTROLS
from hvae_core.probes.jpeg import encoded


def test_arrays_are_read_only_and_the_callers_own_stay_writable(pictures: np.ndarray) -> None:
    images = pictures[:, None].copy()
    found = ImageSet("n", "N", images, labels=np.full(12, -1))
    with pytest.raises(ValueError, match="read-only"):
        found.images[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        found.labels[0] = 0
    images[0] = 0


def test_digest_is_of_shape_and_pixels_alone(small_set: ImageSet) -> None:
    other = small_set.renamed("x", "Y")
    assert other.digest == small_set.digest
    assert other.image_digests() == small_set.image_digests()
    assert small_set.take([1, 0]).digest != small_set.take([0, 1]).digest
    turned = ImageSet(
        "t",
        "T",
        small_set.images.reshape(12, 1, 7, 9),
        labels=small_set.labels,
        class_names=("a",) * 3,
    )
    assert turned.digest != small_set.digest
    assert not set(turned.image_digests()) & set(small_set.image_digests())
    assert pickle.loads(pickle.dumps(small_set)).digest == small_set.digest


def test_image_digests_follow_the_images(small_set: ImageSet) -> None:
    digests = small_set.image_digests()
    assert len(set(digests)) == 12
    assert all(0 <= digest < 2**64 for digest in digests)
    assert small_set.take([5, 5, 2]).image_digests() == [digests[5], digests[5], digests[2]]
    expected = hashlib.blake2b(repr((1, 9, 7)).encode(), digest_size=8)
    expected.update(small_set.images[4].tobytes())
    assert digests[4] == int.from_bytes(expected.digest(), "little")


def test_ten_thousand_digests_are_quick() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (10_000, 1, 28, 28), dtype=np.uint8)
    big = ImageSet("big", "Big", pixels, labels=np.full(10_000, -1))
    start = time.process_time()
    big.image_digests()
    assert time.process_time() - start < 0.2


def test_take(small_set: ImageSet) -> None:
    assert len(small_set.take(5)) == 5
    assert len(small_set.take(500)) == 12
    assert len(small_set.take(0)) == 0
    assert small_set.take(0).image_digests() == []
    assert len(small_set.take(np.int64(4))) == 4
    picked = small_set.take(np.array([7, 3]))
    assert picked.labels.tolist() == [1, 0]
    assert (picked.images[0] == small_set.images[7]).all()
    for wrong in ([12], [-1]):
        with pytest.raises(DataError, match=f"no image {wrong[0]}"):
            small_set.take(wrong)


def test_draws_do_not_depend_on_the_order(small_set: ImageSet) -> None:
    order = np.random.default_rng(1).permutation(12)
    turned = small_set.take(order)
    assert set(turned.sample(5, seed=2).image_digests()) == set(
        small_set.sample(5, seed=2).image_digests()
    )
    assert turned.shuffled().digest == small_set.shuffled().digest
    assert small_set.shuffled(0).digest != small_set.shuffled(1).digest
    positions = [small_set.image_digests().index(d) for d in small_set.sample(5).image_digests()]
    assert positions == sorted(positions)


def test_fit_is_pils_bilinear_resize() -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    colour = ImageSet("c", "C", pixels.transpose(0, 3, 1, 2), labels=np.full(3, -1))
    grey = colour.fit((1, 28, 28))
    expected = np.asarray(Image.fromarray(pixels[1]).convert("L").resize((28, 28), 2))
    assert (grey.images[1, 0] == expected).all()
    assert grey.notes == ("resized from 32x32 colour to 28x28 grey",)
    back = grey.fit((3, 28, 28))
    assert (back.images == grey.images).all()
    assert back.notes[-1] == "resized from 28x28 grey to 28x28 colour"


def test_fit_says_when_the_aspect_changes_and_nothing_when_nothing_does(
    small_set: ImageSet,
) -> None:
    assert small_set.fit((1, 9, 7)) is small_set
    assert "aspect ratio not kept" in small_set.fit((1, 8, 8)).notes[-1]
    with pytest.raises(DataError, match="1 or 3 channels, not 2"):
        small_set.fit((2, 9, 7))


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((2, 1, 4, 4)), np.zeros(2, int)),
        (np.zeros((2, 4, 4), np.uint8), np.zeros(2, int)),
        (np.zeros((2, 2, 4, 4), np.uint8), np.zeros(2, int)),
        (np.zeros((2, 1, 4, 4), np.uint8), np.zeros(3, int)),
        (np.zeros((2, 1, 4, 4), np.uint8), np.array([0, 1])),
    ],
)
def test_what_is_not_an_image_set_is_refused(images: np.ndarray, labels: np.ndarray) -> None:
    with pytest.raises(DataError):
        ImageSet("n", "N", images, labels=labels, class_names=("only",))


@pytest.mark.parametrize("control", CONTROLS)
def test_controls_depend_on_content_not_on_order(control: str, small_set: ImageSet) -> None:
    order = np.random.default_rng(1).permutation(12)
    direct = CONTROLS[control](small_set).images[order]
    assert (CONTROLS[control](small_set.take(order)).images == direct).all()
    assert not (direct == small_set.images[order]).all()
    assert CONTROLS[control](small_set).notes != small_set.notes


def test_controls_do_what_they_say(small_set: ImageSet) -> None:
    assert (CONTROLS["inverted"](small_set).images == 255 - small_set.images).all()
    noise = CONTROLS["noise"](small_set)
    for made, image in zip(noise.images, small_set.images, strict=True):
        assert (np.sort(made, axis=None) == np.sort(image, axis=None)).all()
    drawing = np.zeros((1, 1, 9, 9), np.uint8)
    drawing[..., 4, 2:7] = 200
    letter = ImageSet("l", "L", drawing, labels=np.array([-1]))
    assert np.unique(CONTROLS["faint"](letter).images).tolist() == [0, 60]
    assert np.unique(CONTROLS["faint"](CONTROLS["inverted"](letter)).images).tolist() == [195, 255]
    flat = ImageSet("f", "F", np.full((1, 3, 16, 16), 128, np.uint8), labels=np.array([-1]))
    assert (CONTROLS["jpeg"](flat).images == 128).all()  # nothing but its mean: no loss
    compressed = CONTROLS["jpeg"](small_set)
    for made, image in zip(compressed.images, small_set.images, strict=True):
        assert (made == encoded(image, 75).picture).all()
    blurred = CONTROLS["blurred"](letter).images[0, 0]
    assert 0 < blurred[3, 4] < blurred[4, 4] < 200
