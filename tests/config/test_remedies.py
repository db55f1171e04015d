"""Recipes against collapse: the same network, and one thing that the checkpoint's had not."""

from __future__ import annotations

import pytest

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


def test_each_says_what_it_does_and_whose_it_is() -> None:
    preset = PRESETS["glyphs-hvae5-elbo"]
    for remedy in remedies(preset.model, preset.train, preset.world):
        assert remedy.does and remedy.source
        assert PRESETS[remedy.preset].model == preset.model
    assert remedies(preset.model, preset.train, "mnist") == ()
