"""``information`` and ``correlate``: the figures of the core, on sets of one's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvae_core.checkpoint import load_checkpoint, save_checkpoint
from hvae_core.cli.main import main
from hvae_core.config import ModelCard
from hvae_core.data import load_source
from hvae_core.evaluation.compute import posterior_means
from hvae_core.probes.information import stored_information
from hvae_core.probes.layer_likeness import linear_cka, matched_correlation
from tests.cli.conftest import TINY
from tests.small import FAMILIES, tiny_model

Tell = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained HVAE of three layers, for 8 x 8 images."""
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    save_checkpoint(path, tiny_model(TINY.model), card=ModelCard("small"), history={})
    return path


def test_information_of_a_set(
    small: Path, stripes: dict[str, Path], tell: Tell, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ("information", small, "--set", stripes["other"], "--images", 20, "--eps", 0.5)
    told = tell(*argv)
    assert told["images"] == 20 and told["ceiling"] == pytest.approx(math.log(20))
    assert [row["level"] for row in told["levels"]] == ["z1", "z2", "z3"]
    assert all(row["information"] <= told["ceiling"] + 1e-9 for row in told["levels"])
    for row in told["levels"]:
        assert row["information"] + row["marginal"] == pytest.approx(row["rate"])
    found = stored_information(
        load_checkpoint(small).digest, load_source(stripes["other"]).sample(20)
    )
    assert found is not None
    level = found.levels[1][2]  # delta 0.1
    assert told["layers"][1]["collapsed"]["0.1"] == pytest.approx((level < 0.5).mean())
    assert main([*map(str, argv)]) == 0
    text = capsys.readouterr().out
    assert "I(x; z>k)" in text and "delta 0.05" in text


def test_two_models_of_other_layers_and_sizes(
    small: Path,
    stripes: dict[str, Path],
    tmp_path: Path,
    tell: Tell,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A small HVAE of 8 x 8 images against a VDVAE of larger ones."""
    other = tmp_path / "deep.safetensors"
    wide = tiny_model(FAMILIES["vdvae"])
    save_checkpoint(other, wide, card=ModelCard("deep"), history={})
    argv = ("correlate", small, other, "--sets", stripes["other"], stripes["upright"])
    told = tell(*argv)
    assert told["layers_a"] == ["z1", "z2", "z3"] and len(told["layers_b"]) == 5
    assert [one["images"] for one in told["sets"]] == [80, 60]
    images = load_source(stripes["upright"])
    a = posterior_means(load_checkpoint(small).model, images)
    b = posterior_means(load_checkpoint(other).model, images)
    found = told["sets"][1]
    assert np.shape(found["cka"]) == (3, 5)
    assert found["correlation"][2][4] == pytest.approx(matched_correlation(a[2], b[4]), abs=1e-4)
    assert found["cka"][1][0] == pytest.approx(linear_cka(a[1], b[0]), abs=1e-3)
    assert main([*map(str, argv)]) == 0
    text = capsys.readouterr().out
    assert "Mean |r| of matched units" in text and "Linear CKA" in text


def test_a_model_against_itself_is_the_same(
    small: Path, stripes: dict[str, Path], tell: Tell
) -> None:
    told = tell("correlate", small, small, "--sets", stripes["other"])["sets"][0]
    np.testing.assert_allclose(np.diag(np.array(told["correlation"], float)), 1, atol=1e-9)
    assert all(v is None or v == pytest.approx(1) for v in np.diag(np.array(told["cka"])))


def test_too_few_images_are_refused_in_a_sentence(
    small: Path, stripes: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [
        "correlate",
        str(small),
        str(small),
        "--sets",
        str(stripes["other"]),
        "--limit",
        "5",
    ]
    assert main(argv) == 2
    assert "10 or more" in capsys.readouterr().err
