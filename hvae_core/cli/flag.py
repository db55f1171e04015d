"""``flag``: which of many scored images are out of distribution, from the folder of ``score``."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hvae_core.cli import show
from hvae_core.cli.judge import Alpha
from hvae_core.cli.options import Json, kept, option, options
from hvae_core.common.words import fmt, interval, percent

if TYPE_CHECKING:
    from hvae_core.detection.many.flagging import Count
    from hvae_core.detection.many.reference import HeldScores
    from hvae_core.detection.many.sketch import Area
    from hvae_core.detection.many.summary import FolderSummary


@kept("Nothing was flagged; what was read of the parts is not kept.")
def flag(
    folder: Annotated[
        str, Parameter(name="OUT", help="the folder that `score` filled: a path or a URL")
    ],
    /,
    *,
    reference: Annotated[
        str | None,
        option(
            "another folder of `score`: images of the model's own kind, scored in the same way "
            "(default: the held-out images of the model, scored now)",
            "REF",
        ),
    ] = None,
    alpha: Alpha = 0.05,
    scores: Annotated[
        tuple[str, ...],
        options("decide by these scores (default: those of the verdict)", "KEY"),
    ] = (),
    flagged: Annotated[
        str | None, option("write a row a flagged image, as .csv or .parquet", "FILE")
    ] = None,
    checkpoint: Annotated[
        str | None,
        option("the model's file, where its name leads nowhere on this machine", "FILE"),
    ] = None,
    held_out: Annotated[
        str | None,
        option("held-out images of the model's own kind (default: as `judge`)", "SET"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Which of many scored images are out of distribution?

    Read the folder that `score` filled, part by part: every score against a reference (AUROC), and
    which images are flagged. Of images like the reference, a share of at most --alpha is flagged.

    Examples:
      python -m hvae_core flag scored --flagged flagged.csv
      python -m hvae_core flag scored --reference scored-validation --alpha 0.01
      python -m hvae_core flag s3://bucket/run --scores elbo llr_1 --flagged flagged.parquet

    An image's p-value is its conformal p-value against the reference (Havtorn et al. 2021, section
    5), of several scores that of all together, as `judge` has it. The AUROC of more than 8,192
    images is taken from a sketch of the scores; how far that may move it is printed (error), and is
    0 for fewer.
    """
    from hvae_core.common.errors import ConfigError
    from hvae_core.common.far import Folder
    from hvae_core.detection.many import flagging
    from hvae_core.detection.many import reference as references
    from hvae_core.detection.many.columns import job_of
    from hvae_core.detection.many.fitted import kept_fitted
    from hvae_core.detection.many.summarise import summarised

    if reference is not None and (held_out is not None or checkpoint is not None):
        raise ConfigError("Give --reference, or --held-out and --checkpoint, not both.")
    out = Folder.of(folder)
    job = job_of(out)
    references.deciding(job, scores)  # refuses a score that is not there before anything is read
    with show.progress_bar() as bar:
        whole = summarised(out, bar)
        against = (
            references.of_folder(job, Folder.of(reference), bar, fitted=kept_fitted(out))
            if reference is not None
            else references.held_out(out, checkpoint, held_out, progress=bar)
        )
        keys, ends = references.deciding(job, scores, against, alpha=alpha)
        rows = flagging.written_rows(flagged, keys) if flagged else nullcontext(_ignored)
        with rows as take:
            count = flagging.flag(
                out, keys, against, alpha=alpha, take=take, two_sided=ends, progress=bar
            )
    areas = _areas(whole, against)
    if as_json:
        show.as_json(
            {"folder": folder, "model": job.model, "digest": job.digest, "alpha": alpha,
             "decided_by": keys, "reference": against.title, **asdict(count),
             "rows": whole.rows, "failed": whole.failed, "repeated": whole.repeated,
             "scores": {key: _figures(whole, key, areas.get(key)) for key in whole.scores}}
        )  # fmt: skip
        return
    if against.no_path and not scores:
        show.note(against.no_path)
    _tell(whole, against, areas, count=count, alpha=alpha)
    show.say(f"Decided by {', '.join(keys)}.")
    if job.parts is not None and len(whole.parts) < job.parts:
        show.note(f"{len(whole.parts):,} of {job.parts:,} parts are there yet.")
    if whole.repeated:
        one = whole.repeats[0]
        show.note(
            f"{whole.repeated:,} of the images have the pixels of an earlier one. The first: "
            f"{one.file or one.row} repeats {one.first_file or one.first_row}. Equal pictures have "
            "equal values in the column digest."
        )
    if flagged:
        show.say(f"The flagged images are in {flagged}")


def _ignored(rows: Any) -> None:
    """Receive flagged rows that nobody asked for."""


def _areas(whole: FolderSummary, against: HeldScores) -> dict[str, Area]:
    from hvae_core.detection.many.sketch import Sketch, area

    return {
        key: area(Sketch.of(against.measure(key)), one.sketch)
        for key, one in whole.scores.items()
        if key in against.scores and min(one.n, len(against.measure(key))) >= 2
    }


_SHARES = (0.05, 0.5, 0.95)


def _figures(whole: FolderSummary, key: str, area: Area | None) -> dict[str, Any]:
    one = whole.scores[key]
    quantiles: Iterable[float] = one.sketch.quantiles(_SHARES) if one.n else ()
    return {
        "n": one.n,
        "mean": one.mean,
        "deviation": one.deviation,
        "quantiles": dict(zip(map(str, _SHARES), map(float, quantiles), strict=False)),
        "rank_error": one.sketch.share_error,
        "auroc": None if area is None else asdict(area),
        "unusual": [asdict(each) for each in one.unusual[:10]],
    }


def _tell(
    whole: FolderSummary, against: HeldScores, areas: dict[str, Area], *, count: Count, alpha: float
) -> None:
    """The scores as a table, then what was flagged."""
    rows = []
    for key, one in whole.scores.items():
        found = areas.get(key)
        quantiles = [fmt(float(q)) for q in one.sketch.quantiles(_SHARES)] if one.n else ["-"] * 3
        area = interval(found.value, found.low, found.high) if found else "-"
        error = "-" if found is None else "0" if not found.error else f"{found.error:.1g}"
        rows.append((key, f"{one.n:,}", fmt(one.mean), *quantiles, area, error))
    show.table(
        "Scores, and how well each tells these images from the reference",
        ("score", "images", "mean", "5 %", "median", "95 %", "AUROC", "error"),
        rows,
    )
    share = percent(count.flagged / count.judged) if count.judged else "none"
    show.say(
        f"{count.flagged:,} of {count.judged:,} images flagged ({share}); of images like the "
        f"reference, at most {percent(alpha)} are."
    )
    show.say(f"Held against {count.references:,} images: {against.title}")
    if count.fitted:
        show.say(f"Not judged: {count.fitted:,} that the density of a deciding score is fitted to")
    if count.unjudged:
        show.say(f"Not judged: {count.unjudged:,} that could not be read or have no finite score")
