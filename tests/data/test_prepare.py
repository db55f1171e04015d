"""Steps on a person's own pictures: each does what its name says, and leaves a note."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from hvae_core.common.errors import DataError
from hvae_core.data import load_source
from hvae_core.data.prepare import parse_steps, prepared
from hvae_core.data.worlds import custom_set, distinct


def letter(width: int = 300, height: int = 200) -> np.ndarray:
    """A black L, 40 by 60, low on the right of white paper, with a little noise."""
    picture = Image.new("L", (width, height), 236)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((220, 100, 229, 159), fill=12)
    draw.rectangle((220, 150, 259, 159), fill=12)
    noise = np.random.default_rng(0).integers(-5, 6, (height, width))
    return np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)[None]


def test_words_to_steps() -> None:
    assert parse_steps("invert, Pad,invert") == ("invert", "pad")
    assert parse_steps("") == ()
    with pytest.raises(DataError, match="turn is no step of preparation; write some of stretch"):
        parse_steps("invert,turn")


def test_invert_twice_is_nothing() -> None:
    image = letter()
    assert (prepared(image, ("invert",)) == 255 - image).all()
    assert (prepared(prepared(image, ("invert",)), ("invert",)) == image).all()


def test_crop_finds_the_drawing_and_leaves_a_margin() -> None:
    found = prepared(letter(), ("crop",))
    assert found.shape == (1, 84, 84)  # 60 pixels are 20 of 28
    ink = np.argwhere(found[0] < 100)
    assert ink.min(axis=0).tolist() == [12, 22]
    assert (ink.max(axis=0) + 1).tolist() == [72, 62]


def test_crop_beyond_the_edge_shows_the_ground() -> None:
    image = np.full((1, 60, 60), 200, np.uint8)
    image[:, 5:55, 4:10] = 0
    found = prepared(image, ("crop",))
    assert found.shape == (1, 70, 70)
    assert found[0, 0].tolist() == [200] * 70


def test_crop_without_an_even_ground_takes_the_middle() -> None:
    image = np.random.default_rng(1).integers(0, 256, (3, 20, 31), dtype=np.uint8)
    assert (prepared(image, ("crop",)) == image[:, :, 5:25]).all()
    flat = np.full((1, 9, 4), 7, np.uint8)
    assert prepared(flat, ("crop",)).shape == (1, 4, 4)


def test_pad_keeps_every_pixel_and_the_edge_s_colour() -> None:
    image = letter()
    found = prepared(image, ("pad",))
    assert found.shape == (1, 300, 300)
    assert (found[:, 50:250] == image).all()
    assert abs(int(found[0, 0, 0]) - 236) <= 5


def test_steps_of_a_source_are_noted_and_come_before_the_size(tmp_path: Path) -> None:
    Image.fromarray(letter()[0]).save(tmp_path / "photo.png")
    plain = load_source(tmp_path / "photo.png", image_shape=(1, 28, 28))
    assert plain.notes == ("resized from 300x200 grey to 28x28 grey, aspect ratio not kept",)
    found = load_source(tmp_path / "photo.png", image_shape=(1, 28, 28), prepare=("invert", "crop"))
    assert found.notes == (
        "inverted",
        "cropped to the drawing, or to the square in the middle",
        "resized from 84x84 grey to 28x28 grey",
    )
    light = found.images[0, 0] > 128
    assert light.any(axis=1).sum() in (20, 21)  # as high as MNIST's digits
    assert found.images[0, 0, 0, 0] < 40


def test_titles_of_any_script_are_names_and_never_the_same(tmp_path: Path) -> None:
    titles = ("犬", "猫", "Ελλάς", "a b")
    for title in titles:
        (tmp_path / f"{title}.npz").touch()
    specs = [custom_set(tmp_path / f"{title}.npz") for title in titles]
    names = [spec.name for spec in specs]
    assert names == ["own-犬-npz", "own-猫-npz", "own-ελλάσ-npz", "own-a-b-npz"]
    for place in "ab":
        (tmp_path / place).mkdir()
        (tmp_path / place / "images.npz").touch()
    first, second = (custom_set(tmp_path / place / "images.npz") for place in "ab")
    assert first.name == second.name
    other = distinct(second, [first])
    assert (other.name, other.title) == ("own-images-npz-2", "images.npz (2)")
    assert distinct(other, [first, other]) == other
    assert distinct(second, [second]) == second
