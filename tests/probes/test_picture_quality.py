"""PSNR by hand, MS-SSIM against its definition written out with windows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hvae_core.probes.picture_quality import ms_ssim, psnr

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003


def test_psnr_by_hand() -> None:
    one = np.zeros((1, 2, 2), np.uint8)
    other = one.copy()
    other[0, 0, 0] = 51  # an error of 0.2 in one of four pixels: a mean square of 0.01
    assert psnr(one, other) == pytest.approx(20.0)
    assert psnr(one / 255.0, other / 255.0) == pytest.approx(20.0)
    assert psnr(one, 255 - one) == pytest.approx(0.0)
    assert psnr(one, one) == math.inf


def of_windows(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Mean SSIM and mean contrast-structure of two planes, from every window of 11 x 11 pixels."""
    steps = np.arange(11) - 5
    bell = np.exp(-(steps**2) / (2 * 1.5**2))
    weights = np.outer(bell, bell) / bell.sum() ** 2
    x, y = (np.lib.stride_tricks.sliding_window_view(p, (11, 11)) for p in (a, b))

    def mean(values: np.ndarray) -> np.ndarray:
        return (values * weights).sum((-2, -1))

    mx, my = mean(x), mean(y)
    vx, vy = mean((x - mx[..., None, None]) ** 2), mean((y - my[..., None, None]) ** 2)
    both = mean((x - mx[..., None, None]) * (y - my[..., None, None]))
    light = (2 * mx * my + 0.01**2) / (mx**2 + my**2 + 0.01**2)
    structure = (2 * both + 0.03**2) / (vx + vy + 0.03**2)
    return float((light * structure).mean()), float(structure.mean())


def by_definition(a: np.ndarray, b: np.ndarray) -> float:
    """MS-SSIM of two planes whose sides can be halved four times."""
    total = 1.0
    for scale, weight in enumerate(WEIGHTS):
        whole, structure = of_windows(a, b)
        total *= max(0.0, whole if scale == 4 else structure) ** weight
        a, b = (p.reshape(len(p) // 2, 2, -1, 2).mean((1, 3)) if len(p) % 2 == 0 else p
                for p in (a, b))  # fmt: skip
    return total


@pytest.mark.parametrize("side", [16, 176])
def test_ms_ssim_is_its_definition(side: int) -> None:
    """A picture of 16 x 16 pixels is enlarged 11 times, one of 176 x 176 is taken as it is."""
    rng = np.random.default_rng(side)
    one = rng.random((1, 2, side, side))
    other = np.clip(one + 0.3 * rng.normal(size=one.shape), 0, 1)
    factor = 176 // side
    planes = [np.kron(p, np.ones((factor, factor))) for p in (*one[0], *other[0])]
    expected = np.mean([by_definition(planes[c], planes[2 + c]) for c in (0, 1)])
    assert ms_ssim(one, other)[0] == pytest.approx(expected, rel=1e-5)  # its window is float32


def test_ms_ssim_of_many_is_that_of_each() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 256, (2, 20, 1, 8, 8)).astype(np.uint8)
    together = ms_ssim(one, other)
    assert together.shape == (20,)
    for i in (0, 7, 19):
        assert ms_ssim(one[i : i + 1], other[i : i + 1])[0] == pytest.approx(together[i], abs=1e-12)
    np.testing.assert_allclose(ms_ssim(one[:3], one[:3]), 1.0)
    assert ms_ssim(one[:0], one[:0]).shape == (0,)
    np.testing.assert_allclose(ms_ssim(one[:3] / 255.0, other[:3] / 255.0), together[:3])
