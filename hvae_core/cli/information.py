"""``information``: what images and levels know of each other, and how many units say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from hvae_core.cli import show
from hvae_core.cli.options import (
    CheckpointName,
    DataOptions,
    Json,
    OneSetOptions,
    kept,
    option,
    whole,
)
from hvae_core.evaluation import SHIPPED_LIMIT

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.probes.information import Information


@kept("Nothing is kept of what was not finished.")
def information(
    name: CheckpointName,
    /,
    *,
    of: OneSetOptions = OneSetOptions(),
    images: Annotated[int, whole(2, "images of the set, at most 1,000")] = 200,
    eps: Annotated[float, option("KL of a unit that counts as nothing", "NATS")] = 0.01,
    seed: Annotated[int, whole(0, "seed of the draws")] = 0,
    data: DataOptions = DataOptions(),
    as_json: Json = False,
) -> None:
    """Mutual information of images and levels, and collapsed units.

    Mutual information I_q(x; z_>k) for every k (Li et al. 2022, App. A.1): the KL term
    E_x KL(q(z_>k|x) || p(z_>k)) less KL(q(z_>k) || p(z_>k)), the aggregated posterior being that of
    N images. Below it the share of units of each layer whose KL stays below eps for at least
    1 - delta of the images (Lucas et al. 2019).

    Examples:
      python -m hvae_core information glyphs-hvae5-freebits
      python -m hvae_core information glyphs-hvae5-freebits --set digits --images 128 --json

    N images can show log N nats at most: 200 images 5.30 nats, 1,000 images 6.91.
    The time grows with the square of N.
    """
    from hvae_core.door import load_checkpoint
    from hvae_core.evaluation.worlds import one_set
    from hvae_core.probes.information import measure_information

    checkpoint = load_checkpoint(name)
    world, set_name = one_set(checkpoint, of.world, of.source, data.place)
    with show.progress_bar() as bar:
        # The pages take their images from the same ones.
        pixels = data.sets(world, max(SHIPPED_LIMIT, images)).images(checkpoint, set_name, bar)
        measured = measure_information(
            checkpoint.model, checkpoint.digest, pixels.sample(images), seed=seed, progress=bar
        )
    show.need_numbers(map(float, measured.mean), "mutual information")
    if as_json:
        figures = _plain(checkpoint, measured, eps)
        show.as_json({"name": checkpoint.name, "set": set_name, **figures})
        return
    _print(checkpoint, measured, world.spec(set_name).title, eps=eps)


def _print(checkpoint: Checkpoint, measured: Information, title: str, eps: float) -> None:
    figures = _plain(checkpoint, measured, eps)
    heads = ("k", "from", "I(x; z>k)", "standard error", "E KL(q(z>k|x) || p)", "KL(q(z>k) || p)")
    rows = [
        (str(row["k"]), row["level"], f"{row['information']:.3f}", f"{row['error']:.3f}",
         f"{row['rate']:.3f}", f"{row['marginal']:.3f}")
        for row in figures["levels"]
    ]  # fmt: skip
    show.table(
        f"{checkpoint.card.title or checkpoint.name}, {len(measured)} images of {title}, in nats",
        heads, rows, left=2,
        caption=f"{len(measured)} images can show log N = {measured.ceiling:.3f} nats at most; a "
        "value near it says \"as much or more\"",
    )  # fmt: skip
    shares = [
        (row["layer"], f"{row['units']:,}",
         *("-" if share is None else f"{100 * share:.1f} %" for share in row["collapsed"].values()))
        for row in figures["layers"]
    ]  # fmt: skip
    deltas = (f"delta {delta}" for delta in figures["layers"][0]["collapsed"])
    title = f"Units with KL < {eps:g} nats for at least 1 - delta of the images"
    show.table(title, ("layer", "units", *deltas), shares)


def _plain(checkpoint: Checkpoint, measured: Information, eps: float) -> dict[str, Any]:
    """The figures as plain values."""
    from hvae_core.evaluation.collapse import collapsed_curve
    from hvae_core.probes.information import DELTAS

    latents, skips = checkpoint.model.latents, checkpoint.model.skips
    columns = zip(
        measured.mean, measured.error, measured.rate.mean(1), measured.marginal, strict=True
    )
    levels = [
        {"k": k, "level": latents[skips[k]].group, "information": float(i), "error": float(e),
         "rate": float(rate), "marginal": float(gap)}
        for k, (i, e, rate, gap) in enumerate(columns)
    ]  # fmt: skip
    layers = []
    for spec, table in zip(latents, measured.levels, strict=True):
        shares = {
            f"{delta:g}": float(collapsed_curve(row, [eps])[0]) if row.size else None
            for delta, row in zip(DELTAS, table, strict=True)
        }
        layers.append({"layer": spec.name, "units": spec.units, "collapsed": shares})
    return {
        "images": len(measured), "ceiling": measured.ceiling, "eps": eps, "levels": levels,
        "layers": layers,
    }  # fmt: skip
