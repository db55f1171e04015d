"""Images that a density is fitted to count in no figure of it, in whatever set they stand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hvae_core.common.errors import ScoreError
from hvae_core.detection.by_image import image_rows
from hvae_core.detection.judged_many import judge_many
from hvae_core.detection.metrics import contest, detect
from hvae_core.detection.paired_tests import Side, between_scores
from hvae_core.detection.report import report
from hvae_core.detection.set_values import unseen_values
from hvae_core.detection.standard import SEEN, standard_of
from hvae_core.detection.verdict import judge
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.scores import Material, get_score
from hvae_core.scores.material import among, fitted_half
from tests.detection.test_report import evaluation

ELBO, PATH = get_score("elbo", 3), get_score("path", 3)


def drawn(n: int, seed: int, digests: bool = False) -> BoundTable:
    rng = np.random.default_rng(seed)
    kl, nll = rng.gamma(4, 1, (n, 3)), 90 + rng.normal(0, 5, (n, 3))
    bound = -nll - kl.sum(axis=1, keepdims=True)
    ids = rng.integers(1, 2**62, n).astype(np.uint64) if digests else None
    return BoundTable(bound, bound + 1, nll, kl=kl, dims=64, samples=1, digests=ids)


def of(name: str, table: BoundTable) -> Evaluation:
    made = evaluation(name, len(table))
    return replace(made, table=table)


HELD_OUT = drawn(240, 1)
FITTED = HELD_OUT.take(fitted_half(HELD_OUT))
IN, HELD, OTHER = of("test", drawn(90, 2)), of("validation", HELD_OUT), of("far", drawn(60, 3))
MATERIALS = {
    one.set_name: (replace(Material.of(one), held_out=Material(FITTED)),)
    for one in (IN, HELD, OTHER)
}
NEW = ~fitted_half(HELD_OUT)


@pytest.mark.parametrize("digests", [False, True])
def test_images_of_another_table_are_found_in_any_order(digests: bool) -> None:
    table = drawn(50, 4, digests=digests)
    rows = np.array([7, 3, 49, 0])
    assert among(table, table.take(rows)).nonzero()[0].tolist() == sorted(rows)
    assert not among(drawn(50, 5, digests=digests), table).any()
    # what is kept is rounded: the terms of the same image differ by that, not by more
    if not digests:
        near = replace(table, bound=table.bound + 1e-3, nll=table.nll - 1e-3)
        assert among(near, table).all()
        assert not among(replace(table, nll=table.nll + 0.1), table).any()


def test_a_report_counts_the_images_that_a_density_is_not_fitted_to() -> None:
    found = report(IN, [HELD, OTHER], 5, scores=[ELBO, PATH], materials=MATERIALS)
    held, far = found.outside
    inside, outside = (PATH(MATERIALS[name][0]) for name in ("test", "validation"))
    assert held.detections["path"] == detect(inside, outside[NEW], 5)
    assert held.detections["elbo"] == detect(ELBO(IN.table), ELBO(HELD_OUT), 5)
    assert held.fitted == {"path": 120} and held.images == 240 and not far.fitted
    told = "Of validation 120 of 240 images count for path: a density is fitted to the others."
    assert found.counted() == told and told in str(found)
    assert not report(IN, [OTHER], 5, scores=[PATH], materials=MATERIALS).counted()
    # also where such images are the in-distribution ones, and where they are all of a set
    turned = report(HELD, [OTHER], 5, scores=[PATH], materials=MATERIALS)
    assert turned.outside[0].detections["path"].n_in == 60 and "validation" in turned.counted()
    known = {**MATERIALS, "far": (replace(MATERIALS["far"][0], held_out=Material(OTHER.table)),)}
    with pytest.raises(ScoreError, match="fitted to every image of far"):
        unseen_values(PATH, OTHER, known)


def test_rows_and_paired_tests_leave_them_out_too() -> None:
    rows = image_rows([IN, HELD], [ELBO, PATH], MATERIALS)[len(IN) :]
    assert [row["path"] is not None for row in rows] == NEW.tolist()
    assert all(row["elbo"] is not None for row in rows)
    (test,) = between_scores(Side.of(IN, [HELD], MATERIALS), [PATH], ELBO, seed=2)
    pairs = [
        (score(MATERIALS["test"][0]), score(MATERIALS["validation"][0])[NEW])
        for score in (PATH, ELBO)
    ]
    assert test.result == contest(pairs[0], pairs[1], 2)


def test_a_verdict_on_one_of_them_says_so() -> None:
    many = judge_many(HELD_OUT, HELD_OUT, 0.05)
    assert (
        many.seen.tolist() == (~NEW).tolist()
        and not judge_many(IN.table, HELD_OUT, 0.05).seen.any()
    )
    for row in (0, 1):
        one = HELD_OUT.take(np.array([row]))
        found = judge(one, HELD_OUT, [4] * 3, levels=["z1", "z2", "z3"], alpha=0.05)
        assert (
            (found.note == SEEN) == bool(standard_of(HELD_OUT, 0.05).seen(one)[0]) == (not NEW[row])
        )
    assert not judge_many(HELD_OUT, HELD_OUT, 0.05, by="bounds").seen.any()
