"""Which scores an evaluation is to give, and what they read beside the bounds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hvae_core.common.errors import ScoreError
from hvae_core.common.progress import Progress

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint, CheckpointInfo
    from hvae_core.data import World
    from hvae_core.evaluation.evaluation import Evaluation
    from hvae_core.scores import Score
    from hvae_core.scores.assemble import Assembled, Beside

EXAMPLES = """\
  python -m hvae_core evaluate glyphs-hvae3-elbo --out digits --scores llr_1 typicality complexity
      these scores, on this set (`scores` lists all of them)

  python -m hvae_core evaluate glyphs-hvae3-elbo --ensemble glyphs-hvae3-freebits --scores elbo waic
      WAIC over two checkpoints

  python -m hvae_core evaluate glyphs-hvae3-elbo --out digits --limit 100 --scores regret_z
      likelihood regret refits q to every image, which takes a while: few images

  python -m hvae_core evaluate glyphs-hvae3-elbo --own-score mine.py:top_kl
      a score of your own, higher for stranger images: mine.py holds

          def top_kl(material):
              "KL of the top layer"
              return material.table.kl[:, -1]

      table.bound and table.nll are (images, k), table.kl (images, layers), all in nats;
      latents[i] are posterior means (images, units) of z_{i+1}. The file is run as it is.
"""


def add_scores(command: argparse.ArgumentParser) -> None:
    """``--scores``, ``--all-scores``, ``--own-score``, and the checkpoints that scores read."""
    which = command.add_mutually_exclusive_group()
    which.add_argument(
        "--scores", metavar="KEY", nargs="+",
        help="scores by key, as `scores` lists them (default: those of the bounds alone)",
    )  # fmt: skip
    which.add_argument(
        "--all-scores", action="store_true",
        help="every score; those that cannot be had are named with the reason. Likelihood regret "
        "is among them and takes minutes for 100 images: set --limit",
    )  # fmt: skip
    command.add_argument(
        "--own-score", metavar="FILE.py:FUNCTION", action="append", default=[],
        help="a score of your own beside them: a function of what scores read (see the examples)",
    )  # fmt: skip
    command.add_argument(
        "--ensemble", metavar="CHECKPOINT", nargs="+", default=[],
        help="further checkpoints of the same images, for WAIC",
    )  # fmt: skip
    command.add_argument(
        "--background", metavar="CHECKPOINT",
        help="checkpoint trained on mutated pixels, for the background likelihood ratio (default: "
        "the one that ships with the world, if any)",
    )  # fmt: skip


def chosen_scores(args: argparse.Namespace, checkpoint: CheckpointInfo) -> tuple[Score, ...]:
    """The scores that were asked for, each once; ScoreError for a key that does not exist."""
    from hvae_core.config import level_starts
    from hvae_core.scores import all_scores, get_score, score_list
    from hvae_core.scores.own import own_score

    levels, names = len(level_starts(checkpoint.config.levels)), checkpoint.config.latent_names
    if args.scores:
        found = [get_score(key, levels, names) for key in dict.fromkeys(args.scores)]
    elif args.all_scores:
        found = list(all_scores(levels, names))
    else:
        found = list(score_list(levels))
    own = [own_score(text) for text in args.own_score]
    taken = {score.key for score in found}
    for score in own:
        if score.key in taken:
            raise ScoreError(
                f"There is a score {score.key} already; give the function another name."
            )
        taken.add(score.key)
    return (*found, *own)


def beside_of(args: argparse.Namespace, world: World) -> Beside:
    """The other checkpoints that were named, and the background model that ships with the world."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.evaluation.lookup import checkpoint_path
    from hvae_core.scores.assemble import Beside
    from hvae_core.scores.available import background_path

    others = tuple(load_checkpoint(checkpoint_path(name)) for name in args.ensemble)
    path = checkpoint_path(args.background) if args.background else background_path(world)
    return Beside(others, None if path is None else load_checkpoint(path))


def materials_of(
    args: argparse.Namespace,
    checkpoint: Checkpoint,
    world: World,
    evaluations: Sequence[Evaluation],
    scores: Sequence[Score],
    progress: Progress,
) -> Assembled:
    """What the scores read of every set, and notes on what is not here."""
    from hvae_core.cli.sources import sets_of
    from hvae_core.scores.assemble import Assembled, Computed, assemble

    if not any(score.needs or score.measures for score in scores):
        return Assembled({})
    source, beside = Computed(checkpoint, sets_of(args, world)), beside_of(args, world)
    return assemble(source, evaluations, scores, beside, progress)
