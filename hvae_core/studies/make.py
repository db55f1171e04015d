"""One table of a study: from evaluations alone, or by asking its models something else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hvae_core.common.progress import Progress, part
from hvae_core.studies.find import wanted
from hvae_core.studies.members import Subject
from hvae_core.studies.run import Place, world_for
from hvae_core.studies.spec import StudySpec, TableSpec
from hvae_core.studies.table import Table

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.studies.sample_tables import Sampled


def make_table(
    study: StudySpec, spec: TableSpec, subjects: Sequence[Subject], *, place: Place, bar: Progress
) -> Table:
    """One table of the study, with printed figures; what it asks of models is kept in the cache."""
    from hvae_core.studies.printed import beside
    from hvae_core.studies.tables import make

    asked = {"samplers": _samplers, "compression": _compression, "attacks": _attacks}
    if spec.kind not in asked:
        return beside(make(spec, subjects, study.sets), spec)
    chosen = [s for s in subjects if not spec.models or s.name in spec.models]
    return beside(asked[spec.kind](study, spec, chosen, place=place, bar=bar), spec)


def settings(spec: TableSpec, seed: int) -> dict[str, str]:
    """What a table was made with, in words, where that is not how the study's bounds are made."""
    radii = ", ".join(f"{radius:g}" for radius in spec.radii)
    words = {
        "attacks": f"{spec.images} images, {spec.ascent} steps of ascent from one start, radius "
        f"{radii}, seed {seed}",
        "compression": f"pictures {', '.join(Path(name).name for name in spec.pictures)}, "
        f"seed {seed}",
        "samplers": f"{spec.draws:,} draws, seed {seed}",
        "stability": "what each checkpoint keeps of its training",
    }
    return {"settings": words[spec.kind]} if spec.kind in words else {}


def _checkpoints(study: StudySpec, subject: Subject, place: Place) -> Iterator[Checkpoint]:
    """The checkpoints of every seed of a model that is here, read one by one."""
    from hvae_core.checkpoint import load_checkpoint

    for run in wanted(study, place.runs):
        if run.model.name == subject.name and run.path is not None:
            yield load_checkpoint(run.path)


def _samplers(
    study: StudySpec, spec: TableSpec, subjects: Sequence[Subject], *, place: Place, bar: Progress
) -> Table:
    from hvae_core.studies.sample_tables import samplers_table

    drawn = {s.name: _draws(spec, s, study, place=place, progress=bar) for s in subjects}
    return samplers_table(spec, subjects, drawn)


def _draws(
    spec: TableSpec, subject: Subject, study: StudySpec, place: Place, progress: Progress
) -> list[dict[str, Sampled]]:
    """Samples of every seed of a model, read by the judge."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.common.errors import MissingImages
    from hvae_core.evaluation.lookup import checkpoint_path
    from hvae_core.evaluation.sets import Sets
    from hvae_core.evaluation.worlds import world_of
    from hvae_core.studies.sample_tables import sampled

    judge = load_checkpoint(checkpoint_path(spec.judge))
    world = world_of(judge)
    sets = Sets(world, place.data_root, spec.draws, download=place.download)
    try:
        held = {name: sets.images(judge, name) for name in (world.in_name, "validation")}
    except MissingImages:
        return []
    held["test"] = held[world.in_name]
    seed = study.settings.seed
    return [
        sampled(checkpoint, judge, held, spec=spec, seed=seed, progress=progress)
        for checkpoint in _checkpoints(study, subject, place)
    ]


def _compression(
    study: StudySpec, spec: TableSpec, subjects: Sequence[Subject], *, place: Place, bar: Progress
) -> Table:
    from hvae_core.studies.probe_tables import compression_table, photographs, rebuilt

    pictures = photographs(spec.pictures)
    rates = {
        subject.name: [
            rebuilt(checkpoint, pictures, seed=study.settings.seed, progress=step)
            for checkpoint in _checkpoints(study, subject, place)
        ]
        for subject, step in zip(subjects, _parts(bar, len(subjects)), strict=True)
    }
    return compression_table(spec, subjects, rates)


def _attacks(
    study: StudySpec, spec: TableSpec, subjects: Sequence[Subject], *, place: Place, bar: Progress
) -> Table:
    from hvae_core.common.errors import MissingImages
    from hvae_core.evaluation.sets import Sets
    from hvae_core.studies.probe_tables import Attacked, attacks_table, under_attack

    found: dict[str, list[Attacked]] = {}
    for subject, step in zip(subjects, _parts(bar, len(subjects)), strict=True):
        found[subject.name] = []
        for checkpoint in _checkpoints(study, subject, place):
            world = world_for(checkpoint, study)
            sets = Sets(world, place.data_root, spec.images, download=place.download)
            try:
                images = sets.images(checkpoint, world.in_name)
            except MissingImages:
                continue
            seed = study.settings.seed
            found[subject.name].append(
                under_attack(checkpoint, images, spec, seed=seed, progress=step)
            )
    return attacks_table(spec, subjects, found)


def _parts(bar: Progress, n: int) -> Iterator[Progress]:
    return (part(bar, at, n) for at in range(n))
