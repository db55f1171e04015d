"""``evaluate``: how well a checkpoint tells sets apart, and what its layers carry."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvae_core.cli import score_options, show
from hvae_core.cli.options import (
    Commands,
    add_checkpoint,
    add_command,
    add_data,
    add_json,
    add_limit,
    add_settings,
    add_world,
    move,
    settings_of,
)
from hvae_core.cli.report import print_report
from hvae_core.common.progress import part
from hvae_core.detection.report import Report
from hvae_core.evaluation import SHIPPED_LIMIT

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.data import World
    from hvae_core.detection.half_precision import PrecisionError
    from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
    from hvae_core.scores import Material, Score

_EXAMPLES = f"""\
  python -m hvae_core evaluate glyphs-hvae3-elbo
      a shipped checkpoint against every set of its world

  python -m hvae_core evaluate glyphs-hvae3-elbo --out digits --out greek --json
      two sets, as JSON

  python -m hvae_core evaluate runs/mine/mine.safetensors --world glyphs --out ~/images/cats
      a file, and a folder of images of your own as out-of-distribution set

  python -m hvae_core evaluate fashion-hvae3-freebits --data-root ~/images --limit 0 --samples 100
      all images of every set, importance-weighted bounds of 100 samples

{score_options.EXAMPLES}
A SET is a name of the world (see `datasets`), a set of another world as WORLD:SET, a set that the
papers name as NAME[:SPLIT][+CHANGE...] (svhn, mnist:train, smallnorb+inverted, celeba+resized), a
path (a folder of images, .parquet, .npz, .zip, or one image), or OWNER/NAME[:SPLIT] on the Hugging
Face hub, with a configuration OWNER/NAME:CONFIG:SPLIT; --download fetches what is not here. Images
of another size are resized to the model's, and a line says so.

Every set is represented by at most {SHIPPED_LIMIT:,} images unless --limit says otherwise. A result
is kept in the cache: asking again is quick, and after Ctrl-C the same command continues where it
stopped. Results that ship with the project are taken for the same checkpoint, settings and pixels,
and stand in for images that are not on this machine.
"""


@dataclass(frozen=True)
class Found:
    """What the sets gave: evaluations, remarks on their images, and why others are missing."""

    evaluations: list[Evaluation]
    notes: dict[str, tuple[str, ...]]
    missing: dict[str, str]


def add(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "evaluate",
        run,
        summary="detection metrics, KL, bits/dim and active units of a checkpoint",
        description="Evaluate a checkpoint on its in-distribution set and on out-of-distribution "
        "sets. Prints AUROC, AUPRC, FPR80 and FPR95 of every score on equal numbers of images, KL "
        "and active units by layer, and bits per dimension by k, for every set.",
        examples=_EXAMPLES,
        kept="Finished parts are in the cache; the same command continues from there.",
    )
    add_checkpoint(command)
    add_sets(command)
    add_settings(command)
    score_options.add_scores(command)
    add_data(command)
    add_json(command)
    command.add_argument(
        "--csv", metavar="FILE", help="write the detection metrics, one row for each set and score"
    )


def add_sets(command: argparse.ArgumentParser) -> None:
    """Which sets, and how many images of each."""
    command.add_argument(
        "--in", dest="inside", metavar="SET", help="in-distribution set (default: the world's test)"
    )
    command.add_argument(
        "--out", dest="outside", metavar="SET", action="append", nargs="+",
        help="out-of-distribution sets; may be given several times (default: every set of the "
        "world that is at hand)",
    )  # fmt: skip
    add_world(command, "sets")
    add_limit(command)


def run(args: argparse.Namespace) -> None:
    """Evaluate, report, print."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.detection.report import report
    from hvae_core.evaluation.lookup import checkpoint_path

    checkpoint = load_checkpoint(checkpoint_path(args.checkpoint))
    world, in_name, out_names = choose_sets(args, checkpoint)
    scores = score_options.chosen_scores(args, checkpoint)  # a misspelt one is told at once
    move(checkpoint, args.device)
    found = evaluate_all(args, checkpoint, world, [in_name, *out_names], settings_of(args))
    materials = score_materials(args, checkpoint, world, found, scores)
    result = report(
        found.evaluations[0], found.evaluations[1:], args.seed, scores=scores, materials=materials
    )
    rounding = precision_error(args, checkpoint, world, found)
    if args.csv:
        write_csv(Path(args.csv), result)
    if args.json:
        show.as_json(
            {"name": checkpoint.name, "title": checkpoint.card.title, "world": world.key,
             "limit": args.limit or None, "notes": {k: list(v) for k, v in found.notes.items()},
             "missing": found.missing, "precision_error": rounding and asdict(rounding),
             **result.to_dict()}
        )  # fmt: skip
        return
    titles = {spec.name: spec.title for spec in world.sets}
    show.say(f"{checkpoint.card.title or checkpoint.name} (sha256 {checkpoint.digest[:16]})\n")
    print_report(result, titles)
    for name, notes in found.notes.items():
        if notes:
            show.note(f"{name}: {'; '.join(notes)}")
    for name, reason in found.missing.items():
        show.note(f"left out {name}: {reason}")
    if rounding:
        show.note(f"{args.precision} {rounding}")


