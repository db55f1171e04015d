"""``evaluate``: how well a checkpoint tells sets apart, and what its layers carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from hvae_core.cli import show
from hvae_core.cli.options import (
    PARTS,
    BoundOptions,
    CheckpointName,
    DataOptions,
    Json,
    SetOptions,
    kept,
    option,
)
from hvae_core.cli.score_options import ScoreOptions
from hvae_core.common.files import named_path, written
from hvae_core.common.progress import Progress, part

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.data import World
    from hvae_core.detection.report import Report
    from hvae_core.evaluation.evaluation import Evaluation
    from hvae_core.evaluation.sets import Sets
    from hvae_core.scores import Material, Score


@dataclass(frozen=True)
class EvaluatedSets:
    """Sets under a checkpoint, the in-distribution set first, and what scores read of them.

    ``notes`` say by set what was done to its images, ``missing`` why a set, or what some scores
    read of it, could not be had.
    """

    sets: Sets
    evaluations: list[Evaluation]
    materials: Mapping[str, tuple[Material, ...]]
    notes: dict[str, tuple[str, ...]]
    missing: dict[str, str]


@kept(PARTS)
def evaluate(
    name: CheckpointName,
    /,
    *,
    sets: SetOptions = SetOptions(),
    bounds: BoundOptions = BoundOptions(),
    scores: ScoreOptions = ScoreOptions(),
    data: DataOptions = DataOptions(),
    as_json: Json = False,
    csv: Annotated[
        str | None, option("write the detection metrics, one row for each set and score", "FILE")
    ] = None,
    images: Annotated[
        str | None,
        option("write every score of every image, with its file", "FILE", name="--images-csv"),
    ] = None,
) -> None:
    """Detection metrics, KL, bits/dim and active units of a checkpoint.

    Evaluate a checkpoint on its in-distribution set and on out-of-distribution sets. Prints AUROC,
    AUPRC, FPR80 and FPR95 of every score on equal numbers of images, KL and active units by layer,
    and bits per dimension by k, for every set.

    Examples:
      python -m hvae_core evaluate glyphs-hvae3-elbo
          a shipped checkpoint against every set of its world

      python -m hvae_core evaluate glyphs-hvae3-elbo --out digits --out greek --json
          two sets, as JSON

      python -m hvae_core evaluate runs/mine/mine.safetensors --world glyphs --out ~/images/cats
          a file, and a folder of images of your own as out-of-distribution set

      python -m hvae_core evaluate fashion-hvae3-freebits --data-root ~/images --limit 0 \\
          --samples 100
          all images of every set, importance-weighted bounds of 100 samples

      python -m hvae_core evaluate glyphs-hvae3-elbo --out digits \\
          --scores llr_1 typicality complexity
          these scores, on this set (`scores` lists all of them)

      python -m hvae_core evaluate glyphs-hvae3-elbo --ensemble glyphs-hvae3-freebits \\
          --scores elbo waic
          WAIC over two checkpoints

      python -m hvae_core evaluate glyphs-hvae3-elbo --out digits --limit 100 --scores regret_z
          likelihood regret refits q to every image, which takes a while: few images

      python -m hvae_core evaluate glyphs-hvae3-elbo --own-score mine.py:top_kl
          a score of your own, higher for stranger images: mine.py holds

              def top_kl(material):
                  "KL of the top layer"
                  return material.table.kl[:, -1]

          table.bound and table.nll are (images, k), table.kl (images, layers), all in nats;
          latents[i] are posterior means (images, units) of z_{i+1}. The file is run as it is.

    A SET is a name of the world (see `datasets`), a set of another world as WORLD:SET, a set that
    the papers name as NAME[:SPLIT][+CHANGE...] (svhn, mnist:train, smallnorb+inverted,
    celeba+resized), a path (a folder of images, .parquet, .npz, .zip, or one image), or
    OWNER/NAME[:SPLIT] on the Hugging Face hub, with a configuration OWNER/NAME:CONFIG:SPLIT;
    --download fetches what is not here. Images of another size are resized to the model's, and a
    line says so.

    Every set is represented by at most 1,000 images unless --limit says otherwise. A result is kept
    in the cache: asking again is quick, and after Ctrl-C the same command continues where it
    stopped. Results that ship with the project are taken for the same checkpoint, settings and
    pixels, and stand in for images that are not on this machine.

    A score that fits a density, as path, is fitted to one half of the world's validation images.
    These count in none of its figures: of --out validation the other half does, and a line says so.
    """
    from hvae_core.cli.report import print_report
    from hvae_core.detection.half_precision import measured_error
    from hvae_core.detection.report import report
    from hvae_core.door import load_checkpoint

    checkpoint = load_checkpoint(name)
    chosen = scores.chosen(checkpoint)  # a misspelt one is told before anything is computed
    rounding = None
    with show.progress_bar() as bar:
        evaluated = evaluate_sets(
            checkpoint, chosen, sets=sets, bounds=bounds, scores=scores, data=data, progress=bar
        )
        if (settings := bounds.settings()).precision != "float32":
            rounding = measured_error(
                checkpoint, evaluated.sets, list(evaluated.notes), settings=settings, progress=bar
            )
    inside, *outside = evaluated.evaluations
    result = report(inside, outside, bounds.seed, scores=chosen, materials=evaluated.materials)
    if csv:
        write_csv(named_path(csv), result.rows())
    if images:
        from hvae_core.detection.by_image import image_rows

        rows = image_rows(evaluated.evaluations, result.scores, evaluated.materials)
        write_csv(named_path(images), rows)
    _need_scores(result, every=scores.named)
    world = evaluated.sets.world
    if as_json:
        show.as_json(
            {"name": checkpoint.name, "title": checkpoint.card.title, "world": world.key,
             "limit": sets.limit or None, "notes": {k: list(v) for k, v in evaluated.notes.items()},
             "missing": evaluated.missing, "precision_error": rounding and asdict(rounding),
             **result.to_dict()}
        )  # fmt: skip
        return
    show.say(f"{checkpoint.card.title or checkpoint.name} (sha256 {checkpoint.digest[:16]})\n")
    print_report(result, {spec.name: spec.title for spec in world.sets})
    titles = set(evaluated.sets.notes())
    for set_name, notes in evaluated.notes.items():
        if notes and world.spec(set_name).title not in titles:  # the others are told at the end
            show.note(f"{set_name}: {'; '.join(notes)}")
    for set_name, reason in evaluated.missing.items():
        show.note(f"left out {set_name}: {reason}")
    if rounding:
        show.note(f"{bounds.precision} {rounding}")


def _need_scores(result: Report, *, every: bool) -> None:
    """Fail at the end where no score could be had on any set; of named scores ``every`` is needed.

    Of a list that nobody wrote, as all scores, some are always lacking.
    """
    had = {key for outside in result.outside for key in outside.detections}
    reasons = {key: why for outside in result.outside for key, why in outside.unavailable.items()}
    if not had:
        show.lacking(f"No score could be had: {next(iter(reasons.values()))}")
    elif every:
        for key, why in reasons.items():
            if key not in had:
                show.lacking(f"{key} could not be had: {why}")


def evaluate_sets(
    checkpoint: Checkpoint,
    chosen: Sequence[Score],
    *,
    sets: SetOptions,
    bounds: BoundOptions,
    scores: ScoreOptions,
    data: DataOptions,
    progress: Progress,
) -> EvaluatedSets:
    """Evaluate the sets asked for, and assemble what the chosen scores read of them.

    A set that was not named and is not on this machine is left out. Raises ``DataError`` where
    nothing is left to hold against the in-distribution set.
    """
    from hvae_core.common.errors import DataError, MissingImages
    from hvae_core.evaluation import lookup
    from hvae_core.scores.assemble import Computed, assemble

    world, names = choose_sets(checkpoint, sets, data)
    bounds.place(checkpoint)
    result = EvaluatedSets(data.sets(world, sets.limit), [], {}, notes={}, missing={})
    for done, name in enumerate(names):
        step = part(progress, done, len(names), where=f"{done + 1} of {len(names)}")
        try:
            answer = lookup.evaluated(
                checkpoint, result.sets, name, settings=bounds.settings(), progress=step
            )
        except MissingImages as error:
            if done == 0 or sets.outside:
                raise
            result.missing[name] = str(error)
            continue
        result.evaluations.append(answer.evaluation)
        result.notes[name] = answer.notes
    if len(result.evaluations) < 2:
        raise DataError(
            f"None of the out-of-distribution sets of {world.title} is on this machine; fetch them "
            "with --download, name a folder with --data-root, or a set of your own with --out."
        )
    if not any(score.needs or score.measures for score in chosen):
        return result
    source, beside = Computed(checkpoint, result.sets), scores.beside(world)
    assembled = assemble(source, result.evaluations, chosen, beside=beside, progress=progress)
    result.missing.update(assembled.notes)
    return replace(result, materials=assembled.materials)


def choose_sets(
    checkpoint: Checkpoint, sets: SetOptions, data: DataOptions
) -> tuple[World, tuple[str, ...]]:
    """The world with the user's own sets; the in-distribution set's name, then those held against.

    Raises ``DataError`` where a set stands on both sides, or no world is known for their names.
    """
    from hvae_core.common.errors import DataError
    from hvae_core.data.named import own_world
    from hvae_core.evaluation import worlds

    if sets.inside and sets.outside and not sets.world and not worlds.world_key(checkpoint):
        world = own_world(checkpoint.config.image_shape)
    else:
        world = worlds.world_of(checkpoint, sets.world)  # says what is missing
    in_name = world.in_name
    if sets.inside:
        world, in_name = data.place(world, sets.inside, "in")
    out_names = []
    for source in sets.outside:
        world, name = data.place(world, source, "out")
        out_names.append(name)
    if not sets.outside:
        out_names = [s.name for s in world.with_role("out", "control") if s.name != in_name]
    if in_name in out_names:
        raise DataError(f"{in_name} is in-distribution here; name another set with --out.")
    return world, (in_name, *dict.fromkeys(out_names))


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows to a file: one for each set and score, or one for each image."""
    from hvae_core.common.spreadsheet import csv_text

    heads = list(rows[0]) if rows else ["set", "score"]
    text = csv_text(heads, [list(row.values()) for row in rows])
    with written(path) as draft:
        draft.write_text(text, "utf-8", errors="backslashreplace")
