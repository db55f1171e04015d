"""Which pixels a set has, known from its file: never those of another file, shape or limit."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hvae_core.common.errors import MissingImages
from hvae_core.data import ImageSet, worlds
from hvae_core.data import identity as module
from hvae_core.data.identity import SHIPPED, identity, key_of
from hvae_core.data.origins import DataFolder
from hvae_core.data.worlds import SetSpec, World, custom_set
from tests.small import tiny_set

SHAPE = (1, 8, 8)


def never() -> ImageSet:
    raise AssertionError("the images were read")


@pytest.mark.parametrize("name", [spec.name for spec in worlds()["glyphs"].sets])
def test_the_sets_of_the_project_are_known_unread(name: str) -> None:
    world = worlds()["glyphs"]
    known = identity(world, name, world.image_shape, read=never, limit=1000)
    images = world.choose(name, limit=1000)
    assert (known.digest, known.notes) == (images.digest, images.notes)


def test_no_entry_is_left_of_a_file_that_is_gone() -> None:
    keys = {
        key_of(world, spec.name, world.image_shape, limit=1000)
        for world in (worlds()["glyphs"], worlds()["cutouts"])
        for spec in world.sets
    }
    assert set(json.loads(SHIPPED.read_text("utf-8"))) == keys


def small_world(origin: object) -> World:
    return World(
        "own",
        "Own",
        "bars",
        sets=(SetSpec("bars", "Bars", "in", origin=origin),),
        checkpoints=(),
        image_shape=SHAPE,
    )  # type: ignore[arg-type]


def write(path: Path, seed: int = 0) -> None:
    images = tiny_set(6, SHAPE, seed)
    np.savez(path, images=images.images, labels=images.labels)


@pytest.fixture
def folder(tmp_path: Path) -> tuple[World, Path]:
    """A world of one set in a data folder, and its file."""
    path = tmp_path / "mnist.npz"
    write(path)
    return small_world(DataFolder("mnist", "test")), path


def read(world: World, path: Path) -> ImageSet:
    return world.choose("bars", path.parent)


def test_a_file_is_read_once_and_again_when_it_is_another(folder: tuple[World, Path]) -> None:
    world, path = folder
    root = path.parent
    first = identity(
        world, "bars", SHAPE, read=lambda: read(world, path), limit=None, data_root=root
    )
    assert first.digest == read(world, path).digest
    assert identity(world, "bars", SHAPE, read=never, limit=None, data_root=root) == first
    write(path, seed=9)
    os.utime(path, ns=(1, 1))
    other = identity(
        world, "bars", SHAPE, read=lambda: read(world, path), limit=None, data_root=root
    )
    assert other.digest == read(world, path).digest != first.digest


def test_large_files_go_by_size_and_time(
    folder: tuple[World, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, path = folder
    monkeypatch.setattr(module, "_SMALL", 1)
    root = path.parent
    first = key_of(world, "bars", SHAPE, limit=None, data_root=root)
    assert key_of(world, "bars", SHAPE, limit=None, data_root=root) == first
    os.utime(path, ns=(2, 2))
    assert key_of(world, "bars", SHAPE, limit=None, data_root=root) != first


def test_shape_limit_and_change_are_in_the_key(folder: tuple[World, Path]) -> None:
    root = folder[1].parent
    origins = (DataFolder("mnist", "test"), DataFolder("mnist", "test", shuffle=True))
    keys = {
        key_of(small_world(origin), "bars", shape, limit=limit, data_root=root)
        for origin in origins
        for shape in (SHAPE, (1, 4, 4))
        for limit in (None, 3)
    }
    assert len(keys) == 8 and None not in keys


def test_images_of_no_single_file_are_read(tmp_path: Path) -> None:
    images = tiny_set(3, SHAPE)
    own = replace(custom_set(images, "in"), name="bars")
    world = World("own", "Own", "bars", sets=(own,), checkpoints=(), image_shape=SHAPE)
    assert key_of(world, "bars", SHAPE, limit=None) is None
    assert identity(world, "bars", SHAPE, read=lambda: images, limit=None).digest == images.digest
    gone = small_world(DataFolder("mnist", "test"))
    with pytest.raises(MissingImages):
        identity(gone, "bars", SHAPE, read=lambda: gone.choose("bars", tmp_path), limit=None,
                 data_root=tmp_path)  # fmt: skip
