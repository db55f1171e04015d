"""Which scores an evaluation is to give, and what they read beside the bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from hvae_core.cli.options import options
from hvae_core.common.errors import ScoreError

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint, CheckpointInfo
    from hvae_core.data import World
    from hvae_core.scores import Score
    from hvae_core.scores.assemble import Beside


@Parameter(name="*", group=Group("Scores", sort_key=3))
@dataclass(frozen=True)
class ScoreOptions:
    """Which scores, and the checkpoints that some of them read."""

    scores: Annotated[
        tuple[str, ...],
        options(
            "scores by key, as `scores` lists them (default: those of the bounds alone)", "KEY"
        ),
    ] = ()
    all_scores: bool = False
    """every score; those that cannot be had are named with the reason. Likelihood regret is among
    them and takes minutes for 100 images: set --limit"""
    own_score: Annotated[tuple[str, ...], Parameter(metavar="FILE.py:FUNCTION")] = ()
    """a score of your own beside them: a function of what scores read (see the examples of
    evaluate)"""
    ensemble: Annotated[
        tuple[str, ...],
        options("further checkpoints of the same images, for WAIC", "CHECKPOINT"),
    ] = ()
    background: Annotated[str | None, Parameter(metavar="CHECKPOINT")] = None
    """checkpoint trained on mutated pixels, for the background likelihood ratio (default: the one
    that ships with the world, if any)"""

    def chosen(self, checkpoint: CheckpointInfo) -> tuple[Score, ...]:
        """The scores that were asked for, each once; ScoreError for a key that does not exist."""
        from hvae_core.config import level_starts
        from hvae_core.scores import all_scores, get_score, score_list
        from hvae_core.scores.own import own_score

        if self.scores and self.all_scores:
            raise ScoreError("Give --scores or --all-scores, not both.")
        levels, names = len(level_starts(checkpoint.config.levels)), checkpoint.config.latent_names
        if self.scores:
            chosen = [get_score(key, levels, names) for key in dict.fromkeys(self.scores)]
        else:
            chosen = list(all_scores(levels, names) if self.all_scores else score_list(levels))
        for score in map(own_score, self.own_score):
            if any(score.key == other.key for other in chosen):
                raise ScoreError(
                    f"There is a score {score.key} already; give the function another name."
                )
            chosen.append(score)
        return tuple(chosen)

    @property
    def named(self) -> bool:
        """Whether scores were asked for one by one: then each of them is wanted."""
        return bool(self.scores or self.own_score)

    def beside(self, world: World) -> Beside[Checkpoint]:
        """The other checkpoints named, and the background model that ships with the world."""
        from hvae_core.door import load_checkpoint
        from hvae_core.scores.assemble import Beside
        from hvae_core.scores.available import background_path

        others = tuple(load_checkpoint(name) for name in self.ensemble)
        background = self.background or background_path(world)
        return Beside(others, load_checkpoint(background) if background else None)
