"""``contest``: is one score, or one checkpoint, better than another on the same images?"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from hvae_core.cli import show
from hvae_core.cli.evaluate import add_sets, choose_sets, evaluate_all, score_materials
from hvae_core.cli.options import (
    Commands,
    add_checkpoint,
    add_command,
    add_data,
    add_json,
    add_settings,
    move,
    settings_of,
)
from hvae_core.cli.score_options import add_scores, chosen_scores
from hvae_core.common.errors import ScoreError

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.detection.paired_tests import PairedTest, Side
    from hvae_core.scores import Score

_EXAMPLES = """\
  python -m hvae_core contest fashion-hvae3-elbo
      every score against -L, on every set of the world

  python -m hvae_core contest glyphs-hvae3-elbo --against llr_1 --out lower signs
  python -m hvae_core contest glyphs-hvae3-elbo --against llr_1 --scores typicality complexity
      scores that read more than the bounds (`scores` lists all of them)

  python -m hvae_core contest glyphs-hvae3-elbo glyphs-hvae3-freebits --scores llr_1
      the same score under two checkpoints

The difference of two AUROCs comes with its 95 % interval and the p-value of the paired test of
DeLong et al. 1988: both scores rate the same images, and what they have in common cancels. The last
column is p after Holm's correction for all tests that are listed; at most 0.05 is bold.
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "contest",
        run,
        summary="paired tests between scores, or between two checkpoints, on the same images",
        description="Test whether one AUROC is larger than another on the same images: with one "
        "checkpoint every score against a chosen one, with two checkpoints each score of the first "
        "against the same score of the second.",
        examples=_EXAMPLES,
        kept="Finished parts are in the cache; the same command continues from there.",
    )
    add_checkpoint(command)
    command.add_argument(
        "other", metavar="OTHER", nargs="?", help="a second checkpoint of the same world"
    )
    command.add_argument(
        "--against", metavar="KEY", default="elbo",
        help="with one checkpoint, the score that the others are held against (default: elbo)",
    )  # fmt: skip
    add_sets(command)
    add_settings(command)
    add_scores(command)
    add_data(command)
    add_json(command)


def run(args: argparse.Namespace) -> None:
    """Evaluate what is not at hand, test, print."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.detection.paired_tests import between_models, between_scores
    from hvae_core.evaluation.lookup import checkpoint_path

    names = [args.checkpoint, *([args.other] if args.other else [])]
    checkpoints = [load_checkpoint(checkpoint_path(name)) for name in names]
    chosen = [_scores(args, checkpoint) for checkpoint in checkpoints]  # misspelt: told at once
    loaded = [_side(args, *pair) for pair in zip(checkpoints, chosen, strict=True)]
    first = loaded[0]
    shared = {score.key for score in chosen[-1]}
    scores = [score for score in chosen[0] if score.key in shared]
    if args.other:
        entries = between_models(first.side, loaded[1].side, scores, args.seed)
        heads = ("set", "score", "A", "B")
        title = f"AUROC of the same score, A: {args.checkpoint}, B: {args.other}"
    else:
        against = next(score for score in scores if score.key == args.against)
        entries = between_scores(first.side, scores, against, args.seed)
        heads = ("set", "score", "its AUROC", f"that of {against.key}")
        title = f"AUROC of every score against {against.key}, {args.checkpoint}"
    if not entries:
        raise ScoreError(
            "There is nothing to test: name a score other than that of --against with --scores, "
            "and a set with --out."
        )
    missing = {name: why for one in reversed(loaded) for name, why in one.missing.items()}
    untested = _untested([one.side for one in loaded], scores, entries)
    if args.json:
        show.as_json({"checkpoints": names, "tests": [asdict(entry) for entry in entries],
                      "missing": missing, "unavailable": untested})  # fmt: skip
        return
    show.table(
        f"{title}; paired DeLong test",
        (*heads, "difference, 95 % interval", "images", "p", "p, Holm"),
        _rows(entries, first.titles),
        left=2,
    )
    for key, reason in untested.items():
        show.say(f"Without {key}: {reason}")
    for name, reason in missing.items():
        show.note(f"left out {name}: {reason}")


@dataclass(frozen=True)
class _Loaded:
    """The scores of a checkpoint, titles of its sets, and what is not here, with the reason."""

    side: Side
    titles: Mapping[str, str]
    missing: Mapping[str, str]


def _scores(args: argparse.Namespace, checkpoint: Checkpoint) -> tuple[Score, ...]:
    """The scores that were asked for, with the one that they are held against."""
    from hvae_core.config import level_starts
    from hvae_core.scores import get_score

    chosen = chosen_scores(args, checkpoint)
    if args.other or any(score.key == args.against for score in chosen):
        return chosen
    config = checkpoint.config
    against = get_score(args.against, len(level_starts(config.levels)), config.latent_names)
    return (against, *chosen)


def _side(args: argparse.Namespace, checkpoint: Checkpoint, scores: Sequence[Score]) -> _Loaded:
    """Evaluate what is not at hand, and all that the scores read."""
    from hvae_core.detection.paired_tests import Side

    world, in_name, out_names = choose_sets(args, checkpoint)
    move(checkpoint, args.device)
    found = evaluate_all(args, checkpoint, world, [in_name, *out_names], settings_of(args))
    materials = score_materials(args, checkpoint, world, found, scores)
    titles = {spec.name: spec.title for spec in world.sets}
    side = Side.of(found.evaluations[0], found.evaluations[1:], materials, scores)
    return _Loaded(side, titles, found.missing)


def _untested(
    sides: Sequence[Side], scores: Sequence[Score], entries: Sequence[PairedTest]
) -> dict[str, str]:
    """Why a score is in no test, by key."""
    tested = {key for entry in entries for key in (entry.first, entry.second)}
    found: dict[str, str] = {}
    for score in scores:
        if score.key in tested:
            continue
        for side in sides:
            for name in ("", *side.outs):
                try:
                    side.values(score, name)
                except ScoreError as error:
                    found.setdefault(score.key, str(error))
    return found


def _rows(entries: Sequence[PairedTest], titles: Mapping[str, str]) -> list[list[str | Text]]:
    rows: list[list[str | Text]] = []
    for entry in entries:
        found = entry.result
        style = "bold" if entry.corrected <= 0.05 else ""
        rows.append(
            [
                titles.get(entry.set_name, entry.set_name),
                entry.first,
                f"{found.first:.3f}",
                f"{found.second:.3f}",
                Text(f"{found.difference:+.3f} [{found.low:+.3f}, {found.high:+.3f}]", style),
                str(found.n),
                _p(found.p_value),
                Text(_p(entry.corrected), style),
            ]
        )
    return rows


def _p(value: float) -> str:
    return "<0.0001" if value < 1e-4 else f"{value:.4f}"
