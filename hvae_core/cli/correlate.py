"""``correlate``: how alike two checkpoints represent the same images, layer by layer."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from hvae_core.cli import show
from hvae_core.cli.options import (
    CHECKPOINT,
    Commands,
    add_command,
    add_data,
    add_json,
    add_limit,
    add_seed,
    add_world,
)

if TYPE_CHECKING:
    from hvae_core.checkpoint import CheckpointInfo
    from hvae_core.probes.layer_likeness import Likeness

_EXAMPLES = """\
  python -m hvae_core correlate glyphs-hvae3-elbo glyphs-hvae3-freebits
  python -m hvae_core correlate fashion-hvae3-elbo glyphs-hvae3-elbo --sets test glyphs:test
      two models of different data, on images of either, as in Havtorn et al. 2021, Figure 2
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "correlate",
        run,
        summary="feature correlation and CKA of two checkpoints, layer by layer",
        description="Posterior means of every layer of A against those of every layer of B on the "
        "same images: the mean absolute correlation of units matched one to one (Havtorn et al. "
        "2021, Figure 2) and linear CKA, debiased (Kornblith et al. 2019).",
        examples=_EXAMPLES,
        kept="Finished sets are in the cache; the same command continues from there.",
    )
    command.add_argument("a", metavar="A", help=CHECKPOINT)
    command.add_argument("b", metavar="B", help="the other one")
    command.add_argument(
        "--sets", nargs="+", metavar="SET",
        help="sets as in evaluate (default: the world's test set and every OOD set at hand)",
    )  # fmt: skip
    add_world(command, "sets", "that of A")
    add_limit(command)
    add_seed(command, "the draws, and of the shuffle that gives the level of chance")
    add_data(command)
    add_json(command)


def run(args: argparse.Namespace) -> None:
    """Encode and compare, set by set, then the tables."""
    from hvae_core.checkpoint import inspect_checkpoint
    from hvae_core.cli.sources import fetch, own_world, with_source, world_key, world_of
    from hvae_core.evaluation.lookup import checkpoint_path
    from hvae_core.probes.layer_likeness import likeness_of_sets

    paths = [checkpoint_path(name) for name in (args.a, args.b)]
    infos = [inspect_checkpoint(path) for path in paths]
    own = bool(args.sets) and not args.world and world_key(infos[0]) is None
    world = own_world(infos[0]) if own else world_of(infos[0], args.world)
    names = []
    for source in args.sets or ():
        role: Any = "in" if source == world.in_name else "out"
        world, name = with_source(world, source, role, download=args.download)
        names.append(name)
    if not args.sets:
        known = [world.in_name, *(spec.name for spec in world.with_role("out"))]
        names = [n for n in known if n == world.in_name or world.available(n, args.data_root)]
    with show.progress_bar() as bar:
        sets = []
        for name in dict.fromkeys(names):
            if args.download:
                fetch(world, name, args.data_root, bar)
            sets.append(world.choose(name, args.data_root, limit=args.limit or None, progress=bar))
        found = likeness_of_sets(str(paths[0]), str(paths[1]), sets, args.seed, progress=bar)
    titles = [world.spec(name).title for name in dict.fromkeys(names)]
    if args.json:
        show.as_json(
            {"a": infos[0].name, "b": infos[1].name,
             "layers_a": infos[0].config.latent_names, "layers_b": infos[1].config.latent_names,
             "sets": [{"set": images.name, "images": len(images), **_plain(one)}
                      for images, one in zip(sets, found, strict=True)]}
        )  # fmt: skip
        return
    _print(infos, titles, found)


def _print(infos: list[CheckpointInfo], titles: list[str], found: list[Likeness]) -> None:
    """Both measures by pair of layers for every set, and the whole tables of the first set."""
    from hvae_core.probes.layer_likeness import layer_pairs

    a, b = (info.config.latent_names for info in infos)
    pairs = layer_pairs(found[0], a, b)
    heads = ("set", *(a[i] if a[i] == b[j] else f"{a[i]}/{b[j]}" for i, j in pairs))
    show.say(f"A {infos[0].name}, B {infos[1].name}\n")
    rows = [
        (name, *(f"{one.correlation[i, j]:.3f} ({one.chance[i, j]:.3f})" for i, j in pairs))
        for name, one in zip(titles, found, strict=True)
    ]
    show.table("Mean |r| of matched units (and with the images of B shuffled)", heads, rows)
    rows = [
        (name, *(_cell(one.cka[i, j]) for i, j in pairs))
        for name, one in zip(titles, found, strict=True)
    ]
    show.table("Linear CKA, debiased", heads, rows)
    for title, table in (("Mean |r|", found[0].correlation), ("Linear CKA", found[0].cka)):
        cells = [(layer, *map(_cell, row)) for layer, row in zip(a, table, strict=True)]
        show.table(
            f"{title} on {titles[0]}: layers of A in rows, of B in columns", ("", *b), cells,
            caption="Those of the other sets are in --json" if len(found) > 1 else None,
        )  # fmt: skip


def _cell(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _plain(found: Likeness) -> dict[str, Any]:
    """The tables as lists, None where there is no value."""
    tables = {name: getattr(found, name) for name in ("correlation", "chance", "cka")}
    return {
        name: [[None if math.isnan(v) else v for v in row] for row in table.tolist()]
        for name, table in tables.items()
    }
