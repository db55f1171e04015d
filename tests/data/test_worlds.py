"""Worlds: the built-in tables, where their images are found, sets of the user's own."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hvae_core.common.errors import DataError, MissingImages
from hvae_core.common.places import ASSETS, default_data_root
from hvae_core.data import ImageSet, World, custom_set, origins, stored, worlds
from hvae_core.data.controls import CONTROLS
from hvae_core.data.load import load_source
from hvae_core.data.readers.parquet import write_parquet
from hvae_core.data.worlds import read_worlds

Encode = Callable[..., bytes]
GLYPHS_PRESENT = (ASSETS / "worlds" / "glyphs" / "test.parquet").is_file()


@pytest.fixture
def glyphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encode: Encode) -> World:
    """The Glyphs world on 30 random pictures, sorted by class as the shipped files may be."""
    pictures = np.random.default_rng(2).integers(0, 256, (30, 28, 28), dtype=np.uint8)
    path = tmp_path / "assets" / "worlds" / "glyphs" / "test.parquet"
    labels = [index // 10 for index in range(30)]
    write_parquet(path, [([encode(picture) for picture in pictures], labels)], ("A", "B", "C"))
    monkeypatch.setattr(origins, "ASSETS", tmp_path / "assets")
    return worlds()["glyphs"]


@pytest.fixture
def root(tmp_path: Path, encode: Encode) -> Path:
    """A data folder with a FashionMNIST of 24 training images."""
    pictures = np.random.default_rng(4).integers(0, 256, (24, 28, 28), dtype=np.uint8)
    blobs = [encode(picture) for picture in pictures]
    write_parquet(
        tmp_path / "data" / "fashion_mnist" / "train.parquet", [(blobs, [0] * 24)], ("Coat",)
    )
    return tmp_path / "data"


def test_the_tables() -> None:
    assert next(iter(worlds())) == "cutouts"
    for key, world in worlds().items():
        names = [spec.name for spec in world.sets]
        assert len(set(names)) == len(names)
        assert world.key == key
        assert world.spec(world.in_name).role == "in"
        assert [spec.name for spec in world.with_role("train", "validation")] == [
            "train", "validation",
        ]  # fmt: skip
        assert world.with_role("out")
        assert pickle.loads(pickle.dumps(world)) == world
    with pytest.raises(DataError, match="no set named nothing; choose one of train"):
        worlds()["glyphs"].spec("nothing")


@pytest.mark.parametrize(
    ("sets", "problem"),
    [
        ('[odd.out]\nmnist = "mnst"', "mnst is neither a set of the registry nor a file"),
        ('[odd.out]\nmnist = "mnist+upside"', "upside after the +"),
        ('[odd.out]\nmnist = { images = "mnist", row = [0, 1] }', "row"),
        ('[odd.outer]\nmnist = "mnist"', "cannot have the role outer"),
    ],
)
def test_a_wrong_world_fails_with_its_name(sets: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "worlds.toml"
    path.write_text(f'[odd]\ntitle = "Odd"\nshape = [1, 28, 28]\n{sets}\n', "utf-8")
    with pytest.raises(DataError) as caught:
        read_worlds(path)
    assert "The world odd in worlds.toml is wrong" in str(caught.value)
    assert problem in str(caught.value)


def test_a_shipped_set_starts_with_a_fair_sample(glyphs: World) -> None:
    found = glyphs.load("test")
    assert (found.name, found.title, len(found)) == ("test", "Capital letters A-J", 30)
    assert found.class_names == ("A", "B", "C")
    assert set(found.take(12).labels) == {0, 1, 2}
    assert glyphs.load("test", limit=7).digest == found.take(7).digest


def test_controls_are_made_of_the_test_images(glyphs: World) -> None:
    test = glyphs.load("test")
    for spec in glyphs.with_role("control"):
        found = glyphs.load(spec.name, limit=9)
        assert (found.images == CONTROLS[spec.name](test).images[:9]).all()
        assert found.title == spec.title


def test_what_is_missing_from_the_project(glyphs: World) -> None:
    assert glyphs.available("test")
    assert glyphs.available("noise")
    assert not glyphs.available("greek")
    with pytest.raises(MissingImages, match="Greek capitals .*fresh clone"):
        glyphs.load("greek")


def test_handwritten_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    found = worlds()["glyphs"].load("handwritten")
    digits = load_digits()
    assert found.images.shape == (1797, 1, 28, 28)
    assert (found.labels == digits.target).all()
    assert found.images[:, 0, :4].max() == found.images[:, 0, :, 24:].max() == 0
    middle = found.images[:, 0, 4:24, 4:24].astype(np.float32)
    # Brought back to 8x8 by area, the pictures are the originals.
    box = Image.Resampling.BOX
    back = np.stack([np.asarray(Image.fromarray(one).resize((8, 8), box)) for one in middle])
    assert np.corrcoef(back.ravel(), digits.images.ravel())[0, 1] > 0.97
    assert len(worlds()["glyphs"].load("handwritten", limit=5)) == 5


def test_splits_of_the_training_file(root: Path) -> None:
    world = worlds()["fashion"]
    whole = load_source(root / "fashion_mnist" / "train.parquet")
    train, validation = world.load("train", root), world.load("validation", root)
    assert (train.images == whole.images[:22]).all()
    assert (validation.images == whole.images[22:]).all()
    assert (world.load("validation", root, limit=1).images == whole.images[22:23]).all()


def test_other_layouts(tmp_path: Path, root: Path, encode: Encode) -> None:
    world = worlds()["fashion"]
    pictures = np.random.default_rng(6).integers(0, 256, (6, 28, 28), dtype=np.uint8)
    (tmp_path / "npz").mkdir()
    np.savez(tmp_path / "npz" / "kmnist.npz", x_test=pictures, x_train=pictures[:1])
    assert (world.load("kmnist", tmp_path / "npz").images[:, 0] == pictures).all()
    for home in (tmp_path / "flat" / "kmnist", tmp_path / "split" / "kmnist" / "test"):
        home.mkdir(parents=True)
        for index, picture in enumerate(pictures):
            (home / f"{index}.png").write_bytes(encode(picture))
    flat, split = (world.load("kmnist", tmp_path / name) for name in ("flat", "split"))
    assert flat.digest == split.digest
    assert set(flat.image_digests()) == set(world.load("kmnist", tmp_path / "npz").image_digests())


def test_missing_images_say_the_three_ways(tmp_path: Path) -> None:
    world = worlds()["fashion"]
    assert not world.available("notmnist", tmp_path)
    with pytest.raises(MissingImages) as caught:
        world.load("notmnist", tmp_path)
    message = str(caught.value)
    assert "notMNIST letters are not on this machine" in message
    assert "Download" in message
    assert "data folder that holds notmnist/test.parquet" in message
    assert "upload" in message


def test_a_download_is_found_afterwards(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = worlds()["fashion"]

    def fetch(hub_name: str, split: str, *, path: Path, **_options: object) -> Path:
        assert (hub_name, split) == ("dpdl-benchmark/omniglot", "test")
        path.parent.mkdir(parents=True)
        path.write_bytes((root / "fashion_mnist" / "train.parquet").read_bytes())
        return path

    monkeypatch.setattr(stored, "download", fetch)
    world.download("omniglot_inverted")
    assert world.available("omniglot", tmp_path)
    dark, light = (world.load(name, tmp_path) for name in ("omniglot", "omniglot_inverted"))
    assert (light.images == 255 - dark.images).all()
    with pytest.raises(DataError, match="nothing to download"):
        worlds()["glyphs"].download("digits")


def test_a_split_of_another_name_and_a_set_that_the_hub_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = worlds()["cifar"]
    asked: list[tuple[str, str, str]] = []

    def fetch(hub_name: str, split: str, *, path: Path, **_options: object) -> Path:
        asked.append((hub_name, split, path.name))
        return path

    monkeypatch.setattr(stored, "download", fetch)
    world.download("tiny")
    world.download("noise")  # a control of CIFAR10's test set
    assert asked == [
        ("zh-plus/tiny-imagenet", "valid", "test.parquet"),
        ("uoft-cs/cifar10", "test", "test.parquet"),
    ]
    assert world.downloadable("tiny")
    assert not world.downloadable("street")
    with pytest.raises(DataError, match="nothing to download"):
        world.download("street")
    with pytest.raises(
        MissingImages, match=r"Choose a data folder that holds chars74k/test\.parquet"
    ):
        world.load("street", tmp_path)


def test_the_data_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache_folder: Path) -> None:
    monkeypatch.delenv("STRATA_DATA", raising=False)
    assert default_data_root() == cache_folder / "data"
    monkeypatch.setenv("STRATA_DATA", str(tmp_path))
    assert default_data_root() == tmp_path


def test_sets_of_the_user_s_own(glyphs: World, parquet_file: Path, small_set: ImageSet) -> None:
    mine = custom_set(parquet_file, title="My marks")
    world = glyphs.with_set(mine).with_set(custom_set(small_set, "in"))
    found = world.load("own-my-marks", limit=3)
    assert (found.title, found.images.shape) == ("My marks", (3, 1, 28, 28))
    assert found.notes == ("resized from 7x9 grey to 28x28 grey, aspect ratio not kept",)
    assert [spec.name for spec in world.with_role("in")] == ["test", "own-small"]
    assert world.load("own-small").notes == found.notes
    assert len(world.with_set(custom_set(parquet_file, "in", title="My marks")).sets) == len(
        world.sets
    )
    assert "own-my-marks" not in [spec.name for spec in glyphs.sets]
    with pytest.raises(DataError, match="cannot have the role"):
        custom_set(parquet_file, "both")  # type: ignore[arg-type]


@pytest.mark.skipif(not GLYPHS_PRESENT, reason="the Glyphs images are not in this copy")
def test_every_shipped_set_loads() -> None:
    world = worlds()["glyphs"]
    digests = {}
    for spec in world.sets:
        found = world.load(spec.name)
        assert found.image_shape == (1, 28, 28)
        assert set(found.labels) == set(range(len(found.class_names)))
        assert len(set(found.take(200).labels)) > 4
        assert found.images.std() > 10
        digests[spec.name] = set(found.image_digests())
    assert not digests["train"] & (digests["validation"] | digests["test"])
    assert not digests["validation"] & digests["test"]


@pytest.mark.shared
def test_fashion_mnist_is_the_official_one(shared_data: Path) -> None:
    world = worlds()["fashion"]
    found = world.load("test", shared_data)
    assert len(found) == 10_000
    assert np.bincount(found.labels).tolist() == [1000] * 10
    assert found.class_names[9] == "Ankle boot"
    assert found.labels[:5].tolist() == [9, 2, 1, 1, 6]
    assert found.images.mean() == pytest.approx(73.2, abs=0.1)
    assert found.images.std() == pytest.approx(89.9, abs=0.1)
    column = pq.read_table(shared_data / "fashion_mnist" / "test.parquet")["image"]
    blob = column[1234]["bytes"].as_py()
    assert (found.images[1234, 0] == np.asarray(Image.open(io.BytesIO(blob)))).all()
    held = world.load("validation", shared_data)
    assert len(held) == 5_000
    assert not set(found.image_digests()) & set(held.image_digests())


@pytest.mark.shared
def test_omniglot_comes_in_both_polarities(shared_data: Path) -> None:
    world = worlds()["fashion"]
    dark = world.load("omniglot", shared_data, limit=200)
    assert dark.images.mean() > 220
    light = world.load("omniglot_inverted", shared_data, limit=200)
    assert (light.images == 255 - dark.images).all()


@pytest.mark.shared
def test_colour_sets_are_there(shared_data: Path) -> None:
    world = worlds()["cifar"]
    for name in ("test", "validation", "signs", "street", "tiny"):
        assert world.available(name, shared_data)
    for name in ("test", "street"):
        assert world.load(name, shared_data, limit=50).image_shape == (3, 32, 32)
    assert len(world.load("validation", shared_data)) == 5_000
