"""The registry: every set that the papers name, under one name everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hvae_core.common.errors import DataError, MissingImages
from hvae_core.data import ImageSet, custom_set, load_source, registered_sets, worlds
from hvae_core.data.controls import binarised, thresholded
from hvae_core.data.image_set import fit_image
from hvae_core.data.origins import Control, DataFolder, Shipped
from hvae_core.data.readers.parquet import write_parquet
from hvae_core.data.registry import REGISTRY, read_registry
from hvae_core.data.stored import find_named, folder_of, share_images
from hvae_core.data.worlds import SetSpec

Encode = Callable[..., bytes]
NAMED_BY_THE_PAPERS = {
    "fashion_mnist", "mnist", "kmnist", "notmnist", "omniglot", "omniglot_inverted", "smallnorb",
    "smallnorb_inverted", "cifar10", "svhn", "celeba", "places365", "flowers102", "lfw", "food101",
    "tiny_imagenet", "cifar100",
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path, encode: Encode) -> Path:
    """A data folder with faces of 40x50 pixels and digits of 28x28."""
    rng = np.random.default_rng(5)
    faces = rng.integers(0, 256, (9, 50, 40, 3), dtype=np.uint8)
    digits = rng.integers(0, 256, (9, 28, 28), dtype=np.uint8)
    for name, shown in (("celeba", faces), ("svhn", faces), ("mnist", digits)):
        blobs = [encode(picture) for picture in shown]
        for split in ("train", "test"):
            write_parquet(tmp_path / name / f"{split}.parquet", [(blobs, [0] * 9)], ("one",))
    return tmp_path


def test_every_entry_is_complete() -> None:
    assert set(registered_sets()) >= NAMED_BY_THE_PAPERS
    for name, entry in registered_sets().items():
        assert entry.name == name
        assert entry.title and entry.licence and entry.citation[-1].isalpha()
        assert entry.hub or entry.of or name == "chars74k"
        assert entry.shape in ((1, 28, 28), (3, 32, 32))
        named = find_named(name)
        assert named is not None
        folder = folder_of(named.origin)
        assert folder is not None and folder.folder == (entry.of or name)
    titles = [entry.title for entry in registered_sets().values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('title = "T"\nlicence = "L"\ncitation = "C"', "shape has 0 numbers"),
        ('shape = [1, 28, 28]\nlicence = "L"\ncitation = "C"', "title"),
        ('of = "mnist"\nrool = "crop"', "rool"),
        ('of = "mnist"\nrule = "cut"', "rule is cut, not one of resize, crop"),
        ('of = "nothing"', "nothing"),
    ],
)
def test_a_wrong_entry_fails_with_its_name(table: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    path.write_text(REGISTRY.read_text("utf-8") + f"\n[odd_set]\n{table}\n", "utf-8")
    with pytest.raises(DataError, match=f"set odd_set in registry.toml .*{problem}"):
        read_registry(path)


def test_the_worlds_hold_what_the_papers_hold_against_them() -> None:
    def held(key: str) -> set[str]:
        found = set()
        for spec in worlds()[key].with_role("out"):
            folder = folder_of(spec.origin)
            assert folder is not None
            found.add(folder.folder + ("_inverted" if isinstance(spec.origin, Control) else ""))
        return found

    grey = {"kmnist", "notmnist", "omniglot", "omniglot_inverted", "smallnorb",
            "smallnorb_inverted"}  # fmt: skip
    assert held("fashion") >= grey | {"mnist"}
    assert held("mnist") >= grey | {"fashion_mnist"}
    colour = {"svhn", "celeba", "places365", "flowers102", "lfw", "food101", "tiny_imagenet"}
    assert held("cifar") >= colour | {"cifar100", "gtsrb", "chars74k"}


def test_names_with_splits_and_changes(root: Path) -> None:
    plain = load_source("mnist", data_root=root)
    assert (plain.name, plain.title, len(plain)) == ("mnist", "MNIST digits", 9)
    dark = load_source("mnist:train+inverted", data_root=root)
    assert dark.title == "MNIST digits, train, inverted"
    assert set((255 - dark.images).sum((1, 2, 3))) == set(plain.images.sum((1, 2, 3), dtype=int))
    black = load_source("mnist+thresholded", data_root=root, image_shape=(1, 14, 14), limit=4)
    assert black.images.shape == (4, 1, 14, 14)
    assert set(np.unique(black.images)) == {0, 255}
    assert find_named("nothing") is None
    assert find_named("owner/name") is None
    with pytest.raises(DataError, match="upside is not a change that is known; write one of"):
        load_source("mnist+upside", data_root=root)


def test_what_is_not_here_says_where_it_is(root: Path) -> None:
    with pytest.raises(MissingImages, match="Food101 dishes are not on this machine"):
        load_source("food101", data_root=root)
    with pytest.raises(MissingImages, match="ethz/food101:validation on the Hugging Face hub"):
        load_source("food101+inverted", data_root=root)
    with pytest.raises(DataError, match="no set of that name"):
        load_source("fod101", data_root=root)


def test_faces_are_cropped_and_house_numbers_resized(root: Path) -> None:
    faces, numbers = (load_source(name, data_root=root) for name in ("celeba", "svhn"))
    assert faces.image_shape == numbers.image_shape == (3, 32, 32)
    assert faces.notes == ("cropped from 40x50 colour to 32x32 colour",)
    assert numbers.notes[0].startswith("resized from 40x50 colour")
    again = load_source("celeba+resized", data_root=root)
    assert set(again.image_digests()) == set(numbers.image_digests())
    also = load_source("svhn+cropped", data_root=root)
    assert set(also.image_digests()) == set(faces.image_digests())


def test_a_crop_is_a_window_at_a_place_of_its_own() -> None:
    rng = np.random.default_rng(0)
    places = []
    for _ in range(40):
        picture = rng.integers(0, 256, (3, 36, 40), dtype=np.uint8)
        found = fit_image(picture, (3, 32, 32), "crop")
        assert (found == fit_image(picture.copy(), (3, 32, 32), "crop")).all()
        windows = np.lib.stride_tricks.sliding_window_view(picture, (3, 32, 32))[0]
        hits = np.argwhere((windows == found).all((2, 3, 4)))
        assert len(hits) == 1
        places.append(tuple(hits[0]))
    assert {top for top, _ in places} == set(range(5))
    assert len({left for _, left in places}) >= 7
    # Too small on one side: scaled up, its aspect ratio kept, then a window of that.
    low = rng.integers(0, 256, (1, 16, 24), dtype=np.uint8)
    grown = np.asarray(Image.fromarray(low[0]).resize((48, 32), Image.Resampling.BILINEAR))
    found = fit_image(low, (1, 32, 32), "crop")[0]
    assert any((grown[:, left : left + 32] == found).all() for left in range(17))


def test_the_papers_resize_is_bilinear_without_the_aspect_ratio() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (1, 96, 105), dtype=np.uint8)
    by_hand = Image.fromarray(picture[0]).resize((28, 28), Image.Resampling.BILINEAR)
    assert (fit_image(picture, (1, 28, 28))[0] == np.asarray(by_hand)).all()


def test_fixed_binarisation_is_one_fair_draw() -> None:
    ramp = np.linspace(0, 255, 4096).astype(np.uint8).reshape(1, 1, 64, 64)
    grey = ImageSet("ramp", "Ramp", np.repeat(ramp, 30, 0) + 0, labels=np.full(30, -1))
    # Equal images have equal draws; other ones are changed in one corner.
    pixels = grey.images.copy()
    pixels[:, 0, 0, 0] = np.arange(30)
    grey = replace(grey, images=pixels)
    found = binarised(grey)
    assert set(np.unique(found.images)) == {0, 255}
    assert (found.images == binarised(grey).images).all()
    assert (binarised(grey.take([7])).images == found.images[7]).all()
    assert (binarised(grey, seed=1).images != found.images).any()
    share, expected = found.images.mean(), grey.images.mean()
    error = 255 * 0.5 / np.sqrt(found.images.size)
    assert abs(share - expected) < 4 * error
    dark, light = (replace(grey, images=np.full_like(pixels, value)) for value in (0, 255))
    assert binarised(dark).images.max() == 0
    assert binarised(light).images.min() == 255
    half = thresholded(replace(grey, images=np.full_like(pixels, 127)))
    assert half.images.max() == 0


def test_worlds_judge_no_image_that_anything_was_fitted_on() -> None:
    for world in worlds().values():
        for judged in world.with_role("in"):
            for fitted in world.with_role("train", "validation"):
                assert not share_images(judged.origin, fitted.origin)
        train, held = world.with_role("train", "validation")
        assert not share_images(train.origin, held.origin)


def test_origins_that_share_images() -> None:
    train = DataFolder("mnist", "train")
    first, last = (replace(train, span=span) for span in ((0.0, 0.9), (0.9, 1.0)))
    assert share_images(train, first)
    assert share_images(Control(first, "inverted"), train)
    assert not share_images(first, last)
    assert share_images(first, replace(last, shuffle=True))  # another order, another cut
    assert not share_images(train, DataFolder("mnist", "test"))
    assert share_images(Shipped("a.parquet"), Control(Shipped("a.parquet"), "noise"))
    assert not share_images(Shipped("a.parquet"), train)


def test_a_set_that_thresholds_rest_on_cannot_be_judged() -> None:
    world = worlds()["fashion"]
    for source in ("fashion_mnist:train", "fashion_mnist:train+inverted"):
        with pytest.raises(DataError, match="references and thresholds rest"):
            world.with_set(custom_set(source, "in"))
    assert world.with_set(custom_set("fashion_mnist:train", "out"))
    assert world.with_set(custom_set("mnist:train", "in")).spec("own-mnist-digits-train")
    validation = SetSpec("again", "Again", "in", origin=world.spec("validation").origin)
    with pytest.raises(DataError, match="choose a test split"):
        world.with_set(validation)


@pytest.mark.shared
def test_real_sets_by_name(shared_data: Path) -> None:
    found = load_source("omniglot_inverted", data_root=shared_data, limit=50)
    again = load_source("omniglot+inverted", data_root=shared_data, limit=50)
    assert found.digest == again.digest
    assert found.images.mean() < 60
