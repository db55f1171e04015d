"""Which of two scores, or two checkpoints, tells sets apart better, by paired tests.

Pure arithmetic on what scores read; the command line and the page call the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hvae_core.common.errors import ScoreError
from hvae_core.common.words import fmt, interval
from hvae_core.detection.metrics import Contest, Floats, contest, holm
from hvae_core.scores import Material, Score, richest

if TYPE_CHECKING:  # evaluations are made with torch; reading them takes none
    from hvae_core.evaluation.evaluation import Evaluation


@dataclass(frozen=True, eq=False)
class Side:
    """The scores of one checkpoint: ``values(score, set)``, by the names of the sets.

    ``digests`` are those of the pixels, the in-distribution set under "", its name here.
    """

    values: Callable[[Score, str], Floats]
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
            mine, one = own.get(score.key, score), sets[name]
            return mine(richest(mine, (materials or {}).get(one.set_name, (Material.of(one),))))

        digests = {name: found.set_digest for name, found in sets.items()}
        return cls(values, tuple(out.set_name for out in outs), digests)


@dataclass(frozen=True)
class Entry:
    """One test: ``first`` against ``second`` are keys of scores, the same for two checkpoints.

    ``corrected`` is the p-value after Holm's correction for all tests of the list.
    """

    set_name: str
    first: str
    second: str
    result: Contest
    corrected: float


def between_scores(
    side: Side, scores: Sequence[Score], against: Score, seed: int = 0
) -> tuple[Entry, ...]:
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
    return _entries(pairs, seed)


def between_models(
    one: Side, other: Side, scores: Sequence[Score], seed: int = 0
) -> tuple[Entry, ...]:
    """Every score under one checkpoint against the same score under another, set by set.

    ScoreError where a set's pixels differ: a paired test needs the same images.
    """
    shared = [name for name in one.outs if name in other.outs]
    wrong = [name for name in ("", *shared) if one.digests[name] != other.digests[name]]
    if wrong:
        names = ", ".join(name or "the in-distribution set" for name in wrong)
        raise ScoreError(
            f"The two checkpoints rated different images ({names}); a paired test needs models of "
            "one image shape on the same sets."
        )
    pairs = [(name, score, score, one, other) for name in shared for score in scores]
    return _entries(pairs, seed)


def in_words(entry: Entry, first: str, second: str, alpha: float = 0.05) -> str:
    """What a test says, with both named for people; no claim without a corrected p-value."""
    found = entry.result
    gap = f"by {interval(found.difference, found.low, found.high)}, {_p(entry.corrected)}"
    if entry.corrected > alpha:
        return f"Between {first} and {second} no difference is certain (AUROC apart {gap})."
    better, worse = (first, second) if found.difference > 0 else (second, first)
    return f"{better} is better than {worse} (AUROC apart {gap})."


def _p(value: float) -> str:
    return "p < 0.0001" if value < 1e-4 else f"p = {fmt(value)}"


def _entries(pairs: Sequence[tuple[str, Score, Score, Side, Side]], seed: int) -> tuple[Entry, ...]:
    found: list[tuple[str, str, str, Contest]] = []
    problem = ""
    for name, first, second, one, other in pairs:
        try:
            result = contest(_pair(first, one, name), _pair(second, other, name), seed)
            found.append((name, first.key, second.key, result))
        except ScoreError as error:
            problem = str(error)
    if problem and not found:
        raise ScoreError(problem)
    corrected = holm([result.p_value for *_, result in found])
    return tuple(Entry(*test, p) for test, p in zip(found, corrected, strict=True))


def _pair(score: Score, side: Side, name: str) -> tuple[Floats, Floats]:
    return side.values(score, ""), side.values(score, name)
