from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hvae_core.cli.report import print_report
from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.detection.metrics import detect
from hvae_core.detection.report import Report, report
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
from hvae_core.scores import Material, Score, all_scores, get_score, registry, score_list

UNITS = (20, 4, 2)


def evaluation(
    name: str,
    n: int,
    *,
    shift: float = 0.0,
    nll: float = 90.0,
    checkpoint: str = "c" * 64,
    settings: EvalSettings | None = None,
) -> Evaluation:
    """Bounds of N made-up images: L_>k falls with k, and by ``shift`` for images further out."""
    draw = np.random.default_rng(n)
    elbo = -100 - shift + draw.normal(0, 5, n)
    bound = np.stack([elbo, elbo - 10 - shift, elbo - 15 - 2 * shift], axis=1)
    kl = np.tile([8.0, 2.0, 0.001], (n, 1))
    losses = np.tile([nll, nll + 5, nll + 20], (n, 1))
    chosen = settings or EvalSettings()
    return Evaluation(
        checkpoint,
        name,
        "d" * 64,
        settings=chosen,
        table=BoundTable(bound, bound + 1, losses, kl=kl, dims=64, samples=chosen.samples),
        labels=np.zeros(n, np.int64),
        class_names=("a",),
        unit_variance=tuple(np.linspace(0, 0.02, u) for u in UNITS),
        latents=tuple(np.zeros((n, u), np.float32) for u in UNITS),
        names=("z1", "z2", "z3"),
        levels=("z1", "z2", "z3"),
    )


@pytest.fixture
def found() -> Report:
    return report(evaluation("test", 60), [evaluation("far", 40, shift=20), evaluation("b", 90)], 3)


def test_detections_are_those_of_the_metrics_on_equal_numbers(found: Report) -> None:
    score = get_score("llr_2", 3)
    inside, outside = evaluation("test", 60), evaluation("far", 40, shift=20)
    assert found.outside[0].detections["llr_2"] == detect(
        score(inside.table), score(outside.table), 3
    )
    assert found.outside[0].detections["llr_2"].n_in == 40
    assert found.outside[0].detections["llr_1"].auroc == 1.0
    assert list(found.outside[0].detections) == [score.key for score in found.scores]


def test_figures_by_layer_and_k(found: Report) -> None:
    inside = found.inside
    assert inside.kl == pytest.approx((8.0, 2.0, 0.001))
    assert inside.kl_per_dim == pytest.approx((0.4, 0.5, 0.0005))
    assert inside.collapsed == (3,)
    assert inside.active_units == (10, 2, 1)  # the upper half of an even ramp to 0.02
    assert found.units == UNITS
    per_bit = 64 * np.log(2)
    mean = evaluation("test", 60).table.bound.mean(0)
    assert inside.bound_bits == pytest.approx(tuple(-mean / per_bit))
    assert inside.iw_bits == pytest.approx(tuple(-(mean + 1) / per_bit))
    assert inside.nll_bits == pytest.approx((90 / per_bit, 95 / per_bit, 110 / per_bit))
    assert not inside.detections
    assert not inside.unavailable


def test_a_score_that_cannot_be_had_is_listed_with_its_reason() -> None:
    made = report(evaluation("test", 30), [evaluation("odd", 30, nll=-3.0)])
    odd = made.outside[0]
    assert set(odd.unavailable) == {"llr_optk"}  # the adaptive one never divides by NLL_0
    assert "above zero" in odd.unavailable["llr_optk"]
    assert "llr_1" in odd.detections


def test_a_set_of_one_image_has_reasons_for_every_score() -> None:
    made = report(evaluation("test", 30), [evaluation("one", 1)])
    assert not made.outside[0].detections
    assert set(made.outside[0].unavailable) == {score.key for score in made.scores}


def test_rows_and_json_say_the_same(found: Report) -> None:
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [layer["units"] for layer in told["layers"]] == list(UNITS)
    assert told["in"]["name"] == "test"
    for row in found.rows():
        result = next(r for r in told["out"] if r["name"] == row["set"])
        assert result["detections"][row["score"]]["auroc"] == row["auroc"]
    assert len(found.rows()) == 2 * len(found.scores)


def test_sampling_errors_are_means_over_images(
    found: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found.inside.errors == {}
    print_report(found, {})
    assert "not recorded in these results" in capsys.readouterr().out
    known = evaluation("test", 30)
    errors = np.arange(90.0).reshape(30, 3)
    table = replace(known.table, bound_error=errors, ratio_error=np.full((30, 3), np.nan))
    made = report(replace(known, table=table), [evaluation("far", 30)])
    assert made.inside.errors == {"bound_error": tuple(errors.mean(0))}
    print_report(made, {})
    told = capsys.readouterr().out
    assert "Monte-Carlo standard error of one image" in told
    assert "43.50" in told
    assert "(bootstrap) within" in told


def test_numbers_that_are_not_finite_become_none() -> None:
    broken = evaluation("test", 30)
    broken.table.nll[0, 0] = np.nan
    told = report(broken, [evaluation("far", 30)]).to_dict()
    assert told["in"]["nll_bits"][0] is None
    json.dumps(told, allow_nan=False)


@pytest.mark.parametrize(
    "other",
    [
        evaluation("x", 5, checkpoint="e" * 64),
        evaluation("x", 5, settings=EvalSettings(samples=2)),
    ],
)
def test_evaluations_of_different_kinds_are_refused(other: Evaluation) -> None:
    with pytest.raises(ScoreError, match="test and x"):
        report(evaluation("test", 5), [other])


def test_many_layers_are_rows_on_the_command_line(
    found: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    names = (*(f"z{i}" for i in range(1, 13)), "u")
    results = [
        replace(r, kl=(9.0,) * 12 + (0.5,), kl_per_dim=(0.25,) * 13, active_units=(7,) * 13,
                collapsed=(1, 2, 3, 4, 5))
        for r in found.results
    ]  # fmt: skip
    deep = replace(found, names=names, units=(36,) * 13, inside=results[0],
                   outside=tuple(results[1:]))  # fmt: skip
    print_report(deep, {"test": "Letters", "far": "Far", "b": "B"})
    text = capsys.readouterr().out
    rows = [line.split() for line in text.splitlines() if line.strip().startswith(names)]
    assert [row[0] for row in rows] == list(names)
    assert rows[-1][1:5] == ["36", "0.50", "(0.2500),", "7"]
    assert max(map(len, text.splitlines())) <= 120
    assert "under 0.01 nats a unit): z1 to z5." in text


def highest_bound(material: Material) -> Floats:
    """-max_k L_{>k} in nats, (N,): a score that only this file has."""
    return np.asarray(-material.table.bound.max(axis=1))


def test_a_new_score_is_one_function_and_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Score(
        key="highest",
        name="negative highest bound",
        symbol=r"-\max_k \mathcal{L}_{>k}",
        citation="this file",
        family="bound",
        function=highest_bound,
    )
    monkeypatch.setattr(registry, "SCORES", (*registry.SCORES, lambda _levels, _layers: (entry,)))
    inside, outside = evaluation("test", 60), evaluation("far", 40, shift=5)
    scores = [get_score(key, 3) for key in ("elbo", "highest")]
    assert scores[1] is all_scores(3)[-1] and entry not in score_list(3)
    detections = report(inside, [outside], 3, scores=scores).outside[0].detections
    assert list(detections) == ["elbo", "highest"]
    assert detections["highest"] == detections["elbo"]  # no bound is above L_{>0} here
