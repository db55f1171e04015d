"""One image judged: readings, verdicts, and words that follow from the numbers in every case."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from hvae_core.common.errors import ScoreError
from hvae_core.detection.combine import verdict
from hvae_core.detection.verdict import Judgement, judge, readings
from hvae_core.detection.verdict_words import in_words, needed_references
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.probes.picture_quality import group_losses, pixel_variance
from hvae_core.scores import Material, score_list

UNITS = (8, 4, 2)
LEVELS = ("z1", "z2", "z3")


def table(n: int = 199, seed: int = 0, *, layers: int = 3, collapsed: bool = False) -> BoundTable:
    """Bounds of made-up images: L near -100, each skipped layer costing about 10 nats more."""
    rng = np.random.default_rng(seed)
    cost = np.cumsum(np.abs(rng.normal(10, 1, (n, layers))), axis=1)
    bound = -90 - cost + rng.normal(0, 3, (n, 1))
    kl = np.full((n, layers), 5.0)
    if collapsed:
        kl[:, -1] = 0.0
    return BoundTable(bound, bound, -bound - 5, kl=kl, dims=784, samples=1)


def image(bound: list[float], nll: list[float] | None = None) -> BoundTable:
    row = np.array([bound])
    losses = -row if nll is None else np.array([nll])
    return BoundTable(row, row, losses, kl=np.full(row.shape, 5.0), dims=784, samples=1)


def said(row: BoundTable, alpha: float = 0.05, correction: str = "calibrated", **made: bool) -> str:
    reference = table(**made)
    judged = judge(row, reference, UNITS, levels=LEVELS, alpha=alpha, correction=correction)  # type: ignore[arg-type]
    return " ".join(in_words(judged))


def test_out_with_familiar_strokes() -> None:
    text = said(image([-100, -111, -190]))
    assert text.startswith("Out of distribution at k = 2 (p = 0.0")
    assert re.search(r"details are familiar \(p\(L\) = 0\.\d+\), the whole is not", text)
    assert "p(LLR>2) = 0.005" in text


def test_out_by_a_level_and_by_the_likelihood() -> None:
    text = said(image([-300, -400, -410]))
    assert text.startswith("Out of distribution, equally at k = 1 and 2 (p = ")
    assert "Its likelihood is too low (p(L) = 0.01" in text
    assert (
        "less likely than nearly all held-out images, and the whole is strange at k = 1 and 2"
        in text
    )
    assert "(p(LLR>k) = 0.00500 each)" in text


@pytest.mark.parametrize(("bound", "side"), [(-300.0, "low"), (-20.0, "high")])
def test_out_by_the_likelihood_at_either_end(bound: float, side: str) -> None:
    text = said(image([bound, bound - 10, bound - 20]))
    assert text.startswith(f"Out of distribution: its likelihood is too {side} (p = 0.0")
    assert f"{'less' if side == 'low' else 'more'} likely than nearly all" in text
    assert "No ratio is unusual. At its strangest, k = " in text


def test_out_at_a_level_under_collapsed_layers_does_not_speak_of_shape() -> None:
    text = said(image([-100, -111, -190]), collapsed=True)
    assert "at k = 2" in text
    assert "its shape" not in text
    assert "z3 is collapsed: at k = 2 the model sees no shape" in text


def test_in_says_how_strange_it_is_at_most() -> None:
    text = said(image([-100, -110, -120]))
    assert text.startswith("Not flagged at a 5 % false-alarm rate (p = ")
    assert "the whole is familiar at every k" in text
    assert "details are familiar" in text


def test_rare_by_one_score_but_not_after_the_correction() -> None:
    reference = table()
    llr = np.sort(reference.bound[:, 0] - reference.bound[:, 1])
    value = llr[-6]  # six of 199 at least as high: p = 7 / 200
    low = np.sort(reference.bound[:, 0])[1]  # p = 2 * 3 / 200
    for row, told in (
        (
            [-100.0, -100.0 - value, -120.0],
            "The ratio at k = 1 alone would flag it (p(LLR>1) = 0.0350), but",
        ),
        (
            [low, low - 10, low - 20],
            "Its likelihood alone would flag it as too low (p(L) = 0.0300)",
        ),
        (
            [low, low - value, low - 20],
            "and the ratio at k = 1 (p(LLR>1) = 0.0350) would each flag it alone",
        ),
    ):
        judged = judge(
            image(list(row)), reference, UNITS, levels=LEVELS, alpha=0.05, correction="bonferroni"
        )
        text = " ".join(in_words(judged))
        assert text.startswith("Not flagged")
        assert told in text
        assert "not after the correction for having looked at 3 scores" in text


def test_a_path_that_would_flag_too_is_said_beside_any_other() -> None:
    for layers in (1, 3):
        reference = table(400, layers=layers)
        levels, row = LEVELS[:layers], image([-100.0, -110.0, -120.0][:layers])
        judged = judge(row, reference, UNITS[:layers], levels=levels, alpha=0.05)
        p_values = np.array([0.03, *[0.5] * (layers - 1), 0.04])
        found = replace(judged.verdict, out=False, p_value=0.06, place=0, p_values=p_values)
        _, why = in_words(replace(judged, verdict=found, k=0))
        assert why.endswith(
            " Its path through the levels alone would flag it too (p(path) = 0.0400), but not "
            "after that correction either."
        )
        assert ("so only the likelihood and the path could" in why) == (layers == 1)


def test_what_ties_is_said_together() -> None:
    reference = table(400)
    judged = judge(image([-100, -110, -120]), reference, UNITS, levels=LEVELS, alpha=0.05)
    for p_values, where, ks in (
        (
            [0.01, 0.005, 0.005, 0.005],
            "at k = 1 and 2 and by its path through the levels",
            (1, 2),
        ),
        ([0.01, 0.01, 0.2, 0.5], "by its likelihood (too low) and at k = 1", (0, 1)),
        ([0.01, 0.2, 0.3, 0.01], "by its likelihood (too low) and by its path through", (0,)),
    ):
        p = np.array(p_values)
        found = replace(judged.verdict, out=True, p_value=0.02, p_values=p, place=int(p.argmin()))
        tie = replace(judged, verdict=found, k=ks[0], level=1, side="low")
        headline, why = in_words(tie)
        assert headline.startswith(f"Out of distribution, equally {where}")
        assert tie.ks == ks
        assert ("Its path through the levels is just as unusual" in why) == ("path" in where)
    few = replace(found, out=False, possible=False, p_values=np.array([0.5, 0.5, 0.5, 0.5]))
    _, why = in_words(replace(judged, verdict=few))
    assert (
        "the likelihood, the ratios at k = 1 and 2 and the path through the levels, p = 0.500"
        in why
    )


def test_together_rare_where_no_score_is_alone() -> None:
    """Such an image is hard to find: the combination is then rarer than each of its parts."""
    judged = judge(image([-100, -110, -120]), table(), UNITS, levels=LEVELS, alpha=0.05)
    found = replace(judged.verdict, out=True, p_value=0.05, p_values=np.array([0.08, 0.06, 0.07]))
    headline, why = in_words(replace(judged, verdict=found, k=1, level=1))
    assert headline == "Out of distribution (p = 0.0500)"
    assert why.startswith("No score alone is that rare, but together they are: p(L) = 0.0800, and")


@pytest.mark.parametrize(
    ("correction", "alpha", "needed"),
    [("calibrated", 0.001, 999), ("bonferroni", 0.001, 2999), ("bonferroni", 0.01, 299)],
)
def test_a_reference_too_small_says_how_many_it_takes(
    correction: str, alpha: float, needed: int
) -> None:
    judged = judge(
        image([-100, -111, -190]),
        table(99),
        UNITS,
        levels=LEVELS,
        alpha=alpha,
        correction=correction,
    )  # type: ignore[arg-type]
    headline, why = in_words(judged)
    assert headline == f"No verdict at {100 * alpha:g} % false alarms: the reference is too small"
    assert f"Among 99 reference images no image can be rare enough; it takes {needed}," in why
    assert needed_references(judged) == needed
    scores = np.random.default_rng(0).normal(size=(needed, 3))
    far = np.full(3, 99.0)
    assert verdict(scores, far, alpha, correction=correction).possible  # type: ignore[arg-type]
    assert not verdict(scores[1:], far, alpha, correction=correction).possible  # type: ignore[arg-type]


def test_one_layer_is_judged_by_its_bound() -> None:
    judged = judge(image([-300.0]), table(layers=1), (8,), levels=("z1",), alpha=0.05)
    headline, why = in_words(judged)
    assert headline == "Out of distribution: its likelihood is too low (p = 0.0100)"
    assert "one layer" in why
    few = judge(image([-300.0]), table(38, layers=1), (8,), levels=("z1",), alpha=0.05)
    assert not few.verdict.possible
    assert needed_references(few) == 39
    enough = judge(image([-300.0]), table(39, layers=1), (8,), levels=("z1",), alpha=0.05)
    assert enough.verdict.out


def test_no_word_contradicts_a_number() -> None:
    """Over many images of every kind the sentence agrees with the verdict and its p-values."""
    rng = np.random.default_rng(1)
    for trial in range(300):
        steps = np.abs(rng.normal(10, 6, 3)).cumsum()
        row = image(list(-90 - steps + rng.normal(0, 30)))
        alpha = float(rng.choice([0.001, 0.01, 0.05, 0.1]))
        correction = "bonferroni" if trial % 2 else "calibrated"
        judged = judge(row, table(199), UNITS, levels=LEVELS, alpha=alpha, correction=correction)  # type: ignore[arg-type]
        _agrees(judged, " ".join(in_words(judged)))


def _agrees(judged: Judgement, text: str) -> None:
    found = judged.verdict
    assert found.place == int(np.argmin(found.p_values))
    assert text.startswith("No verdict") == (not found.possible)
    assert text.startswith("Out of distribution") == found.out
    if not found.possible:
        return
    rare = judged.p_bound <= found.alpha
    assert not ("details are familiar" in text and rare)
    assert not (f"too {judged.side}" in text and not rare)
    assert ("too high" in text) + ("too low" in text) <= 1
    assert not ("the whole is not" in text and judged.p_level > found.alpha)
    assert not ("at every k" in text and judged.p_level <= found.alpha)
    assert ("No score alone" in text) == (found.out and found.p_values.min() > found.alpha)
    assert "nan" not in text


def test_readings_hold_every_score_against_the_reference() -> None:
    reference = table()
    found = readings(image([-100, -111, -190]), reference)
    assert [reading.score.key for reading in found] == [score.key for score in score_list(3)]
    by_key = {reading.score.key: reading for reading in found}
    assert by_key["llr_2"].value == pytest.approx(90)
    assert by_key["llr_2"].p_value == pytest.approx(1 / 200)
    assert by_key["elbo"].reference is not None
    assert len(by_key["elbo"].reference) == 199


def test_a_score_that_cannot_be_had_says_why_and_the_others_live() -> None:
    found = {
        reading.score.key: reading
        for reading in readings(image([-100, -111, -190], [90, -5, 100]), table())
    }
    assert found["llr_ada"].value is None
    assert "above zero" in found["llr_ada"].reason
    assert found["llr_1"].p_value is not None


def test_without_a_reference_the_scores_stand_alone() -> None:
    found = readings(image([-100, -111, -190]), None)
    assert all(r.value is not None and r.p_value is None and r.reason for r in found)


def test_a_rate_out_of_range_is_refused() -> None:
    with pytest.raises(ScoreError):
        judge(image([-100, -111, -190]), table(), UNITS, levels=LEVELS, alpha=1.5)


def test_group_losses_are_means_by_name() -> None:
    nll = np.array([[100.0, 90.0, 80.0], [150.0, 110.0, 81.0]])
    digits, letters = group_losses(nll, ["Digits", "Digits", "Letters"], [True, True, False], k=1)
    assert (digits.name, digits.out, digits.nll, digits.lost) == ("Digits", True, 130.0, 35.0)
    assert (letters.name, letters.out, letters.nll, letters.lost) == ("Letters", False, 81.0, 1.0)


def test_pixel_variance_is_the_mean_unbiased_variance() -> None:
    draws = np.zeros((2, 1, 2, 2))
    draws[1, 0, 0, 0] = 1.0
    assert pixel_variance(draws) == pytest.approx(0.5 / 4)
    assert pixel_variance(draws[:1]) == 0.0
    assert pixel_variance(np.repeat(draws[1:], 5, axis=0)) == 0.0


def test_bounds_and_ratios_carry_their_sampling_error() -> None:
    row = image([-100, -111, -190])
    assert all(reading.error is None for reading in readings(row, table()))
    told = replace(
        row,
        bound_error=np.array([[0.1, 0.2, 0.3]]),
        iw_error=np.array([[0.4, 0.5, 0.6]]),
        ratio_error=np.array([[0.7, 0.8, np.nan]]),
    )
    errors = {r.score.key: r.error for r in readings(told, table())}
    assert (errors["elbo"], errors["bound_1"], errors["llr_1"]) == (0.1, 0.2, 0.8)
    assert errors["llr_2"] is None  # one draw
    assert errors["llr_ada"] is None
    assert errors == {r.score.key: r.error for r in readings(Material(told), Material(table()))}
