"""``scores``: the registry of out-of-distribution scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from hvae_core.cli import show
from hvae_core.cli.options import DataRoot, Json, option, whole

if TYPE_CHECKING:
    from hvae_core.scores import Score

_BOUNDS = "bounds only"
_HEADS = ("key", "name", "symbol", "needs", "cost", "from")


def scores(
    name: Annotated[
        str | None,
        option("a .safetensors file or a name: say which scores it can give", name="CHECKPOINT"),
    ] = None,
    /,
    *,
    layers: Annotated[int, whole(1, "latent layers, where no checkpoint is named", "L")] = 3,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """List the out-of-distribution scores, with their papers.

    List the scores of a model of L layers, or of a checkpoint. Each gives one number an image,
    higher when the image looks more out of distribution. `evaluate --scores KEY` computes them;
    cost is the time for 1,000 images beside their evaluation, under a small model on two cores.

    Examples:
      python -m hvae_core scores                      of a model of three layers
      python -m hvae_core scores --layers 5 --json
      python -m hvae_core scores glyphs-hvae3-elbo    which this checkpoint can give, and why not
    """
    from hvae_core.scores import all_scores

    if name:
        _of_checkpoint(name, data_root, as_json=as_json)
        return
    listed = all_scores(layers)
    if as_json:
        show.as_json({"layers": layers, "scores": [_plain(score) for score in listed]})
        return
    rows = [_row(score) for score in listed]
    show.table(f"Scores of a model of {layers} layers", _HEADS, rows, left=6)


def _of_checkpoint(name: str, data_root: str | None, *, as_json: bool) -> None:
    """The scores of a checkpoint: what it can give, and why it cannot give others."""
    import math

    from hvae_core.checkpoint import inspect_checkpoint
    from hvae_core.config import level_starts
    from hvae_core.evaluation.evaluation import STORED_UNITS
    from hvae_core.evaluation.lookup import checkpoint_path
    from hvae_core.evaluation.sets import Sets
    from hvae_core.evaluation.worlds import world_of
    from hvae_core.scores import all_scores
    from hvae_core.scores.assemble import Beside
    from hvae_core.scores.available import at_hand, background_path, why_not

    info = inspect_checkpoint(checkpoint_path(name))
    world, config = world_of(info), info.config
    named = zip(config.latent_names, config.latent_shapes, strict=True)
    kept = [layer for layer, shape in named if math.prod(shape) <= STORED_UNITS]
    path = background_path(world)
    beside = Beside(background=None if path is None else inspect_checkpoint(path))
    needs = at_hand(info, Sets(world, data_root), beside)
    scores = all_scores(len(level_starts(config.levels)), config.latent_names)
    reasons = {score.key: why_not(score, needs, kept) for score in scores}
    reasons["waic"] = "Name further checkpoints with `evaluate --ensemble`."
    if as_json:
        listed = [{**_plain(score), "missing": reasons[score.key] or None} for score in scores]
        show.as_json({"name": info.name, "digest": info.digest, "scores": listed})
        return
    can = [_row(score) for score in scores if not reasons[score.key]]
    show.table(f"Scores that {info.name} can give", _HEADS, can, left=6)
    lacking = [(s.key, s.name, reasons[s.key]) for s in scores if reasons[s.key]]
    if lacking:
        show.table("Scores that cannot be had", ("key", "name", "why"), lacking, left=3)


def _row(score: Score) -> tuple[str, ...]:
    from hvae_core.common.words import symbol_text

    needs = ", ".join((*score.needs, *(f"measure {m}" for m in score.measures))) or _BOUNDS
    return score.key, score.name, symbol_text(score.symbol), needs, score.cost, _short(score)


def _short(score: Score) -> str:
    """Authors, year, and the place: the title of the paper is in --json."""
    parts = score.citation.split(", ")
    place = [part for part in parts[1:] if part.startswith(("Eq.", "App.", "section"))]
    return ", ".join((parts[0], *place))


def _plain(score: Score) -> dict[str, Any]:
    names = ("key", "name", "symbol", "citation", "needs", "measures", "cost", "unit")
    return {name: getattr(score, name) for name in names}
