"""``score``: bounds and scores of more images than fit, part by part, into a folder near or far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hvae_core.cli import show
from hvae_core.cli.options import BoundOptions, CheckpointName, Json, kept, option, options, whole

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.common.far import Folder
    from hvae_core.common.progress import Progress
    from hvae_core.detection.judging import Judging
    from hvae_core.detection.many.executor import Executor
    from hvae_core.detection.many.run import Summary
    from hvae_core.evaluation.evaluation import EvalSettings
    from hvae_core.scores import Score
    from hvae_core.scores.material import Reference


@kept("Finished parts are in the folder; the same command continues from there.")
def score(
    name: CheckpointName,
    source: Annotated[
        str,
        Parameter(
            name="SOURCE",
            help="a folder or file of images: a path, or a URL as s3://...; either with :SPLIT; "
            "or a set of the hub that was downloaded",
        ),
    ],
    /,
    *,
    out: Annotated[str, option("folder of the results: a path, or a URL as s3://...", "DIR")],
    scores: Annotated[
        tuple[str, ...],
        options(
            "scores by key, as `scores` lists them (default: those of the bounds, and path)", "KEY"
        ),
    ] = (),
    own_score: Annotated[
        tuple[str, ...],
        option("a score of your own: a function of what scores read", "FILE.py:FUNCTION"),
    ] = (),
    bounds: BoundOptions = BoundOptions(),
    limit: Annotated[int, whole(0, "images at most; 0 for all")] = 0,
    prepare: Annotated[
        str, option("steps on every image before it is resized: invert, crop, pad", "STEPS")
    ] = "",
    download: Annotated[bool, option("fetch a set of the hub that is not on this machine")] = False,
    part: Annotated[int | None, whole(0, "compute this part alone, counted from 0")] = None,
    part_images: Annotated[
        int | None, whole(1, "images of a part (default: 5,000, fewer of large images)")
    ] = None,
    workers: Annotated[int, whole(1, "processes of this machine, of one thread each")] = 1,
    scheduler: Annotated[
        str | None,
        option("have the parts computed by a Dask cluster, by its scheduler's address", "ADDRESS"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Scores of images by the million, part by part, into a folder of Parquet files.

    Read a source part by part, compute the bounds and scores of every image, and write one Parquet
    file a part: file names, labels, digests, bounds, scores. Memory holds one part. A part whose
    file is there is not computed again: after Ctrl-C, or when a machine went down, the same command
    goes on. An image that cannot be read is a row with the reason. The model is named as --model.

    Examples:
      python -m hvae_core score ~/images/ten-million --model runs/letters --out scored
      python -m hvae_core score train.parquet --model glyphs-hvae3-elbo --out scored --workers 8 \\
          --samples 1 --partial-samples 1
      python -m hvae_core score s3://bucket/shards --model runs/letters --out s3://bucket/scored \\
          --scheduler tcp://host:8786
          by the workers of a Dask cluster, which see the model under the same name
      python -m hvae_core score shards --model runs/letters --out s3://bucket/scored --part 17
          one part alone, as a batch system starts many such commands

    Workers of a cluster have the same versions of this project and its libraries, and see source,
    model and folder under the same names. Whoever computes a part, its figures are the same.
    """
    from hvae_core.common.far import Folder
    from hvae_core.data.prepare import parse_steps
    from hvae_core.data.stream import Source
    from hvae_core.detection.judging import judging
    from hvae_core.detection.many import run as many
    from hvae_core.detection.many.fitted import fitted_to, keep_fitted
    from hvae_core.detection.many.layout import parts_there
    from hvae_core.detection.many.summarise import summarised
    from hvae_core.detection.many.task import Task, check_scores

    known = judging(name)
    bounds.place(known.checkpoint)
    settings, folder = bounds.settings(), Folder.of(out)
    asked = scores or _default(known, folder, own_score)
    chosen = _chosen(known.checkpoint, asked, own_score)
    check_scores(chosen)
    with show.progress_bar() as bar:
        held_out, fitted = fitted_to(known, chosen, settings, bar)
        task = Task(
            source=Source(source, known.image_shape, limit or None, parse_steps(prepare), download),
            model=str(known.path or name),
            digest=known.digest,
            settings=settings,
            scores=tuple(one.key for one in chosen[: len(chosen) - len(own_score)]),
            own=own_score,
            part_images=part_images or many.part_size(known.model.dims),
            out=out,
            device=bounds.device,
            compiling=bounds.compiling,
            reference=_reference(known, chosen, settings, bar),
            held_out=held_out,
        )
        levels = known.model.n_levels
        task, job, notes = many.begin(task, name=known.name, levels=levels, progress=bar)
        if fitted is not None:
            keep_fitted(folder, fitted)
        executor = _executor(workers, scheduler)
        done = many.run(task, job, executor=executor, only=part, progress=bar)
        if part is None and len(parts_there(Folder.of(out))):
            summarised(Folder.of(out), bar)  # so that the folder opens at once
    _tell(done, out, (*job.notes, *notes), as_json=as_json)


