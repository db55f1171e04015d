"""Recipes in files: what short forms mean, what an entry takes from others, what is refused."""

from __future__ import annotations

import subprocess
import sys
from math import log
from pathlib import Path

import pytest

from hvae_core.checkpoint import inspect_checkpoint, shipped_checkpoints
from hvae_core.common.errors import ConfigError
from hvae_core.config import HVAEConfig, LatentConfig, TrainConfig
from hvae_core.config.presets import get_preset
from hvae_core.config.presets.preset import Preset
from hvae_core.config.presets.reader import read
from tests.conftest import ROOT
from tests.small import as_family

BASE = """
[_run.train]
epochs = 10
learning_rate = 1e-2
ema = 0.0

[plain]
title = "plain"
world = "bars"
source = "HVK Eq. 1"
paper = true
like = "_run"
train.learning_rate = 1e-3

[plain.model]
family = "hvae"
image_shape = [1, 8, 8]
latents = [{ conv = 2, stride = 2 }, { dense = 3 }]
channels = 4
"""


def recipes(folder: Path, *texts: str) -> dict[str, Preset]:
    """The recipes of files a.toml, b.toml, ... with these texts."""
    paths = [folder / f"{letter}.toml" for letter, _ in zip("abc", texts, strict=False)]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, "utf-8")
    return read(paths)


def test_a_table_is_a_recipe(tmp_path: Path) -> None:
    latents = (LatentConfig(2, "conv", stride=2), LatentConfig(3, "dense"))
    model = HVAEConfig((1, 8, 8), latents, channels=4)
    train = TrainConfig("bars", epochs=10, learning_rate=1e-3, ema=0.0)
    expected = Preset(
        "plain", "plain", "bars", model=model, train=train, source="HVK Eq. 1", paper=True
    )
    assert recipes(tmp_path, BASE) == {"plain": expected}


def test_an_entry_takes_from_those_it_is_like_the_last_first(tmp_path: Path) -> None:
    """Over files too, field by field, and all but that it is a paper's."""
    text = """
    [_slow]
    title = "slow"
    train = { learning_rate = 1e-4, epochs = 50 }
    [ladder]
    like = ["plain", "_slow"]
    train.epochs = 40
    model.family = "lvae"
    """
    found = recipes(tmp_path, BASE, text)
    plain, ladder = found.values()
    assert list(found) == ["plain", "ladder"]
    assert (ladder.title, ladder.source, ladder.paper) == ("slow", plain.source, False)
    assert ladder.model == as_family("lvae", plain.model)
    assert ladder.train == TrainConfig("bars", epochs=40, learning_rate=1e-4, ema=0.0)


def test_shares_are_of_the_run_and_bits_of_the_dimensions(tmp_path: Path) -> None:
    text = """
    [long]
    like = "plain"
    train = { epochs = 12, warmup_epochs = { share = 0.2 }, clip_norm = { bits = 3.0 } }
    [longer]
    like = "long"
    train.epochs = 20
    [colour]
    like = "long"
    model.image_shape = [3, 8, 8]
    """
    long, longer, colour = list(recipes(tmp_path, BASE, text).values())[1:]
    assert [p.train.warmup_epochs for p in (long, longer, colour)] == [0.2 * 12, 4, 0.2 * 12]
    assert long.train.clip_norm == longer.train.clip_norm == 3 * log(2) * 64
    assert colour.train.clip_norm == 3 * log(2) * 192


WRONG = {
    "title": ('[x]\nlike = "plain"\ntitel = "y"', r"b\.toml \[x\]\.titel"),
    "field of the run": ('[x]\nlike = "plain"\ntrain.epoch = 3', r"b\.toml \[x\]\.train\.epoch"),
    "field of the model": ('[x]\nlike = "plain"\nmodel.wide = 3', r"b\.toml \[x\]\.model.*\.wide"),
    "family": ('[x]\nlike = "plain"\nmodel.family = "vae"', r"b\.toml \[x\]\.model"),
    "value": ('[x]\nlike = "plain"\ntrain.epochs = 0', r"b\.toml \[x\]\.train\.epochs"),
    "kind": ('[x]\nlike = "plain"\npaper = 1', r"b\.toml \[x\]\.paper"),
    "date": ('[x]\nlike = "plain"\ntrain.seed = 2020-01-01', r"b\.toml \[x\]\.train\.seed"),
    "unit": ('[x]\nlike = "plain"\ntrain.ema = { bit = 1 }', r"b\.toml \[x\]\.train\.ema"),
    "two units": (
        '[x]\nlike = "plain"\ntrain.ema = { bits = 1, share = 1 }',
        r"b\.toml \[x\]\.train\.ema",
    ),
    "like": ('[x]\nlike = ["plain", "plane"]', r"b\.toml \[x\]: there is no 'plane'"),
    "like below": ('[x]\nlike = "y"\n[y]\nlike = "plain"', r"b\.toml \[x\]: there is no 'y'"),
    "no world": ("[x.train]\nepochs = 3", r"b\.toml \[x\]: there is no 'world'"),
    "no title": ('[x]\nworld = "bars"\ntrain.epochs = 3', r"b\.toml \[x\]\.title"),
    "no table": ('x = "plain"', r"b\.toml \[x\]: "),
    "second": ('[plain]\ntitle = "y"', r"b\.toml \[plain\]: there is an entry of that name"),
    "syntax": ("[x]\nlike = plain", r"b\.toml: .*line 2"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_entry_is_named_with_its_file(wrong: str, tmp_path: Path) -> None:
    text, told = WRONG[wrong]
    with pytest.raises(ConfigError, match=told):
        recipes(tmp_path, BASE, text)


def test_recipes_are_read_when_one_is_asked_for() -> None:
    code = """
import sys
import hvae_core.config, hvae_core.config.presets as presets, hvae_core.evaluation.worlds
assert presets.__name__ + ".reader" not in sys.modules
first = presets.PRESETS["glyphs-hvae3-elbo"]
assert presets.PRESETS is presets.PRESETS
assert presets.get_preset("glyphs-hvae3-elbo") is first
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("name", shipped_checkpoints())
def test_shipped_checkpoints_are_those_of_their_recipes(name: str) -> None:
    shipped = inspect_checkpoint(shipped_checkpoints()[name])
    preset = get_preset(shipped.card.preset)
    assert (shipped.config, shipped.train) == (preset.model, preset.train)
    assert preset.name == name
