"""Which scores an evaluation is to give, and what they read beside the bounds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hvae_core.common.errors import ScoreError
from hvae_core.common.progress import Progress, part

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint, CheckpointInfo
    from hvae_core.data import World
    from hvae_core.evaluation.evaluation import Evaluation
    from hvae_core.scores import Material, Score
    from hvae_core.scores.assemble import Helpers

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


def helpers_of(args: argparse.Namespace, world: World) -> Helpers:
    """The other checkpoints that were named, and what ships with the world."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.evaluation.lookup import checkpoint_path
    from hvae_core.scores.assemble import world_helpers

    others = tuple(load_checkpoint(checkpoint_path(name)) for name in args.ensemble)
    background = load_checkpoint(checkpoint_path(args.background)) if args.background else None
    return world_helpers(world, others, background)


def materials_of(
    args: argparse.Namespace,
    checkpoint: Checkpoint,
    world: World,
    evaluations: Sequence[Evaluation],
    scores: Sequence[Score],
    progress: Progress,
) -> tuple[dict[str, Material], dict[str, str]]:
    """What the scores read of every set, and notes on what is not here; nothing where bounds do."""
    from hvae_core.common.errors import DataError
    from hvae_core.scores.assemble import material_of, needed, reference_of

    needs, measures = needed(scores)
    if not needs and not measures:
        return {}, {}
    helpers, notes, reference = helpers_of(args, world), {}, None
    parts = len(evaluations) + 1

    def step(done: int) -> Progress:
        return part(progress, done, parts, f"{done + 1} of {parts}")

    if "reference" in needs:
        try:
            reference = reference_of(
                checkpoint, world, evaluations[0].settings,
                data_root=args.data_root, progress=step(0),
            )  # fmt: skip
        except DataError as error:
            notes["reference"] = str(error)
    found: dict[str, Material] = {}
    for done, evaluation in enumerate(evaluations, start=1):
        found[evaluation.set_name] = material_of(
            checkpoint, world, evaluation, scores, helpers,
            reference=reference, limit=args.limit or None, data_root=args.data_root,
            progress=step(done),
        )  # fmt: skip
    return found, notes
