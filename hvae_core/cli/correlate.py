"""``correlate``: how alike two checkpoints represent the same images, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from hvae_core.cli import show
from hvae_core.cli.options import DataOptions, Json, Limit, kept, option, options, whole
from hvae_core.evaluation import SHIPPED_LIMIT

if TYPE_CHECKING:
    from hvae_core.checkpoint import CheckpointInfo
    from hvae_core.data import Role, World
    from hvae_core.probes.layer_likeness import Likeness


@kept("Finished sets are in the cache; the same command continues from there.")
def correlate(
    a: Annotated[str, option("a .safetensors file, or a checkpoint's name")],
    b: Annotated[str, option("the other one")],
    /,
    *,
    sets: Annotated[
        tuple[str, ...],
        options(
            "sets as in evaluate (default: the world's test set and every OOD set at hand)", "SET"
        ),
    ] = (),
    world: Annotated[str | None, option("world of the sets (default: that of A)", "NAME")] = None,
    limit: Limit = SHIPPED_LIMIT,
    seed: Annotated[
        int, whole(0, "seed of the draws, and of the shuffle that gives the level of chance")
    ] = 0,
    data: DataOptions = DataOptions(),
    as_json: Json = False,
) -> None:
    """Feature correlation and CKA of two checkpoints, layer by layer.

    Posterior means of every layer of A against those of every layer of B on the same images: the
    mean absolute correlation of units matched one to one (Havtorn et al. 2021, Figure 2) and linear
    CKA, debiased (Kornblith et al. 2019).

    Examples:
      python -m hvae_core correlate glyphs-hvae3-elbo glyphs-hvae3-freebits
      python -m hvae_core correlate fashion-hvae3-elbo glyphs-hvae3-elbo --sets test glyphs:test
          two models of different data, on images of either, as in Havtorn et al. 2021, Figure 2
    """
    from hvae_core.checkpoint import inspect_checkpoint
    from hvae_core.evaluation.lookup import checkpoint_path
    from hvae_core.probes.layer_likeness import likeness_of_sets

    paths = [checkpoint_path(name) for name in (a, b)]
    infos = [inspect_checkpoint(path) for path in paths]
    place, names = _sets(infos[0], sets, world, data=data)
    chosen = data.sets(place, limit)
    with show.progress_bar() as bar:
        images = [chosen.choose(name, bar) for name in names]
        likenesses = likeness_of_sets(str(paths[0]), str(paths[1]), images, seed=seed, progress=bar)
    if as_json:
        show.as_json(
            {"a": infos[0].name, "b": infos[1].name,
             "layers_a": infos[0].config.latent_names, "layers_b": infos[1].config.latent_names,
             "sets": [{"set": of.name, "images": len(of), **_plain(likeness)}
                      for of, likeness in zip(images, likenesses, strict=True)]}
        )  # fmt: skip
        return
    _print(infos, [place.spec(name).title for name in names], likenesses)


def _sets(
    info: CheckpointInfo, sources: Sequence[str], key: str | None, data: DataOptions
) -> tuple[World, list[str]]:
    """The world with the sources named, and their names, each once."""
    from hvae_core.data.named import own_world
    from hvae_core.evaluation.worlds import world_key, world_of

    own = bool(sources) and not key and world_key(info) is None
    world = own_world(info.config.image_shape) if own else world_of(info, key)
    names = []
    for source in sources:
        role: Role = "in" if source == world.in_name else "out"
        world, name = data.place(world, source, role)
        names.append(name)
    if not sources:
        names = [world.in_name, *(spec.name for spec in world.with_role("out"))]
        names = [n for n in names if n == world.in_name or world.available(n, data.data_root)]
    return world, list(dict.fromkeys(names))


def _print(infos: list[CheckpointInfo], titles: list[str], likenesses: list[Likeness]) -> None:
    """Both measures by pair of layers for every set, and the whole tables of the first set."""
    from hvae_core.probes.layer_likeness import layer_pairs

    a, b = (info.config.latent_names for info in infos)
    pairs = layer_pairs(likenesses[0], a, b)
    heads = ("set", *(a[i] if a[i] == b[j] else f"{a[i]}/{b[j]}" for i, j in pairs))
    show.say(f"A {infos[0].name}, B {infos[1].name}\n")
    rows = [
        (name, *(f"{of.correlation[i, j]:.3f} ({of.chance[i, j]:.3f})" for i, j in pairs))
        for name, of in zip(titles, likenesses, strict=True)
    ]
    show.table("Mean |r| of matched units (and with the images of B shuffled)", heads, rows)
    rows = [
        (name, *(_cell(of.cka[i, j]) for i, j in pairs))
        for name, of in zip(titles, likenesses, strict=True)
    ]
    show.table("Linear CKA, debiased", heads, rows)
    for title, table in (
        ("Mean |r|", likenesses[0].correlation),
        ("Linear CKA", likenesses[0].cka),
    ):
        cells = [(layer, *map(_cell, row)) for layer, row in zip(a, table, strict=True)]
        show.table(
            f"{title} on {titles[0]}: layers of A in rows, of B in columns", ("", *b), cells,
            caption="Those of the other sets are in --json" if len(likenesses) > 1 else None,
        )  # fmt: skip


def _cell(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _plain(likeness: Likeness) -> dict[str, Any]:
    """The tables as lists, None where there is no value."""
    tables = {name: getattr(likeness, name) for name in ("correlation", "chance", "cka")}
    return {
        name: [[None if math.isnan(v) else v for v in row] for row in table.tolist()]
        for name, table in tables.items()
    }
