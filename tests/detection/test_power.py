"""Rules beside each other: what they read, and that each keeps its promise."""

from __future__ import annotations

import numpy as np
import pytest

from hvae_core.detection.conformal import conformal_p_values
from hvae_core.detection.metrics import auroc
from hvae_core.detection.power import RULES, Rule, power
from hvae_core.detection.standard import verdict_scores
from hvae_core.detection.verdict import judge
from hvae_core.scores import Material, get_score
from tests.detection.test_verdict import LEVELS, UNITS, table

BY_KEY = {rule.key: rule for rule in RULES}


def test_rules_read_the_scores_that_they_name() -> None:
    known, new = verdict_scores(table(99)), verdict_scores(table(30, seed=3))
    for key, column in (("elbo", 0), ("llr_1", 1)):
        alone = conformal_p_values(known[:, column], new[:, column])
        np.testing.assert_array_equal(BY_KEY[key].p_values(known, new), alone)
    # the ratios do not see the likelihood, and the others do
    moved = new + np.array([[500.0, 0, 0]])
    for rule in RULES:
        if rule.path:
            continue
        same = np.array_equal(rule.p_values(known, new), rule.p_values(known, moved))
        assert same == (rule.key in ("ratios", "llr_1"))
    # a model of one level has the bound alone
    np.testing.assert_array_equal(
        BY_KEY["ratios"].p_values(known[:, :1], new[:, :1]),
        BY_KEY["elbo"].p_values(known, new),
    )


def test_the_verdict_is_the_rule_that_was_chosen() -> None:
    reference, images = table(99), table(12, seed=4)
    p = BY_KEY["harmonic_both"].p_values(verdict_scores(reference), verdict_scores(images))
    for row, expected in enumerate(p):
        judged = judge(images.take([row]), reference, UNITS, levels=LEVELS, alpha=0.1)
        assert judged.verdict.p_value == expected


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.key)
def test_power_counts_what_is_called_out(rule: Rule) -> None:
    reference, test, far = table(199), table(150, seed=1), table(50, seed=2, layers=3)
    (found,) = power(reference, test, {"far": far}, [rule], alpha=0.1)
    known = rule.held_out(reference)
    p_test, p_far = (rule.p_values(known, rule.read(reference, each)) for each in (test, far))
    assert len(known) == (99 if rule.path else 199)
    assert found.caught["far"] == np.mean(p_far <= 0.1)
    assert found.areas["far"] == pytest.approx(auroc(-p_test, -p_far))
    assert found.test == tuple(np.mean(p_test <= rate) for rate in (0.01, 0.05, 0.1))
    # halves of made-up images are drawn alike: no more alarms than chance explains
    assert all(h <= rate + 0.03 for h, rate in zip(found.halves, (0.01, 0.05, 0.1), strict=True))


def test_a_density_is_ranked_among_images_that_it_was_not_fitted_to() -> None:
    """Else images that it has seen look more usual than they are, and alarms exceed their rate."""
    reference, test = table(99), table(12, seed=4)
    known = BY_KEY["path"].held_out(reference)
    fitted = Material(reference.take(np.arange(1, 99, 2)), held_out=Material(
        reference.take(np.arange(0, 99, 2))))  # fmt: skip
    np.testing.assert_allclose(known[:, -1], get_score("path", 3)(fitted), rtol=1e-9)
    read = BY_KEY["path"].read(reference, test)
    np.testing.assert_array_equal(read[:, :-1], verdict_scores(test))
    alone = conformal_p_values(known[:, -1], read[:, -1])
    np.testing.assert_array_equal(BY_KEY["path"].p_values(known, read), alone)
