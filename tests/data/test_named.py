"""Words become worlds and sets, and the images that a recipe trains on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hvae_core.checkpoint import CheckpointInfo
from hvae_core.cli.options import DataOptions
from hvae_core.common.errors import DataError, MissingImages
from hvae_core.config import ModelCard, TrainConfig
from hvae_core.data import worlds
from hvae_core.data.named import named_world, own_world, with_source
from hvae_core.data.readers.npz import npz_bytes
from hvae_core.data.training_sets import training_sets
from hvae_core.evaluation.worlds import one_set, world_key, world_of
from tests.small import tiny_config, tiny_set

SHAPE = (1, 8, 8)


@pytest.fixture
def bars(tmp_path: Path) -> str:
    path = tmp_path / "bars.npz"
    path.write_bytes(npz_bytes(tiny_set(40)))
    return str(path)


def _info(card: ModelCard, train: TrainConfig | None) -> CheckpointInfo:
    return CheckpointInfo(
        "a", "", tiny_config(), card=card, history={}, train=train, parameters=0, size=0
    )


def test_a_set_is_named_in_four_ways(bars: str, tmp_path: Path) -> None:
    glyphs = named_world("glyphs")
    assert with_source(glyphs, "digits", "out", download=False) == (glyphs, "digits")
    world, name = with_source(glyphs, "fashion:mnist", "out", download=False)
    assert name == "fashion-mnist"
    assert world.spec(name).origin == worlds()["fashion"].spec("mnist").origin
    world, name = with_source(world, "svhn:train+inverted", "out", download=False)
    assert world.spec(name).title.startswith("SVHN")
    world, name = with_source(world, bars, "out", download=False)
    assert len(world.choose(name)) == 40
    other = tmp_path / "more" / "bars.npz"
    other.parent.mkdir()
    other.write_bytes(npz_bytes(tiny_set(30)))
    world, second = with_source(world, str(other), "out", download=False)
    assert (len(world.choose(name)), len(world.choose(second))) == (40, 30)
    assert len(world.sets) == len(glyphs.sets) + 4


def test_words_that_name_nothing_are_explained() -> None:
    with pytest.raises(DataError, match="no world nowhere; choose one of .*glyphs"):
        named_world("nowhere")
    with pytest.raises(DataError, match="digit is neither a set of .* nor a file"):
        with_source(named_world("glyphs"), "digit", "out", download=False)
    with pytest.raises(DataError, match="name a test split with --in"):
        with_source(named_world("glyphs"), "validation", "in", download=False)
    with pytest.raises(DataError, match="nor a file"):
        with_source(own_world(SHAPE), "digits", "out", download=False)


def test_a_checkpoint_knows_its_world_by_its_training_or_its_preset(bars: str) -> None:
    by_training = _info(ModelCard("a"), TrainConfig("fashion"))
    by_preset = _info(ModelCard("a", "glyphs-hvae3-elbo"), None)
    neither = _info(ModelCard("a", "mine"), TrainConfig("own: cats"))
    assert [world_key(info) for info in (by_training, by_preset, neither)] == [
        "fashion",
        "glyphs",
        None,
    ]
    assert world_of(by_training).key == "fashion" and world_of(neither, "glyphs").key == "glyphs"
    with pytest.raises(DataError, match="does not say which world"):
        world_of(neither)
    place = DataOptions().place
    world, name = one_set(by_preset, None, None, place)
    assert (world.key, name) == ("glyphs", world.in_name)
    world, name = one_set(neither, None, bars, place)
    assert (world.key, len(world.choose(name))) == ("own", 40)


def test_images_of_ones_own_are_split_and_a_world_has_both_parts(bars: str, tmp_path: Path) -> None:
    own = training_sets("glyphs", SHAPE, source=bars)
    assert (len(own.train), len(own.validation), own.key) == (36, 4, "own: bars")
    digests = {*own.train.image_digests(), *own.validation.image_digests()}
    assert digests == set(tiny_set(40).image_digests())
    assert own.sizes == "bars, 36 images; 4 for validation"
    whole = training_sets("glyphs", (1, 28, 28))
    assert (whole.key, whole.title) == ("glyphs", named_world("glyphs").title)
    np.savez(tmp_path / "one.npz", images=np.zeros((1, 8, 8), np.uint8))
    with pytest.raises(DataError, match="too few to train on"):
        training_sets("glyphs", SHAPE, source=str(tmp_path / "one.npz"))
    with pytest.raises(MissingImages):
        training_sets("fashion", SHAPE, data_root=str(tmp_path))
