"""Quality of samples against scipy, closed forms and brute force."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.linalg import sqrtm

from hvae_core.checkpoint import save_checkpoint
from hvae_core.cli.main import main
from hvae_core.common.errors import ScoreError
from hvae_core.config import HVAEConfig, LatentConfig, ModelCard, TrainConfig
from hvae_core.evaluation.compute import evaluate_batch
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.probes.sample_quality import (
    JudgedPictures,
    frechet_distance,
    judged,
    nearest_distance,
    quality,
)
from tests.small import tiny_model, tiny_set


def cloud(n: int, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)) @ rng.normal(size=(4, 4)) + shift


def test_frechet_distance_is_that_of_the_matrix_root() -> None:
    a, b = cloud(200), cloud(150, 0.7, seed=1)
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = np.real(sqrtm(cov_a @ cov_b))
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    # a shift alone is its squared length; one dimension is (m_a - m_b)^2 + (s_a - s_b)^2
    assert frechet_distance(a, a + 2.0) == pytest.approx(16.0)
    x, y = a[:, :1], 3 * a[:, :1]
    gap = (y.mean() - x.mean()) ** 2 + (y.std(ddof=1) - x.std(ddof=1)) ** 2
    assert frechet_distance(x, y) == pytest.approx(gap)


def test_nearest_distance_is_that_of_all_pairs() -> None:
    a, b = cloud(30), cloud(50, seed=2)
    pairs = np.linalg.norm(a[:, None] - b[None], axis=-1)
    assert nearest_distance(a, b) == pytest.approx(pairs.min(1).mean())


def test_clouds_that_say_nothing_are_refused() -> None:
    with pytest.raises(ScoreError, match="more points than dimensions"):
        frechet_distance(cloud(4), cloud(40))
    with pytest.raises(ScoreError, match="do not compare"):
        frechet_distance(cloud(40), cloud(40)[:, :2])


def test_samples_without_finite_numbers_have_no_distance() -> None:
    good, lost = JudgedPictures(5.0, cloud(40)), JudgedPictures(np.inf, np.full((40, 4), np.nan))
    found = quality(lost, good)
    assert np.isinf(found.nll) and np.isnan([found.frechet, found.nearest]).all()


def test_the_judge_reads_what_evaluation_reads() -> None:
    model, images = tiny_model(), tiny_set(130).images
    found = judged(model, images)
    bounds, means = evaluate_batch(model, images, range(130), settings=EvalSettings(1, 1))
    assert found.nll == pytest.approx(-bounds[0].bound.mean(), rel=1e-5)
    # z1 has 128 units and is left out
    np.testing.assert_allclose(found.latents, np.concatenate(means[1:], 1), atol=1e-5)
    same = quality(found, found)
    assert (same.nll, same.nearest) == (found.nll, 0.0)
    assert same.frechet == pytest.approx(0, abs=1e-8)


def test_the_command(
    tmp_path: object, cache_folder: object, capsys: pytest.CaptureFixture[str]
) -> None:
    config = HVAEConfig(
        (1, 28, 28), (LatentConfig(2, stride=2), LatentConfig(3, "dense", stride=2)), 4, 1, stem=2
    )
    paths = []
    for seed in (0, 1):
        path = f"{tmp_path}/m{seed}.safetensors"
        save_checkpoint(path, tiny_model(config, seed), card=ModelCard("m"), history={},
                        train=TrainConfig("glyphs"))  # fmt: skip
        paths.append(path)
    argv = ["sampling", paths[0], "--judge", paths[1], "-n", "30"]
    assert main([*argv, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["sampler"] for row in told["samplers"]] == ["validation images", "prior"]
    assert told["samplers"][1]["seconds"] > 0
    assert told["samplers"][1]["seconds_u"] is None
    assert main(argv) == 0
    assert "30 samples of m0, read by m1" in capsys.readouterr().out
    assert main(["sampling", paths[0], "--judge", paths[0]]) == 2
    assert "cannot judge its own samples" in capsys.readouterr().err
