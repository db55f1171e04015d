"""``leaderboard``: every checkpoint and score of a world on its near, far and shifted sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hvae_core.cli import show, standings
from hvae_core.cli.options import OPENED, PARTS, Json, kept, option, whole

if TYPE_CHECKING:
    from hvae_core.common.progress import Progress
    from hvae_core.data import World
    from hvae_core.data.worlds import Suite
    from hvae_core.detection.leaderboard.rows import Board
    from hvae_core.evaluation.sets import Sets


@kept(PARTS)
def leaderboard(
    names: Annotated[
        tuple[str, ...],
        Parameter(name="CHECKPOINT", help="only these checkpoints (default: all of the world)"),
    ] = (),
    /,
    *,
    world: Annotated[
        str | None, option("one world (default: every world that has results)", "NAME")
    ] = None,
    suite: Annotated[
        tuple[str, ...],
        Parameter(
            help="near, far or shifted; may be given several times (default: near and far)",
            metavar="NAME...",
            consume_multiple=1,
        ),
    ] = (),
    rows: Annotated[int, whole(0, "rows of each table; 0 for all")] = 10,
    full_spectrum: Annotated[
        bool,
        Parameter(
            help="rank by the full-spectrum AUROC, and show its tests in place of the plain one's",
            negative=(),
        ),
    ] = False,
    add: Annotated[
        str | None,
        option(
            "evaluate a checkpoint of your own on the sets of its world, and keep its row: a file, "
            "a folder of another project, or a network of your own as FILE.py:NAME",
            "CHECKPOINT",
        ),
    ] = None,
    sets: Annotated[
        str | None,
        option("folder of image sets, as --data-root of other commands", "DIR", name="--sets"),
    ] = None,
    remove: Annotated[
        str | None, option("forget a row that was added: its name or digest", "NAME")
    ] = None,
    evaluating: Annotated[
        bool,
        Parameter(
            name="--evaluate",
            help="evaluate the sets that have no result yet, which takes minutes a set",
        ),
    ] = False,
    seed: Annotated[int, whole(0, "seed of the equal numbers, where sets differ in size")] = 0,
    as_json: Json = False,
) -> None:
    """Which checkpoint and score tells a world's sets apart best, from stored results.

    Rank every score of every checkpoint, and the verdict on one image, on the near, far or shifted
    sets of a world, as OpenOOD has them: near sets hold other classes in images like the world's
    own, far sets images of another kind, shifted ones the world's own classes, changed. Nothing is
    computed but what follows from results at hand, so it needs no network and no images.

    Examples:
      python -m hvae_core leaderboard
      python -m hvae_core leaderboard --world cutouts --suite near --rows 0
      python -m hvae_core leaderboard cutouts-hvae3-elbo
          the scores of one checkpoint among themselves

      python -m hvae_core leaderboard --world glyphs --full-spectrum
          where changed images of the world's own count as in-distribution

      python -m hvae_core leaderboard --add runs/mine/mine.safetensors --world glyphs
          a checkpoint of your own enters: it is evaluated once, and its row is kept

      python -m hvae_core leaderboard --add mine.py:model --sets ~/images
          a network of your own (docs/own-model.md)

      python -m hvae_core leaderboard --world glyphs --remove mine

    AUROC is the mean over the sets, with the 95 % interval of DeLong et al. 1988 for such a mean:
    the sets share their in-distribution images. Rank is the mean over sets of the rank among all
    rows. FPR95 is the share of in-distribution images flagged where 95 % of a set are. Caught is
    the share of a set that is called out at 5 % false alarms, by the world's validation images.
    Full spectrum is the AUROC where the world's shifted images count as in-distribution beside its
    test images, as in OpenOOD v1.5: a dash where these have no results. p is the
    paired test against the first row, after Holm's correction; at 0.05 or more, in bold, no test
    tells the row from the first. The last column holds the score against -L of the same checkpoint
    on all near and far sets: the smallest difference, and on how many sets it is certainly worse.
    With --full-spectrum the order, p and the last column are of full-spectrum AUROCs, and rows that
    have none are left out; --json has the same rows in the same order.

    Of shifted images nothing is to be found. There AUROC is the mean of max(AUROC, 1 - AUROC), the
    first row is the score that reacts least, and "flagged at 5 %" is the share of shifted images
    flagged where 5 % of the unchanged images are.
    """
    from hvae_core.common.errors import ConfigError
    from hvae_core.data import worlds
    from hvae_core.data.named import named_world
    from hvae_core.data.suites import SUITES
    from hvae_core.detection.leaderboard import own

    if unknown := [each for each in suite if each not in SUITES]:
        raise ConfigError(f"There is no suite {unknown[0]}; choose {', '.join(SUITES)}.")
    if full_spectrum and "shifted" in suite:
        raise ConfigError(
            "In the full spectrum shifted images count as in-distribution: there is no table of "
            "them; leave out --suite shifted or --full-spectrum."
        )
    suites: list[Suite] = [each for each in SUITES if each in (suite or ("near", "far"))]
    key = world
    with show.progress_bar() as bar:
        if add:
            key = _add(add, world, sets, progress=bar)
        if remove:
            gone = [own.remove(k, remove) for k in ([key] if key else worlds())]
            if not sum(gone):
                raise ConfigError(f"No row of your own is named {remove}; nothing was removed.")
        chosen = _with_rows(names, [named_world(key)] if key else list(worlds().values()))
        found: dict[str, tuple[Sets, list[Board]]] = {}
        for each in chosen:
            at, boards = _of_world(
                each, names, sets, suites=suites, evaluating=evaluating, seed=seed, progress=bar
            )
            if key or any(board.standings for board in boards):
                found[each.key] = at, boards
    if key and not _shipped(chosen[0]) and not found[key][1][0].standings:
        show.lacking(
            f"No checkpoint of {chosen[0].title} is here; add one of your own with --add, or train "
            "one (`models` lists the recipes)."
        )
    elif not any(board.standings for _, boards in found.values() for board in boards):
        show.lacking(
            "No result of these sets is at hand; evaluate them with --evaluate, and name the "
            "folder of their images with --sets."
        )
    if full_spectrum:
        found = {k: (at, [*map(standings.by_spectrum, many)]) for k, (at, many) in found.items()}
    if as_json:
        show.as_json(
            {
                name: {board.suite: board.to_dict() for board in boards}
                for name, (_, boards) in found.items()
            }
        )
        return
    for at, boards in found.values():
        for board in boards:
            standings.table(at.world, board, rows, full_spectrum=full_spectrum)


def _add(source: str, world: str | None, root: str | None, *, progress: Progress) -> str:
    """Evaluate a checkpoint, keep its row, and return the key of its world."""
    from hvae_core.common import own_models
    from hvae_core.common.errors import CheckpointError
    from hvae_core.detection.leaderboard import own
    from hvae_core.detection.leaderboard.entries import board_sets
    from hvae_core.door import load_checkpoint
    from hvae_core.evaluation.sets import Sets
    from hvae_core.evaluation.worlds import world_of

    source = own_models.allow(source) if own_models.is_named(source) else source
    checkpoint = load_checkpoint(source)
    of = world_of(checkpoint, world)
    if any(checkpoint.digest == model.described.digest for model in _shipped(of)):
        raise CheckpointError(f"{checkpoint.name} ships with the program; it has its rows already.")
    at = board_sets(Sets(of, root))
    OPENED.append(at)
    entries, missing = own.computed(checkpoint, at, progress=progress)
    own.keep(checkpoint, of.key, entries)
    for name, reason in missing.items():
        show.note(f"left out {name}: {reason}")
    return of.key


def _with_rows(names: Sequence[str], among: list[World]) -> list[World]:
    """The worlds that have one of these checkpoints, all where none is named."""
    from hvae_core.common.errors import CheckpointError
    from hvae_core.common.plain import plain
    from hvae_core.detection.leaderboard import own

    rows = {w.key: {*w.checkpoints, *(e.model for e in own.own_entries(w.key))} for w in among}
    for name in names:
        if not any(name in known for known in rows.values()):
            raise CheckpointError(
                f"No leaderboard has a row of {plain(name)}; add a checkpoint of your own with "
                f"--add, or name one of {', '.join(sorted(set().union(*rows.values())))}."
            )
    return [w for w in among if not names or rows[w.key].intersection(names)]


def _shipped(world: World) -> list[Any]:
    """The shipped checkpoints of a world, but that of its background."""
    from hvae_core.checkpoint import inspect_checkpoint
    from hvae_core.checkpoint.library import shipped_checkpoints
    from hvae_core.detection.leaderboard.entries import Model
    from hvae_core.scores.available import background_path

    background = background_path(world)
    paths = {n: path for n, path in shipped_checkpoints().items() if path != background}
    found = [inspect_checkpoint(paths[name]) for name in world.checkpoints if name in paths]
    return [Model(info, info.card.title or info.name) for info in found]


def _of_world(
    world: World,
    names: Sequence[str],
    root: str | None,
    *,
    suites: Sequence[Suite],
    evaluating: bool,
    seed: int,
    progress: Progress,
) -> tuple[Sets, list[Board]]:
    """The boards of a world on some suites."""
    from hvae_core.detection.leaderboard import own
    from hvae_core.detection.leaderboard.entries import board_sets, entries_of
    from hvae_core.detection.leaderboard.standings import boards
    from hvae_core.evaluation.sets import Sets

    progress(0.0, world.title)
    at = board_sets(Sets(world, root))
    models = _shipped(world)
    entries, missing = entries_of(models, at)
    if evaluating and missing:
        from hvae_core.door import load_checkpoint

        for name in missing:
            if not names or name in names:
                own.computed(load_checkpoint(name), at, progress=progress)
        entries, _ = entries_of(models, at)
    entries += own.own_entries(world.key)
    entries = [entry for entry in entries if not names or entry.model in names]
    return at, boards(entries, at.world, suites, seed=seed)
