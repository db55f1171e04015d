"""``maintain``: for maintainers, what ships with the project."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

from hvae_core.cli import show
from hvae_core.cli.options import DataOptions, Json, kept, option
from hvae_core.common.errors import CheckpointError, ConfigError
from hvae_core.common.files import named_path
from hvae_core.common.places import INSTALLED

if TYPE_CHECKING:
    from hvae_core.studies.ledger import Line


@kept("Files already written stay; `maintain results` computes only what is missing.")
def maintain(
    action: Annotated[Literal["ship", "results", "likeness", "lab", "runs"], option("what to do")],
    names: Annotated[
        tuple[str, ...],
        option(
            "checkpoints of finished runs to ship, or names of shipped ones (default: all of them)",
            name="CHECKPOINT",
        ),
    ] = (),
    /,
    *,
    runs: Annotated[str, option("folder of runs, DIR/STUDY/s<seed>/<preset>/", "DIR")] = "runs",
    time: Annotated[bool, option("with runs: time an epoch of what was never timed")] = False,
    data: DataOptions = DataOptions(),
    as_json: Json = False,
) -> None:
    """For maintainers: ship checkpoints, write their stored results, list what is to be trained.

    `ship` stores checkpoints in 16 bits under assets/checkpoints/, by the name of their file, if
    every bound L_>k of 200 validation images stays as it was within 0.1% on the mean.

    `results`, after a shipped checkpoint or set has changed, evaluates the checkpoints in
    assets/checkpoints/ on every set of their world but the training set (default settings, at most
    1,000 images a set) and writes assets/results/<checkpoint>/<set>.npz, and reference.npz with
    what scores read of 1,000 training images. Sets whose images are not on this machine are named
    and their files are left as they are.

    `likeness`, after `results`, compares the layers of the plain and the informative model of each
    world on every set whose images are here, and writes assets/likeness.json.

    `lab` trains the network that the Lab begins with for its one step and writes what is seen of it
    to assets/lab/, after the Lab's first preset or its pictures have changed.

    `runs` lists the studies of docs/runs.toml, the most important first: what each decides, how
    much of it is trained, and the core-hours that are left. `study NAME` trains what is missing;
    stopped, it goes on from the last epoch. With --time a few steps of every recipe that is left
    are timed on one core, and what an epoch takes is kept in the file.

    Examples:
      python -m hvae_core maintain runs
      python -m hvae_core maintain runs --time
      python -m hvae_core maintain ship runs/glyphs-hvae3-elbo/glyphs-hvae3-elbo.safetensors
      python -m hvae_core maintain ship assets/checkpoints/*.safetensors
          halves what is still in 32 bits
      python -m hvae_core maintain results               every shipped checkpoint, all its sets
      python -m hvae_core maintain results glyphs-hvae3-elbo
      python -m hvae_core maintain results --data-root ~/images
          with the sets that do not ship
    """
    if INSTALLED:
        raise ConfigError(
            "This writes what ships with the project: run it in a clone of its repository."
        )
    if action == "runs":
        _runs(runs, time=time, as_json=as_json)
    elif action == "ship":
        _ship(names, data, as_json=as_json)
    elif action == "likeness":
        _likeness(data)
    elif action == "lab":
        from hvae_core.training.lab.first import FOLDER, make_first

        make_first()
        show.say(f"{FOLDER}: what the Lab shows first")
    else:
        _results(names, data)


def _runs(folder: str, *, time: bool, as_json: bool) -> None:
    """The ledger as it stands, timed first where that is asked for."""
    from hvae_core.studies.ledger import keep_seconds, lines, read_ledger, time_epochs

    ledger, place = read_ledger(), named_path(folder, ConfigError)
    if time:
        with show.progress_bar() as bar:
            keep_seconds(ledger, time_epochs(ledger, place, bar))
        ledger = read_ledger()
    found = lines(ledger, place)
    if as_json:
        show.as_json(
            [
                {**asdict(line), "hours": None if math.isnan(line.hours) else line.hours}
                for line in found
            ]
        )
        return
    rows = [
        (str(rank), line.name, line.decides, line.state, _hours(line))
        for rank, line in enumerate(found, start=1)
    ]
    head = ("", "study", "decides", "state", "core-hours left")
    show.table("Runs, the most important first", head, rows, left=4)
    show.say("python -m hvae_core study NAME  trains what is missing, and makes the tables.")


def _hours(line: Line) -> str:
    if math.isnan(line.hours):
        return "not timed"
    return f"{line.hours:.1f}" + ", more than a day" * line.long


def _ship(files: Sequence[str], data: DataOptions, *, as_json: bool) -> None:
    """Write each file, or say why its weights must stay in 32 bits."""
    from hvae_core.checkpoint import library, load_checkpoint
    from hvae_core.evaluation.ship import IMAGES, ship
    from hvae_core.evaluation.worlds import world_of

    if not files:
        raise CheckpointError("Name the files to ship, those of finished runs.")
    rows = []
    with show.progress_bar() as bar:
        for file in files:
            checkpoint = load_checkpoint(file)
            sets = data.sets(world_of(checkpoint), IMAGES)
            images = sets.images(checkpoint, "validation", bar)
            path = library.SHIPPED / f"{checkpoint.name}.safetensors"
            change = ship(checkpoint, images, path)
            rows.append({"path": str(path), "bytes": path.stat().st_size, "change": change})
    if as_json:
        show.as_json(rows)
        return
    for row in rows:
        show.say(f"{row['path']}: {row['bytes']:,} bytes, bounds change by {row['change']:.4%}")


def _results(names: Sequence[str], data: DataOptions) -> None:
    """Write one file for every checkpoint and set, with a line each as it is written."""
    from hvae_core.checkpoint import load_checkpoint, shipped_checkpoints
    from hvae_core.common.errors import MissingImages
    from hvae_core.data import worlds
    from hvae_core.evaluation.store import store_identities
    from hvae_core.evaluation.worlds import world_of
    from hvae_core.scores.store import stored_results

    shipped = shipped_checkpoints()
    wrong = [name for name in names if name not in shipped]
    if wrong or not shipped:
        there = ", ".join(shipped) or "none"
        named = f"{', '.join(wrong)} is not" if wrong else "There is no checkpoint"
        raise CheckpointError(f"{named} in assets/checkpoints/ (there: {there}).")
    missing: set[str] = set()
    with show.progress_bar() as bar:
        for name in names or shipped:
            checkpoint = load_checkpoint(shipped[name])
            for path in stored_results(checkpoint, data.sets(world_of(checkpoint)), bar):
                if isinstance(path, MissingImages):
                    missing.add(str(path))
                else:
                    bar.line(f"{name}/{path.name}: {path.stat().st_size:,} bytes")
        store_identities(worlds().values())
    for reason in sorted(missing):
        show.note(f"left out: {reason}")


def _likeness(data: DataOptions) -> None:
    """Compare the pairs that ship on every set at hand where that is not done, and write it."""
    from hvae_core.checkpoint import load_checkpoint, shipped_checkpoints
    from hvae_core.common.errors import MissingImages
    from hvae_core.evaluation.worlds import world_of
    from hvae_core.probes import layer_likeness, shipped_likeness

    shipped, found = shipped_checkpoints(), {}
    with show.progress_bar() as bar:
        for a, b in shipped_likeness.pairs([*shipped]):
            first, second = (load_checkpoint(shipped[name]) for name in (a, b))
            digests = first.digest, second.digest
            sets = data.sets(world_of(first))
            for spec in sets.world.with_role("in", "out", "control"):
                try:
                    images = sets.choose(spec.name, bar)
                except MissingImages as error:
                    bar.line(f"left out: {error}")
                    continue
                pixels = (
                    images.fit(first.image_shape).digest, images.fit(second.image_shape).digest
                )  # fmt: skip
                key = layer_likeness.likeness_key(digests, pixels, 0)
                if shipped_likeness.shipped_arrays(key) is not None:
                    continue
                (one,) = layer_likeness.likeness_of_sets(
                    str(shipped[a]), str(shipped[b]), [images], 0, progress=bar
                )
                found[key] = f"{a}, {b}, {spec.name}", layer_likeness.pack(one)
                bar.line(f"{a}, {b}: {spec.title}")
    kept = shipped_likeness.store(found)
    show.say(f"{shipped_likeness.FILE}: {len(found)} comparisons made, {kept} in all")
