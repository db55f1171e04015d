"""Changes of one image by known amounts: each alone, against what it must do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hvae_core.common.errors import DataError
from hvae_core.data.perturb import COVER, Perturbation, perturbed

IMAGE = np.zeros((1, 16, 16), np.uint8)
IMAGE[0, 2:9, 4:7] = 200


def after(image: np.ndarray = IMAGE, seed: int = 0, **by: Any) -> np.ndarray:
    return perturbed(image, Perturbation(**by), seed=seed).astype(int)


def test_nothing_asked_is_nothing_done() -> None:
    assert np.array_equal(after(), IMAGE) and not Perturbation(across=0.1).changes


def test_quarter_and_half_turns_are_exact() -> None:
    assert np.array_equal(after(rotation=90), np.rot90(IMAGE, -1, axes=(1, 2)))
    assert np.array_equal(after(rotation=180), IMAGE[:, ::-1, ::-1])
    light = 255 - IMAGE  # what comes in from outside is the ground
    assert after(light, rotation=45)[0, 0, 0] == 255


def test_blur_keeps_the_light_and_contrast_scales_about_the_ground() -> None:
    assert after(blur=1.5).sum() == pytest.approx(IMAGE.sum(), rel=0.03)
    assert after(blur=1.5).max() < 200
    assert np.array_equal(after(contrast=0.5), IMAGE // 2)
    assert np.array_equal(after(255 - IMAGE, contrast=0.5), 255 - IMAGE // 2)


def test_noise_is_one_pattern_that_a_strength_scales() -> None:
    grey = np.full((3, 16, 16), 128, np.uint8)
    weak, strong = after(grey, noise=10) - 128, after(grey, noise=20) - 128
    assert np.abs(2 * weak - strong).max() <= 2
    assert strong.std() == pytest.approx(20, rel=0.1)
    assert not np.array_equal(strong, after(grey, seed=1, noise=20) - 128)


def test_the_box_covers_its_share_at_its_place_and_ends_at_the_edge() -> None:
    assert ((after(box=0.5) == COVER).sum(), after(box=1.0).min()) == (64, COVER)
    corner = after(box=0.5, across=0, down=1)
    assert (corner[0, 12:, :4] == COVER).all() and (corner == COVER).sum() == 16


@pytest.mark.parametrize("by", [{"blur": -1}, {"box": 1.5}, {"contrast": float("nan")}])
def test_what_is_out_of_bounds_is_told(by: dict[str, float]) -> None:
    with pytest.raises(DataError, match="lies between"):
        Perturbation(**by)
