"""``contest``: is one score, or one checkpoint, better than another on the same images?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from rich.text import Text

from hvae_core.cli import show
from hvae_core.cli.evaluate import evaluate_sets
from hvae_core.cli.options import (
    PARTS,
    BoundOptions,
    CheckpointName,
    DataOptions,
    Json,
    SetOptions,
    kept,
    option,
)
from hvae_core.cli.score_options import ScoreOptions
from hvae_core.common.errors import ScoreError
from hvae_core.common.words import area, p_value

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.detection.paired_tests import PairedTest, Side
    from hvae_core.scores import Score


@kept(PARTS)
def contest(
    name: CheckpointName,
    other: Annotated[str | None, option("a second checkpoint of the same world")] = None,
    /,
    *,
    against: Annotated[
        str, option("with one checkpoint, the score that the others are held against", "KEY")
    ] = "elbo",
    sets: SetOptions = SetOptions(),
    bounds: BoundOptions = BoundOptions(),
    scores: ScoreOptions = ScoreOptions(),
    data: DataOptions = DataOptions(),
    as_json: Json = False,
) -> None:
    """Paired tests between scores, or between two checkpoints, on the same images.

    Test whether one AUROC is larger than another on the same images: with one checkpoint every
    score against a chosen one, with two checkpoints each score of the first against the same score
    of the second.

    Examples:
      python -m hvae_core contest fashion-hvae3-elbo
          every score against -L, on every set of the world

      python -m hvae_core contest glyphs-hvae3-elbo --against llr_1 --out lower signs
      python -m hvae_core contest glyphs-hvae3-elbo --against llr_1 --scores typicality complexity
          scores that read more than the bounds (`scores` lists all of them)

      python -m hvae_core contest glyphs-hvae3-elbo glyphs-hvae3-freebits --scores llr_1
          the same score under two checkpoints

    The difference of two AUROCs comes with its 95 % interval and the p-value of the paired test of
    DeLong et al. 1988: both scores rate the same images, and what they have in common cancels. The
    last column is p after Holm's correction for all tests that are listed; at most 0.05 is bold.
    """
    from hvae_core.detection.paired_tests import Side, between_models, between_scores
    from hvae_core.door import load_checkpoint

    names = [name, *([other] if other else [])]
    checkpoints = [load_checkpoint(each) for each in names]
    needed = None if other else against
    # Before anything is computed, so that a misspelt one is told at once.
    score_lists = [_scores(scores, checkpoint, needed) for checkpoint in checkpoints]
    sides: list[Side] = []
    titles: dict[str, str] = {}
    missing: dict[str, str] = {}
    with show.progress_bar() as bar:
        for checkpoint, read in zip(checkpoints, score_lists, strict=True):
            evaluated = evaluate_sets(
                checkpoint, read, sets=sets, bounds=bounds, scores=scores, data=data, progress=bar
            )
            inside, *outside = evaluated.evaluations
            sides.append(Side.of(inside, outside, evaluated.materials, scores=read))
            titles = {spec.name: spec.title for spec in evaluated.sets.world.sets} | titles
            missing = evaluated.missing | missing
    shared = {score.key for score in score_lists[-1]}
    tested = [score for score in score_lists[0] if score.key in shared]
    if other:
        entries = between_models(sides[0], sides[1], tested, seed=bounds.seed)
        heads: tuple[str, ...] = ("set", "score", "A", "B")
        title = f"AUROC of the same score, A: {name}, B: {other}"
    else:
        rival = next(score for score in tested if score.key == against)
        entries = between_scores(sides[0], tested, rival, seed=bounds.seed)
        heads = ("set", "score", "its AUROC", f"that of {against}")
        title = f"AUROC of every score against {against}, {name}"
    if not entries:
        raise ScoreError(
            "There is nothing to test: name a score other than that of --against with --scores, "
            "and a set with --out."
        )
    untested = _untested(sides, tested, entries)
    for key, reason in untested.items() if scores.named else ():
        show.lacking(f"{key} could not be tested: {reason}")
    if as_json:
        show.as_json({"checkpoints": names, "tests": [asdict(entry) for entry in entries],
                      "missing": missing, "unavailable": untested})  # fmt: skip
        return
    heads = (*heads, "difference, 95 % interval", "images", "p", "p, Holm")
    show.table(f"{title}; paired DeLong test", heads, _rows(entries, titles), left=2)
    if not scores.named:  # else it is told at the end
        for key, reason in untested.items():
            show.say(f"Without {key}: {reason}")
    for set_name, reason in missing.items():
        show.note(f"left out {set_name}: {reason}")


def _scores(scores: ScoreOptions, checkpoint: Checkpoint, against: str | None) -> tuple[Score, ...]:
    """The scores that were asked for, and the score they are held against, if any."""
    from hvae_core.config import level_starts
    from hvae_core.scores import get_score

    listed = scores.chosen(checkpoint)
    if against is None or any(score.key == against for score in listed):
        return listed
    config = checkpoint.config
    rival = get_score(against, len(level_starts(config.levels)), config.latent_names)
    return (rival, *listed)


def _untested(
    sides: Sequence[Side], scores: Sequence[Score], entries: Sequence[PairedTest]
) -> dict[str, str]:
    """Why a score is in no test, by key."""
    tested = {key for entry in entries for key in (entry.first, entry.second)}
    reasons: dict[str, str] = {}
    for score in scores:
        if score.key in tested:
            continue
        for side in sides:
            for name in ("", *side.outs):
                try:
                    side.values(score, name)
                except ScoreError as error:
                    reasons.setdefault(score.key, str(error))
    return reasons


def _rows(entries: Sequence[PairedTest], titles: Mapping[str, str]) -> list[list[str | Text]]:
    rows: list[list[str | Text]] = []
    for entry in entries:
        result = entry.result
        style = "bold" if entry.corrected <= 0.05 else ""
        rows.append(
            [
                titles.get(entry.set_name, entry.set_name),
                entry.first,
                area(result.first),
                area(result.second),
                Text(f"{result.difference:+.3f} [{result.low:+.3f}, {result.high:+.3f}]", style),
                str(result.n),
                p_value(result.p_value),
                Text(p_value(entry.corrected), style),
            ]
        )
    return rows
