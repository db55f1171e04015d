"""Every preset of the Lab shows what it says, for seed 0, after so many steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hvae_core.config.lab import first_control, lab_presets
from hvae_core.training.lab.first import make_first, shipped_frame
from hvae_core.training.lab.frame import read_control, read_frame
from tests.lab import measured


@pytest.mark.parametrize("name", lab_presets())
def test_a_preset_shows_what_it_says(name: str) -> None:
    preset = lab_presets()[name]
    checks = [check for check in preset.checks if not check.beside]
    assert checks
    for check, figure in zip(checks, measured(preset, 0, checks), strict=True):
        assert check.holds(figure), f"{figure:.2f} at step {check.step}: {check}"


def test_the_frame_that_ships_is_that_of_the_lab_s_first_network(tmp_path: Path) -> None:
    """If this fails, the network or its pictures have changed: run ``maintain lab``."""
    make_first(tmp_path)
    assert read_control(tmp_path) == first_control()
    shown, made = shipped_frame(first_control()), read_frame(tmp_path)
    assert shown is not None and made is not None and shown.about == made.about
    for name in ("originals", "samples", "reconstructions", "means", "stds", "bounds", "dot"):
        now = np.asarray(getattr(made, name), np.float64)
        # Machines round sums differently: a pixel in the last place of 255.
        atol = 1.0 if getattr(made, name).dtype == np.uint8 else 1e-2
        np.testing.assert_allclose(getattr(shown, name), now, rtol=1e-3, atol=atol, err_msg=name)
    assert shipped_frame(replace(first_control(), dot=(1.0, 1.0))) is None
