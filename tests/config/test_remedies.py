"""Recipes against collapse: the same network, and one thing that the checkpoint's had not."""

from __future__ import annotations

import pytest

from hvae_core.config.families.dense import DenseConfig
from hvae_core.config.lab import lab_presets
from hvae_core.config.presets import PRESETS
from hvae_core.config.presets.remedies import remedies


@pytest.mark.parametrize(
    ("name", "offered", "left_out"),
    [
        ("glyphs-hvae5-elbo", "glyphs-hvae5-freebits", "glyphs-hvae5-elbo"),
        ("glyphs-hvae5-elbo", "glyphs-hvae5-informative-warm", "glyphs-hvae5-noskip-elbo"),
        ("glyphs-hvae5-freebits", "glyphs-hvae5-informative", "glyphs-hvae5-warmup"),
        ("glyphs-hvae5-noskip-elbo", "glyphs-hvae5-elbo", "glyphs-hvae5-freebits"),
    ],
)
def test_what_the_recipe_had_not_is_offered(name: str, offered: str, left_out: str) -> None:
    preset = PRESETS[name]
    names = [r.preset for r in remedies(preset.model, preset.train, preset.world)]
    assert offered in names
    assert left_out not in names and name not in names


def test_each_says_what_it_does_whose_it_is_and_where_the_lab_shows_it() -> None:
    preset = PRESETS["glyphs-hvae5-elbo"]
    offered = remedies(preset.model, preset.train, preset.world)
    for remedy in offered:
        assert remedy.does and remedy.source and remedy.lab in lab_presets()
        assert (PRESETS[remedy.preset].model == preset.model) == remedy.same
    assert all(remedy.same for remedy in offered[:3])


def test_a_network_of_no_recipe_is_told_the_recipes_of_others() -> None:
    bare = DenseConfig((1, 8, 8), (3, 3))
    told = remedies(bare, None, "")
    assert {remedy.lab for remedy in told} == {"free-bits", "warm-up", "informative", "skips"}
    assert not any(remedy.same for remedy in told)
    assert all(remedy.preset in PRESETS for remedy in told)