def precision_error(
    args: argparse.Namespace, checkpoint: Checkpoint, world: World, found: Found
) -> PrecisionError | None:
    """What another precision than float32 costs, on some images of each set; else None."""
    from hvae_core.cli import sources
    from hvae_core.detection.half_precision import measured_error

    settings = settings_of(args)
    if settings.precision == "float32":
        return None
    names = list(found.notes)  # those that were evaluated, in order
    with show.progress_bar() as bar:
        return measured_error(checkpoint, sources.sets_of(args, world), names, settings, bar)


def choose_sets(
    args: argparse.Namespace, checkpoint: Checkpoint
) -> tuple[World, str, tuple[str, ...]]:
    """The world with the user's own sets, the in-distribution set, and those held against it."""
    from hvae_core.cli import sources
    from hvae_core.common.errors import DataError

    asked = [name for group in args.outside or [] for name in group]
    if args.world or sources.world_key(checkpoint):
        world = sources.world_of(checkpoint, args.world)
    elif args.inside and asked:
        world = sources.own_world(checkpoint)
    else:
        world = sources.world_of(checkpoint)  # says what is missing
    in_name = world.in_name
    if args.inside:
        world, in_name = sources.with_source(world, args.inside, "in", download=args.download)
    out_names = []
    for source in asked:
        world, name = sources.with_source(world, source, "out", download=args.download)
        out_names.append(name)
    if not asked:
        out_names = [s.name for s in world.with_role("out", "control") if s.name != in_name]
    if in_name in out_names:
        raise DataError(f"{in_name} is in-distribution here; name another set with --out.")
    return world, in_name, tuple(dict.fromkeys(out_names))


def evaluate_all(
    args: argparse.Namespace,
    checkpoint: Checkpoint,
    world: World,
    names: Sequence[str],
    settings: EvalSettings,
) -> Found:
    """Evaluate the sets; one that was not named and is not on this machine is left out."""
    from hvae_core.cli import sources
    from hvae_core.common.errors import DataError, MissingImages

    found = Found([], {}, {})
    with show.progress_bar() as bar:
        for done, name in enumerate(names):
            step = part(bar, done, len(names), f"{done + 1} of {len(names)}")
            try:
                gathered = sources.evaluated(args, checkpoint, world, name, step, settings)
            except MissingImages as error:
                if done == 0 or args.outside:
                    raise
                found.missing[name] = str(error)
                continue
            found.evaluations.append(gathered.evaluation)
            found.notes[name] = gathered.notes
    if len(found.evaluations) < 2:
        raise DataError(
            f"None of the out-of-distribution sets of {world.title} is on this machine; fetch them "
            "with --download, name a folder with --data-root, or a set of your own with --out."
        )
    return found


def score_materials(
    args: argparse.Namespace,
    checkpoint: Checkpoint,
    world: World,
    found: Found,
    scores: Sequence[Score],
) -> Mapping[str, tuple[Material, ...]]:
    """What the scores read beside the bounds, by set; what is not here is noted in ``found``."""
    with show.progress_bar() as bar:
        assembled = score_options.materials_of(
            args, checkpoint, world, found.evaluations, scores, bar
        )
    found.missing.update(assembled.notes)
    return assembled.materials


def write_csv(path: Path, result: Report) -> None:
    """Write the detection metrics to a file, one row for each set and score."""
    import csv

    rows: list[dict[str, Any]] = result.rows()
    with show.writing(path), path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["set", "score"])
        writer.writeheader()
        writer.writerows(rows)
