"""Every preset of the Lab shows what it says, for seed 0, after so many steps."""

from __future__ import annotations

import pytest

from hvae_core.config.lab import lab_presets
from tests.lab import measured


@pytest.mark.parametrize("name", lab_presets())
def test_a_preset_shows_what_it_says(name: str) -> None:
    preset = lab_presets()[name]
    checks = [check for check in preset.checks if not check.beside]
    assert checks
    for check, figure in zip(checks, measured(preset, 0, checks), strict=True):
        assert check.holds(figure), f"{figure:.2f} at step {check.step}: {check}"
