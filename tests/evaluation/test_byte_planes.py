"""Numbers in few bytes: what comes back, and that it is fewer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hvae_core.common.cache import write_npz
from hvae_core.evaluation.byte_planes import from_planes, to_planes


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "bound": -100 - 30 * rng.standard_normal((500, 5)).astype(np.float32),
        "kl": np.asfortranarray(rng.exponential(5, (500, 3)).astype(np.float32)),
        "latents": rng.standard_normal((500, 7)).astype(np.float16),
        "none": np.zeros((500, 0), np.float16),
        "labels": rng.integers(0, 10, 500).astype(np.int32),
    }


def test_what_comes_back(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    path, plain = tmp_path / "a.npz", tmp_path / "b.npz"
    write_npz(path, to_planes(arrays, {"bound": 2.0**-12, "kl": 2.0**-18}), compressed=True)
    write_npz(plain, arrays, compressed=True)
    with np.load(path, allow_pickle=False) as file:
        back = from_planes(file)
    assert {k: (v.shape, v.dtype) for k, v in back.items()} == {
        k: (v.shape, v.dtype) for k, v in arrays.items()
    }
    assert np.abs(back["bound"] - arrays["bound"]).max() <= 2.0**-13
    assert 0 < np.abs(back["kl"] - arrays["kl"]).max() <= 2.0**-19
    for name in ("latents", "none", "labels"):
        assert (back[name] == arrays[name]).all()
    assert path.stat().st_size < 0.95 * plain.stat().st_size


@pytest.mark.parametrize("odd", [np.nan, np.inf, -1e9])
def test_what_has_no_fixed_point_stays_exact(odd: float) -> None:
    values = np.array([[1 / 3, odd]], np.float32)
    back = from_planes(to_planes({"bound": values}, {"bound": 2.0**-12}))["bound"]
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, values)
