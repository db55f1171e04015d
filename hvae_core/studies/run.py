"""The slow part of ``study``: train what is missing and evaluate; all resumable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hvae_core.common.progress import Progress, Say, part, silent, unsaid
from hvae_core.studies.find import Wanted, left_out, to_train, wanted
from hvae_core.studies.spec import OUTSIDE, WITHOUT_BOUNDS, StudySpec

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint, CheckpointInfo
    from hvae_core.data import World
    from hvae_core.evaluation.evaluation import Evaluation
    from hvae_core.evaluation.sets import Sets
    from hvae_core.scores import Material, Score
    from hvae_core.studies.members import Member, Subject


@dataclass(frozen=True)
class Place:
    """Where a study finds runs (the first folder takes new ones) and images."""

    runs: tuple[Path, ...]
    data_root: str | None = None
    download: bool = False


def train_missing(
    study: StudySpec, place: Place, progress: Progress = silent, *, say: Say = unsaid
) -> None:
    """Train every preset and seed that is not here, into its folder; resumes what was begun."""
    from hvae_core.config.presets import get_preset
    from hvae_core.training.recipe import train_preset

    for run in to_train(study, place.runs):
        say(f"training {run.what}, epochs {run.done + 1} to {run.epochs}, in {run.folder}")
        train_preset(
            get_preset(run.model.preset),
            run.folder,
            epochs=run.epochs,
            seed=run.seed,
            data_root=place.data_root,
            download=place.download,
            precision=run.model.precision,
            progress=progress,
            say=say,
        )


def gather_all(
    study: StudySpec, place: Place, progress: Progress = silent, *, say: Say = unsaid
) -> list[Subject]:
    """The evaluations of every model of a study: stored, cached or computed.

    What is not here, a run or a set, is named and left out; of files that are left out ``say``
    receives a line each. Raises ``DataError`` for a set that no model's world has.
    """
    by_model: dict[str, list[Wanted]] = {}
    for run in wanted(study, place.runs):
        by_model.setdefault(run.model.name, []).append(run)
    _check_sets(study, [_world(runs[0], study) for runs in by_model.values()])
    total = sum(run.path is not None for runs in by_model.values() for run in runs)
    subjects, done = [], 0
    for sentence in left_out(run for runs in by_model.values() for run in runs):
        say(sentence)
    shelves: dict[str, Sets] = {}  # by world: every set is read once
    for runs in by_model.values():
        members: list[Member] = []
        for run in runs:
            if run.path is not None:
                step = part(progress, done, total, where=f"checkpoint {done + 1} of {total}")
                members.append(_member(run, study, place, shelves=shelves, progress=step))
                done += 1
        subjects.append(_subject(study, runs, members))
    return subjects


def _world(run: Wanted, study: StudySpec) -> World:
    """The world of a checkpoint, or of the preset that is not trained yet, for a study."""
    from hvae_core.config.presets import get_preset
    from hvae_core.data import worlds

    if run.info is None:
        return _with_others(worlds()[get_preset(run.model.preset).world], study)
    return world_for(run.info, study)


def world_for(checkpoint: CheckpointInfo, study: StudySpec) -> World:
    """The world of a checkpoint, with what a study holds against it."""
    from hvae_core.evaluation.worlds import world_of

    return _with_others(world_of(checkpoint), study)


def _with_others(world: World, study: StudySpec) -> World:
    """A world with the sets of other worlds that a study names as WORLD:SET."""
    from hvae_core.data import worlds

    for name in dict.fromkeys(name for t in study.tables for name in (*t.sets, *study.sets)):
        other, _, there = name.partition(":")
        if there and other != world.key and other in worlds():
            world = world.with_set(replace(worlds()[other].spec(there), name=name, role="out"))
    return world


def sets_of(study: StudySpec, world: World, model: str) -> tuple[str, ...]:
    """The out-of-distribution sets of a world that tables of the study show of a model."""
    asked: set[str] = set()
    for table in study.tables:
        if not table.models or model in table.models:
            all_of_them = (s.name for s in world.with_role("out") if table.kind in OUTSIDE)
            asked |= set(table.sets or study.sets or all_of_them)
    return tuple(s.name for s in world.with_role("validation", "out", "control") if s.name in asked)


def evaluated_sets(study: StudySpec, world: World, model: str) -> tuple[str, ...]:
    """The sets whose bounds the tables of a model read, the in-distribution one first, if any."""
    kinds = {table.kind for table in study.tables if not table.models or model in table.models}
    if kinds <= set(WITHOUT_BOUNDS):
        return ()
    return (world.in_name, *sets_of(study, world, model))


def _member(
    run: Wanted, study: StudySpec, place: Place, *, shelves: dict[str, Sets], progress: Progress
) -> Member:
    """One checkpoint with the sets that the study shows of it."""
    from hvae_core.checkpoint import CheckpointInfo, load_checkpoint
    from hvae_core.common.errors import MissingImages
    from hvae_core.evaluation.lookup import evaluated
    from hvae_core.studies.members import Member
    from hvae_core.studies.rows import NO_IMAGES

    assert run.path is not None
    checkpoint = load_checkpoint(run.path)
    world = world_for(checkpoint, study)
    sets = shelves.setdefault(world.key, _sets(study, world, place))
    names = evaluated_sets(study, world, run.model.name)
    evaluations, missing = {}, {}
    for at, name in enumerate(names):
        step = part(progress, at, len(names))
        try:
            answer = evaluated(
                checkpoint, sets, name, settings=study.evaluation(run.model), progress=step
            )
            evaluations[name] = answer.evaluation
        except MissingImages:
            missing[name] = NO_IMAGES
    scores = scores_of(study, checkpoint, run.model.name)
    found = list(evaluations.values())
    materials = materials_of(checkpoint, sets, found, scores=scores, study=study) if found else {}
    info = CheckpointInfo(**{f.name: getattr(checkpoint, f.name) for f in fields(CheckpointInfo)})
    seed = study.settings.seed
    return Member(
        info,
        world.in_name,
        evaluations,
        missing=missing,
        seed=seed,
        scores=scores,
        materials=materials,
    )


def _sets(study: StudySpec, world: World, place: Place) -> Sets:
    from hvae_core.evaluation.sets import Sets

    return Sets(world, place.data_root, study.settings.limit or None, download=place.download)


def _subject(study: StudySpec, runs: Sequence[Wanted], members: Sequence[Member]) -> Subject:
    from hvae_core.studies.members import Subject

    model, world = runs[0].model, _world(runs[0], study)
    titles = {spec.name: spec.title for spec in world.sets}
    absent = tuple(run.absent for run in runs if run.path is None)
    outside = sets_of(study, world, model.name)
    return Subject(
        model, tuple(members), titles, inside=world.in_name, outside=outside, absent=absent
    )


def _check_sets(study: StudySpec, worlds: Sequence[World]) -> None:
    from hvae_core.common.errors import DataError

    specs = [
        spec for world in worlds for spec in world.with_role("validation", "in", "out", "control")
    ]
    names = sorted({spec.name for spec in specs})
    for table in study.tables:
        for name in table.sets or study.sets:
            if name not in names:
                raise DataError(
                    f"Table {table.key} names the set {name}, which no world of the study has; it "
                    f"has {', '.join(names)}."
                )


def evaluations_left(study: StudySpec, place: Place) -> tuple[int, int]:
    """Evaluations that are yet to be computed, and all that the study rests on.

    Those of sets that are not on this machine do not count.
    """
    from hvae_core.evaluation.lookup import lookup

    left = total = 0
    for run in wanted(study, place.runs):
        world = _world(run, study)
        sets = _sets(study, world, place)
        for name in evaluated_sets(study, world, run.model.name):
            if run.info is None:
                here, there = False, sets.available(name)
            else:
                answer = lookup(run.info, sets, name, settings=study.evaluation(run.model))
                here, there = answer.evaluation is not None, not answer.missing
            left, total = left + (there and not here), total + (here or there)
    return left, total


def scores_of(study: StudySpec, checkpoint: CheckpointInfo, model: str) -> tuple[Score, ...]:
    """The scores of the bounds, and every other that a table shows of a model.

    Raises ``ScoreError`` for a key that does not exist.
    """
    from hvae_core.config import level_starts
    from hvae_core.scores import get_score, score_list
    from hvae_core.studies.detection_tables import numbered

    levels, names = len(level_starts(checkpoint.config.levels)), checkpoint.config.latent_names
    found = {score.key: score for score in score_list(levels)}
    for table in study.tables:
        if not table.models or model in table.models:
            for key in (numbered(key, levels) for key in table.scores):
                found.setdefault(key, get_score(key, levels, names))
    return tuple(found.values())


def materials_of(
    checkpoint: Checkpoint,
    sets: Sets,
    evaluations: Sequence[Evaluation],
    *,
    scores: Sequence[Score],
    study: StudySpec,
) -> Mapping[str, tuple[Material, ...]]:
    """What the scores read of every set; what is not here is left out, and the scores say so."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.evaluation.lookup import checkpoint_path
    from hvae_core.scores.assemble import Beside, Computed, assemble
    from hvae_core.scores.available import background_path

    others = [load_checkpoint(checkpoint_path(name)) for name in study.ensemble]
    others = [other for other in others if other.digest != checkpoint.digest]
    path = checkpoint_path(study.background) if study.background else background_path(sets.world)
    beside = Beside(tuple(others), None if path is None else load_checkpoint(path))
    return assemble(Computed(checkpoint, sets), evaluations, scores, beside=beside).materials
