"""The chart of false alarms asked for and obtained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hvae_core.figures import LIGHT, Alarms, calibration
from hvae_core.figures.false_alarms import FLOOR
from hvae_core.figures.theme import DARK

ASKED = (0.001, 0.01, 0.1)
TEST = Alarms(
    "test",
    np.array([0.0, 0.012, 0.09]),
    np.array([0.0, 0.007, 0.07]),
    high=np.array([0.004, 0.02, 0.11]),
    band_low=np.array([0.0, 0.004, 0.08]),
    band_high=np.array([0.004, 0.018, 0.12]),
)


@pytest.mark.parametrize("colors", [LIGHT, DARK])
def test_points_bars_and_bands_are_the_numbers(colors) -> None:  # type: ignore[no-untyped-def]
    band, diagonal, points = calibration(ASKED, [TEST], colors, chosen=0.01).data
    np.testing.assert_allclose(diagonal.x, diagonal.y)
    np.testing.assert_allclose(points.y, [FLOOR, 0.012, 0.09], rtol=1e-6)
    np.testing.assert_allclose(points.y + points.error_y.array, [0.004, 0.02, 0.11], rtol=1e-5)
    np.testing.assert_allclose(
        points.y - points.error_y.arrayminus, [FLOOR, 0.007, 0.07], rtol=1e-5
    )
    np.testing.assert_allclose(band.y[:3], TEST.band_high, rtol=1e-6)
    np.testing.assert_allclose(band.y[:2:-1], [FLOOR, 0.004, 0.08], rtol=1e-6)
    # a share of zero stands on the lower edge, and is told as what it is
    assert points.customdata[0][1] == "0 % [0 %, 0.4 %]"
    assert points.marker.color == colors.in_color


def test_the_second_of_two_is_grey() -> None:
    quiet = replace(TEST, quiet=True)
    figure = calibration(ASKED, [quiet, TEST], LIGHT)
    assert [trace.marker.color for trace in figure.data[-2:]] == [LIGHT.muted, LIGHT.in_color]
