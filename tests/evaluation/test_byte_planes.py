"""Numbers in few bytes: what comes back, and that it is fewer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hvae_core.common.cache import write_npz
from hvae_core.evaluation.byte_planes import from_planes, to_planes

STEPS = {"bound": 2.0**-12, "iw": 2.0**-12, "kl": 2.0**-18}


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "bound": -100 - 30 * rng.standard_normal((500, 5)).astype(np.float32),
        "iw": -99 - 30 * rng.standard_normal((500, 5)).astype(np.float32),
        "kl": np.asfortranarray(rng.exponential(5, (500, 3)).astype(np.float32)),
        "latents": rng.standard_normal((500, 7)).astype(np.float16),
        "none": np.zeros((500, 0), np.float16),
        "labels": rng.integers(0, 10, 500).astype(np.int32),
    }


def test_what_comes_back(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    path, plain = tmp_path / "a.npz", tmp_path / "b.npz"
    write_npz(path, to_planes(arrays, STEPS), compressed=True)
    write_npz(plain, arrays, compressed=True)
    with np.load(path, allow_pickle=False) as file:
        back = from_planes(file)
    assert {k: (v.shape, v.dtype) for k, v in back.items()} == {
        k: (v.shape, v.dtype) for k, v in arrays.items()
    }
    for name in ("bound", "iw"):
        assert 0 < np.abs(back[name] - arrays[name]).max() <= 2.0**-13
    assert 0 < np.abs(back["kl"] - arrays["kl"]).max() <= 2.0**-19
    for name in ("latents", "none", "labels"):
        assert (back[name] == arrays[name]).all()
    assert path.stat().st_size < 0.95 * plain.stat().st_size


def test_halves_in_steps_of_their_unit(arrays: dict[str, np.ndarray]) -> None:
    """Units of any spread keep as many digits; one that never moves, and one far off, come back."""
    spread = np.array([1, 1e-3, 50, 0, 1, 1, 1], np.float16)
    halves = arrays["latents"] * spread + np.array([0, 0, 0, 0.25, 30, 0, 0], np.float16)
    packed = to_planes({**arrays, "latents": halves}, STEPS, by_unit=1 / 32)
    back = from_planes(packed)["latents"]
    assert np.abs(from_planes(packed)["iw"] - arrays["iw"]).max() <= 2.0**-13
    assert back.dtype == np.float16
    wide = halves.astype(np.float64)
    allowed = wide.std(0) / 64 + np.abs(wide).max(0) / 1024  # half a step, and a half's own digits
    assert (np.abs(back.astype(np.float64) - wide) <= allowed).all()
    assert (np.abs(back.astype(np.float64) - wide).max(0)[:3] > 0).all()
    odd = halves.copy()
    odd[0, 0] = np.inf
    np.testing.assert_array_equal(
        from_planes(to_planes({"latents": odd}, {}, by_unit=1 / 32))["latents"], odd
    )


@pytest.mark.parametrize("odd", [np.nan, np.inf, -1e9])
def test_what_has_no_fixed_point_stays_exact(odd: float) -> None:
    values = np.array([[1 / 3, odd]], np.float32)
    back = from_planes(to_planes({"bound": values}, {"bound": 2.0**-12}))["bound"]
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, values)
