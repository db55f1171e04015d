"""Shift by degrees: the images by their pixels alone, the curves against what is known of a toy."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from hvae_core.checkpoint import inspect_checkpoint, shipped_checkpoints
from hvae_core.cli.main import main
from hvae_core.common.errors import ConfigError, DataError
from hvae_core.common.ladders import LADDERS, ChangeName
from hvae_core.config import from_json
from hvae_core.data.degrees import by_degree
from hvae_core.detection.by_degree import (
    SHIPPED,
    VERDICT,
    ByDegree,
    Change,
    Curve,
    curves,
    first_seen,
    shipped,
)
from hvae_core.detection.combine import verdict
from hvae_core.detection.conformal import conformal_p_values
from hvae_core.detection.standard import standard_of
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.figures import LIGHT
from hvae_core.figures.by_degree import degree_curves, every_change
from tests.small import tiny_set

RNG = np.random.default_rng(0)
LEVELS = RNG.normal(size=(300, 3))


def toy(rows: slice, degree: float = 0.0) -> BoundTable:
    """Bounds of three levels, of which a change by a degree takes from L and L_>1 alone."""
    bound = -50.0 + LEVELS[rows] * [1.0, 2.0, 0.5]
    bound[:, 0] -= degree
    return BoundTable(bound, bound, -bound, kl=np.ones_like(bound), dims=16, samples=1)


@pytest.mark.parametrize("change", get_args(ChangeName))
def test_an_image_changes_by_its_own_pixels_and_not_at_all_at_degree_zero(
    change: ChangeName,
) -> None:
    images = tiny_set(6)
    assert by_degree(images, change, LADDERS[change].degrees[0]).digest == images.digest
    order = [3, 0, 5, 1, 4, 2]
    changed = by_degree(images, change, LADDERS[change].degrees[-1])
    again = by_degree(images.take(order), change, LADDERS[change].degrees[-1])
    assert np.array_equal(again.images, changed.images[order])
    assert (changed.images != images.images).any(axis=(1, 2, 3)).all()
    with pytest.raises(DataError, match="lies between"):
        by_degree(images, change, 1000)


def test_noise_grows_by_degrees_in_one_pattern() -> None:
    images = replace(
        tiny_set(4),
        images=np.full((4, 1, 8, 8), 128, np.uint8)
        + np.arange(4, dtype=np.uint8)[:, None, None, None],
    )
    away = [
        by_degree(images, "noise", degree).images.astype(int) - images.images.astype(int)
        for degree in (8, 16)
    ]
    np.testing.assert_allclose(away[1], 2 * away[0], atol=1.01)
    assert 6 < away[0].std() < 10 and not np.array_equal(away[0][0], away[0][1])


def test_unchanged_images_have_an_area_of_a_half_and_areas_grow_with_the_change() -> None:
    inside, reference = slice(0, 100), slice(100, 300)
    tables = [toy(inside, degree) for degree in (0.0, 1.0, 3.0, 9.0)]
    found = {c.key: c for c in curves(toy(reference), toy(inside), tables, alpha=0.05)}
    assert set(found) == {"elbo", "llr_1", "llr_2", "llr_ada", "path", VERDICT}
    for curve in found.values():
        assert curve.auroc[0] == 0.5
    assert list(found["elbo"].auroc) == sorted(found["elbo"].auroc) and found["elbo"].auroc[-1] == 1
    assert found["elbo"].flagged[-1] == found[VERDICT].flagged[-1] == 1
    assert found[VERDICT].auroc[-1] > 0.95
    # P(X + 3 > Y) of normal scores of deviation 1, as -L has here
    assert found["elbo"].auroc[2] == pytest.approx(0.983, abs=0.015)
    # LLR>k = L - L>k falls by what L falls: none of it is seen
    assert found["llr_1"].auroc[-1] < 0.5
    # The path stands there as it has a say in the verdict, and both are those of one image.
    known, after = toy(reference), tables[2]
    standard = standard_of(known, 0.05)
    out = [verdict(standard.joint, row, 0.05).out for row in standard.read(after)]
    assert found[VERDICT].flagged[2] == np.mean(out)
    assert found["path"].flagged[2] == np.mean(
        conformal_p_values(standard.scores[:, -1], standard.read(after)[:, -1]) <= 0.05
    )
    few = curves(toy(slice(100, 200)), toy(inside), tables[:1], alpha=0.05)
    assert "path" not in {curve.key for curve in few}
    order = RNG.permutation(100)
    mixed = [
        replace(t, **{c: getattr(t, c)[order] for c in ("bound", "iw", "nll", "kl")})
        for t in tables
    ]
    for again in curves(toy(reference), toy(inside), mixed, alpha=0.05):
        # an area may end in half of the last digit kept, which is rounded either way
        assert again.auroc == pytest.approx(found[again.key].auroc, abs=1.01e-4)
        assert again.flagged == found[again.key].flagged


def test_first_seen_is_where_a_curve_stays_above() -> None:
    areas = {"always": (0.8, 0.8, 0.8), "late": (0.8, 0.7, 0.9), "never": (0.9, 0.9, 0.6)}
    change = Change("blur", (0.0, 1.0, 2.0), tuple(Curve(k, a, a) for k, a in areas.items()))
    assert first_seen(change) == {"always": 0.0, "late": 2.0, "never": None}


def test_what_ships_is_of_checkpoints_that_ship() -> None:
    paths = sorted(SHIPPED.glob("*.json"))
    assert paths
    for path in paths:
        info = inspect_checkpoint(shipped_checkpoints()[path.stem])
        found = shipped(path.stem, info.digest)
        assert found is not None and shipped(path.stem, "0" * 64) is None
        assert found.checkpoint == path.stem and path.stem in found.command
        for change in found.changes:
            assert change.degrees == LADDERS[change.name].degrees
            for curve in change.curves:
                assert curve.auroc[0] == 0.5
                assert len(curve.auroc) == len(curve.flagged) == len(change.degrees)


def test_charts_have_a_line_a_score_and_their_axes() -> None:
    areas = {"elbo": (0.5, 0.7), "llr_1": (0.5, 0.9), "llr_2": (0.5, 0.6), VERDICT: (0.5, 0.8)}
    areas["path"] = (0.5, 0.95)
    shares = dict.fromkeys(areas, (5.0, 40.0))
    one = degree_curves((0, 8), areas, LIGHT, x_title="blur (pixels)", y_title="AUROC", chance=0.5)
    assert len(one.data) == 5 and one.layout.xaxis.title.text == "blur (pixels)"
    assert len({(trace.line.color, trace.line.dash) for trace in one.data}) == 5
    both = every_change([("a", (0, 8), areas, shares), ("b", (0, 8), areas, shares)], LIGHT, 0.05)
    assert len(both.data) == 20 and sum(bool(trace.showlegend) for trace in both.data) == 5


def test_the_command_writes_what_it_can_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(LADDERS, "contrast", replace(LADDERS["contrast"], degrees=(0, 50)))
    out = tmp_path / "shift.json"
    argv = ["shift", "glyphs-hvae3-elbo", "--changes", "contrast", "--limit", "3"]
    assert main([*argv, "--out", str(out), "--json"]) == 0
    found: ByDegree = from_json(ByDegree, out.read_text())
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(asdict(found)))
    assert found.images == 3 and [change.name for change in found.changes] == ["contrast"]
    assert {curve.auroc[0] for curve in found.changes[0].curves} == {0.5}
    assert found.command == "python -m hvae_core " + " ".join(argv)
    with pytest.raises(ConfigError, match="not valid"):
        from_json(ByDegree, out.read_text().replace("0.5", "5.5", 1))
