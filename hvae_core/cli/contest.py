"""``contest``: is one score, or one checkpoint, better than another on the same images?"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.text import Text

from hvae_core.cli import show
from hvae_core.cli.evaluate import add_sets, choose_sets, evaluate_all
from hvae_core.cli.options import Commands, add_command, add_data, add_json
from hvae_core.cli.settings import add_settings, move, settings_of

if TYPE_CHECKING:
    from hvae_core.contests import Entry, Side

_EXAMPLES = """\
  python -m hvae_core contest fashion-hvae3-elbo
      every score against -L, on every set of the world

  python -m hvae_core contest glyphs-hvae3-elbo --against llr_1 --out lower signs
  python -m hvae_core contest glyphs-hvae3-elbo glyphs-hvae3-freebits --score llr_1
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
    command.add_argument(
        "checkpoint", metavar="CHECKPOINT", help="a .safetensors file, or a checkpoint's name"
    )
    command.add_argument(
        "other", metavar="OTHER", nargs="?", help="a second checkpoint of the same world"
    )
    command.add_argument(
        "--score", metavar="KEY", action="append", nargs="+",
        help="scores to test, by key as `scores` lists them (default: all)",
    )  # fmt: skip
    command.add_argument(
        "--against", metavar="KEY", default="elbo",
        help="with one checkpoint, the score that the others are held against (default: elbo)",
    )  # fmt: skip
    add_sets(command)
    add_settings(command)
    add_data(command)
    add_json(command)


def run(args: argparse.Namespace) -> None:
    """Evaluate what is not at hand, test, print."""
    from hvae_core.contests import between_models, between_scores
    from hvae_core.scores import get_score, score_list

    names = [args.checkpoint, *([args.other] if args.other else [])]
    loaded = [_side(args, name) for name in names]
    levels = min(levels for *_, levels in loaded)
    asked = [key for group in args.score or [] for key in group]
    scores = [get_score(key, levels) for key in asked] or list(score_list(levels))
    titles = loaded[0][1]
    if args.other:
        entries = between_models(loaded[0][0], loaded[1][0], scores, args.seed)
        heads = ("set", "score", "A", "B")
        title = f"AUROC of the same score, A: {args.checkpoint}, B: {args.other}"
    else:
        against = get_score(args.against, levels)
        entries = between_scores(loaded[0][0], scores, against, args.seed)
        heads = ("set", "score", "its AUROC", f"that of {against.key}")
        title = f"AUROC of every score against {against.key}, {args.checkpoint}"
    if args.json:
        show.as_json({"checkpoints": names, "tests": [asdict(entry) for entry in entries]})
        return
    show.table(
        f"{title}; paired DeLong test",
        (*heads, "difference, 95 % interval", "images", "p", "p, Holm"),
        _rows(entries, titles),
        left=2,
    )


def _side(args: argparse.Namespace, name: str) -> tuple[Side, dict[str, str], int]:
    """The scores of a checkpoint, the titles of its sets, and its number of levels."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.contests import Side
    from hvae_core.results import checkpoint_path

    checkpoint = load_checkpoint(checkpoint_path(name))
    world, in_name, out_names = choose_sets(args, checkpoint)
    move(checkpoint, args.device)
    found = evaluate_all(args, checkpoint, world, [in_name, *out_names], settings_of(args))
    titles = {spec.name: spec.title for spec in world.sets}
    inside = found.evaluations[0]
    return Side.of(inside, found.evaluations[1:]), titles, inside.table.n_levels


def _rows(entries: Sequence[Entry], titles: Mapping[str, str]) -> list[list[str | Text]]:
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
