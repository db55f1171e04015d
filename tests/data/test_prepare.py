"""Steps on a person's own pictures: each does what its name says, and leaves a note."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from hvae_core.common.errors import DataError
from hvae_core.data import ImageSet, load_source, worlds
from hvae_core.data.bring import read_files
from hvae_core.data.hints import hints
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


def test_steps_of_a_set_by_its_name_are_refused_not_ignored() -> None:
    with pytest.raises(
        DataError, match=r"write what is to be done after a \+, as in svhn\+inverted"
    ):
        load_source("svhn", prepare=("invert",))


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


class TestHints:
    def steps(self, images: np.ndarray, ground: str = "dark") -> list[str]:
        held = ImageSet("a", "a", images, labels=np.full(len(images), -1))
        return [hint.step for hint in hints(held, (1, 28, 28), ground)]  # type: ignore[arg-type]

    def test_a_photograph_of_a_letter_is_told_what_to_do(self) -> None:
        photo = letter()[None]
        assert self.steps(photo) == ["invert", "crop"]
        mended = prepared(photo[0], ("invert", "crop"))[None]
        assert self.steps(mended) == []
        assert self.steps(255 - photo, "light") == ["invert", "crop"]
        assert self.steps(photo, "") == ["pad"]  # of a world without a ground nothing is known

    def test_faint_and_stretched(self) -> None:
        faint = np.zeros((3, 1, 28, 28), np.uint8)
        faint[:, :, 5:20, 4:24] = 40
        assert self.steps(faint) == ["stretch"]
        wide = np.zeros((3, 1, 28, 40), np.uint8)
        wide[:, :, 4:24, 4:36] = 250
        assert self.steps(wide) == ["pad"]

    @pytest.mark.parametrize("name", ["test", "lower", "digits", "signs", "greek", "script"])
    def test_a_world_s_own_sets_need_nothing(self, name: str) -> None:
        glyphs = worlds()["glyphs"]
        images = glyphs.load(name, limit=200)
        assert hints(images, glyphs.image_shape, glyphs.ground) == ()
        inverted = replace(images, images=255 - images.images)
        found = hints(inverted, glyphs.image_shape, glyphs.ground)
        assert [hint.step for hint in found] == ["invert"]


def test_files_brought_at_once() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (4, 9, 9), dtype=np.uint8)

    def packed(save: object, *arrays: np.ndarray) -> bytes:
        file = io.BytesIO()
        save(file, *arrays)  # type: ignore[operator]
        return file.getvalue()

    def png(image: np.ndarray) -> bytes:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        return file.getvalue()

    head = struct.pack(">HBBIII", 0, 8, 3, 4, 9, 9)
    files = [
        ("é 1.png", png(pixels[0])),
        ("x.npz", packed(np.savez, pixels)),
        ("2.png", png(pixels[1])),
        ("2.png", png(pixels[2])),
        ("t10k-images-idx3-ubyte", head + pixels.tobytes()),
        ("t10k-labels-idx1-ubyte", struct.pack(">HBBI", 0, 8, 1, 4) + bytes([1, 0, 1, 0])),
        ("../../" + "a" * 300 + ".npy", packed(np.save, pixels[:2])),
    ]
    sets = read_files(files)
    assert [images.title[:12] for images in sets] == [
        "x.npz", "t10k-images-", "../../aaaaaa", "3 pictures",
    ]  # fmt: skip
    assert [len(images) for images in sets] == [4, 4, 2, 3]
    assert sets[1].labels.tolist() == [1, 0, 1, 0]
    assert sorted(sets[3].files) == ["2-2.png", "2.png", "é 1.png"]
    assert (read_files(files[:1], ("invert",))[0].images[0, 0] == 255 - pixels[0]).all()
    with pytest.raises(DataError, match="labels alone"):
        read_files(files[5:6])
    with pytest.raises(DataError, match="not a kind of file"):
        read_files([("a.exe", b"MZ")])