def _executor(workers: int, scheduler: str | None) -> Executor:
    """Who runs the parts."""
    from hvae_core.common.errors import ConfigError
    from hvae_core.detection.many.cluster import Cluster
    from hvae_core.detection.many.executor import Here, Processes

    if scheduler is not None:
        if workers > 1:
            raise ConfigError("Give --workers for this machine, or --scheduler, not both.")
        return Cluster(scheduler)
    return Processes(workers) if workers > 1 else Here()


def _default(known: Judging, out: Folder, own: tuple[str, ...]) -> tuple[str, ...]:
    """The scores of a folder that is begun already, else those of the bounds and the path.

    The path is left out where the held-out images here give it no say, and a note says why.
    """
    from hvae_core.common.errors import DataError
    from hvae_core.detection.judging import held_out_images
    from hvae_core.detection.many.layout import read_job
    from hvae_core.detection.standard import PATH, no_say
    from hvae_core.scores import score_list
    from hvae_core.scores.material import half_of

    job = read_job(out)
    if job is not None:
        mine = {text.rpartition(":")[2] for text in own}
        return tuple(key for key in job.scores if key not in mine)
    keys = tuple(score.key for score in score_list(known.model.n_levels))
    try:
        half = half_of(held_out_images(known).fit(known.image_shape).image_digests())
    except DataError:
        half = half_of(())
    levels, layers = known.model.n_levels, len(known.units)
    why = no_say(len(half), int(half.sum()), n_levels=levels, n_layers=layers)
    if not why:
        return (*keys, PATH)
    show.note(f"Without the score {PATH}: {why}")
    return keys


def _chosen(
    checkpoint: Checkpoint, keys: tuple[str, ...], own: tuple[str, ...]
) -> tuple[Score, ...]:
    from hvae_core.cli.score_options import ScoreOptions

    return ScoreOptions(scores=keys, own_score=own).chosen(checkpoint)


def _reference(
    known: Judging, scores: tuple[Score, ...], settings: EvalSettings, progress: Progress
) -> Reference | None:
    """Statistics of the training images of the model's world, where a score compares with them."""
    from hvae_core.evaluation.sets import Sets
    from hvae_core.evaluation.worlds import world_of
    from hvae_core.scores.assemble import needed
    from hvae_core.scores.reference import reference_of

    if "reference" not in needed(scores)[0]:
        return None
    sets = Sets(world_of(known.checkpoint, None))
    return reference_of(known.checkpoint, sets, settings, progress=progress)


def _tell(done: Summary, out: str, notes: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        show.as_json(
            {"out": out, "parts": done.parts, "images": done.images, "computed": done.computed,
             "failed": done.failed, "seconds": done.seconds, "notes": list(notes),
             "lost": {str(number): why for number, why in done.lost.items()}}
        )  # fmt: skip
    else:
        pace = f", {done.computed / done.seconds:,.0f} a second" if done.computed else ""
        show.say(
            f"{out}: images {done.images:,}, parts {done.parts:,}, computed now "
            f"{done.computed:,}{pace}"
        )
        if done.failed:
            show.note(f"Images without figures: {done.failed:,}; the column error says why.")
        for text in notes:
            show.note(text)
    for number, why in done.lost.items():
        show.lacking(f"Part {number} could not be had: {why}")
