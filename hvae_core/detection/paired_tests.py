"""Which of two scores, or two checkpoints, tells sets apart better, by paired tests.

Pure arithmetic on what scores read; the command line and the page call the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.common.words import fmt, interval
from hvae_core.detection.metrics import Contest, contest, holm
from hvae_core.detection.set_values import counted_of, values_of
from hvae_core.scores import Material, Score

if TYPE_CHECKING:  # evaluations are made with torch; reading them takes none
    from hvae_core.evaluation.evaluation import Evaluation


@dataclass(frozen=True, eq=False)
class Side:
    """The scores of one checkpoint: ``values(score, set)``, by the names of the sets.

    ``counted(score, set)`` says which of them count (``set_values.counted_of``). ``digests`` are
    those of the pixels, the in-distribution set under "", its name here.
    """

    values: Callable[[Score, str], Floats]
    counted: Callable[[Score, str], NDArray[np.bool_]]
    outs: tuple[str, ...]
    digests: Mapping[str, str]

    @classmethod
    def of(
        cls,
        inside: Evaluation,
        outs: Sequence[Evaluation],
        materials: Mapping[str, Sequence[Material]] | None = None,
        scores: Sequence[Score] = (),
    ) -> Side:
        """Finished evaluations of one checkpoint.

        ``materials`` are those of ``report``; without them there are the scores of the bounds.
        ``scores`` are this checkpoint's own: a key may read another layer in another model.
        """
        sets = {"": inside, **{out.set_name: out for out in outs}}
        own = {score.key: score for score in scores}

        def values(score: Score, name: str) -> Floats:
            return values_of(own.get(score.key, score), sets[name], materials or {})

        def counted(score: Score, name: str) -> NDArray[np.bool_]:
            return counted_of(own.get(score.key, score), sets[name], materials or {})

        digests = {name: evaluation.set_digest for name, evaluation in sets.items()}
        return cls(values, counted, tuple(out.set_name for out in outs), digests)


@dataclass(frozen=True)
class PairedTest:
    """One test: ``first`` against ``second`` are keys of scores, the same for two checkpoints.

    ``corrected`` is the p-value after Holm's correction for all tests of the list.
    """

    set_name: str
    first: str
    second: str
    result: Contest
    corrected: float


def between_scores(
    side: Side, scores: Sequence[Score], against: Score, *, seed: int = 0
) -> tuple[PairedTest, ...]:
    """Every score against one of them, set by set (paired DeLong test; Holm over all).

    A score that cannot be had on a set, or is known for fewer of its images, is left out there;
    ScoreError where ``against`` cannot.
    """
    pairs = [
        (name, score, against, side, side)
        for name in side.outs
        for score in scores
        if score.key != against.key
    ]
    return _tested(pairs, seed)


def between_models(
    first: Side, second: Side, scores: Sequence[Score], *, seed: int = 0
) -> tuple[PairedTest, ...]:
    """Every score under one checkpoint against the same score under another, set by set.

    ScoreError where a set's pixels differ: a paired test needs the same images.
    """
    shared = [name for name in first.outs if name in second.outs]
    wrong = [name for name in ("", *shared) if first.digests[name] != second.digests[name]]
    if wrong:
        names = ", ".join(name or "the in-distribution set" for name in wrong)
        raise ScoreError(
            f"The two checkpoints rated different images ({names}); a paired test needs models of "
            "one image shape on the same sets."
        )
    pairs = [(name, score, score, first, second) for name in shared for score in scores]
    return _tested(pairs, seed)


def in_words(test: PairedTest, first: str, second: str, alpha: float = 0.05) -> str:
    """What a test says, with both named for people; no claim without a corrected p-value."""
    result = test.result
    gap = f"by {interval(result.difference, result.low, result.high)}, {_p(test.corrected)}"
    if test.corrected > alpha:
        return f"Between {first} and {second} no difference is certain (AUROC apart {gap})."
    better, worse = (first, second) if result.difference > 0 else (second, first)
    return f"{better} is better than {worse} (AUROC apart {gap})."


def _p(value: float) -> str:
    return "p < 0.0001" if value < 1e-4 else f"p = {fmt(value)}"


def _tested(
    pairs: Sequence[tuple[str, Score, Score, Side, Side]], seed: int
) -> tuple[PairedTest, ...]:
    """A test a pair: of a set, the scores compared, and whose scores they are."""
    tests: list[tuple[str, str, str, Contest]] = []
    problem = ""
    for name, first, second, first_side, second_side in pairs:
        try:
            inside = _of_the_same(("", first, first_side), ("", second, second_side))
            outside = _of_the_same((name, first, first_side), (name, second, second_side))
            result = contest((inside[0], outside[0]), (inside[1], outside[1]), seed)
            tests.append((name, first.key, second.key, result))
        except ScoreError as error:
            problem = str(error)
    if problem and not tests:
        raise ScoreError(problem)
    corrected = holm([result.p_value for *_, result in tests])
    return tuple(PairedTest(*test, p) for test, p in zip(tests, corrected, strict=True))


def _of_the_same(
    first: tuple[str, Score, Side], second: tuple[str, Score, Side]
) -> tuple[Floats, Floats]:
    """Two scores of the images of a set that count for both, which a paired test needs."""
    values, counted = [], []
    for name, score, side in (first, second):
        values.append(side.values(score, name))
        counted.append(side.counted(score, name))
    if len(values[0]) != len(values[1]):
        return values[0], values[1]  # which the test refuses, and says why
    both = counted[0] & counted[1]
    return values[0][both], values[1][both]
