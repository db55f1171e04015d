"""``judge``: is an image, or each of a folder, out of distribution under a model?"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hvae_core.cli import show
from hvae_core.cli.evaluate import write_csv
from hvae_core.cli.options import PARTS, CheckpointName, Json, kept, option, options
from hvae_core.common.files import named_path
from hvae_core.common.words import fmt, percent

if TYPE_CHECKING:
    from hvae_core.data import ImageSet
    from hvae_core.detection.detector import Detector
    from hvae_core.detection.judging import Judging


def _rate(_: type, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"must lie between 0 and 1, not at {value:g}")


Alpha = Annotated[
    float,
    Parameter(help="false alarms: the share of images like the model's own that may be called out",
              metavar="RATE", validator=_rate),
]  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """One image with its verdict: ``p_value`` of all scores together, ``level`` k it is at.

    The level is 0 where no level decides, ``by`` the score that is the most unusual, or all that
    tie, with a blank between them; the level is then the lowest of them.
    """

    image: str
    out: bool
    p_value: float
    level: int
    by: str
    headline: str
    why: str


@kept(PARTS)
def judge(
    name: CheckpointName,
    images: Annotated[
        tuple[str, ...],
        Parameter(name="IMAGES", help="image files, folders, or sets by name, one or several"),
    ],
    /,
    *,
    alpha: Alpha = 0.05,
    held_out: Annotated[
        str | None,
        option(
            "held-out images of the model's own kind, which it was not trained on (default: those "
            "that training set apart, else the validation set of its world)",
            "SET",
        ),
    ] = None,
    scores: Annotated[
        tuple[str, ...],
        options(
            "decide by these scores, as `scores` lists them (default: the likelihood, the ratios "
            "of all levels and the path through them; `bounds`: these without the path)",
            "KEY",
        ),
    ] = (),
    prepare: Annotated[str, Parameter(metavar="STEPS")] = "",
    as_json: Json = False,
    csv: Annotated[str | None, option("write a row an image", "FILE")] = None,
) -> None:
    """Is an image out of distribution under a model, and at which k?

    Judge images as the page One image does: by the likelihood, which may be too low or too high,
    the likelihood ratios of all levels, and the path through the levels, which is how usual the
    terms of the bounds are together. Their p-values against held-out images are joined by the
    harmonic mean, which is ranked among those of the held-out images: of images like these, a share
    of at most --alpha is called out. The density of the path is fitted to one half of the held-out
    images, and the other half ranks; below 200 images, and more for a model of many layers, the
    path has no say, and all rank.

    The model is a checkpoint's name or file, or the folder of a run, before the images or after
    them as --model.

    Examples:
      python -m hvae_core judge photo.png --model runs/letters
      python -m hvae_core judge ~/images/new --model runs/letters --alpha 0.01 --csv verdicts.csv
      python -m hvae_core judge photo.png --model runs/signs --scores llr_1 llr_2
          by the ratios alone
      python -m hvae_core judge drawing.png --model glyphs-hvae3-elbo --prepare invert,crop
    """
    from hvae_core.detection.judging import judging

    known = judging(name)
    with show.progress_bar() as bar:
        bar(0.0, "held-out images")
        detector = calibrated(known, alpha, held_out, by=scores)
        rows = judged_rows(detector, images, prepare)
    if csv:
        write_csv(named_path(csv), [asdict(row) for row in rows])
    if as_json:
        show.as_json(
            {"model": known.name, "digest": known.digest, "alpha": alpha,
             "held_out": len(detector.reference_), "images": [asdict(row) for row in rows]}
        )  # fmt: skip
        return
    tell(rows, detector)


def calibrated(
    known: Judging, alpha: float, held_out: str | None = None, *, by: tuple[str, ...] = ()
) -> Detector:
    """A detector by likelihood and levels, or by some scores, fitted to held-out images."""
    from hvae_core.detection.detector import Detector
    from hvae_core.detection.judging import held_out_images
    from hvae_core.detection.read import BOUNDS, LEVELS, RATIOS

    reference = held_out_images(known, held_out)
    way = by[0] if len(by) == 1 and by[0] in (LEVELS, BOUNDS, RATIOS) else by or LEVELS
    with _notes(""):
        return Detector(known.source, way, alpha).fit(reference)


@contextmanager
def _notes(of: str) -> Iterator[None]:
    """What a detector warns of, as notes."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield
    for warning in said:
        show.note(f"{of}{warning.message}.")


def judged_rows(detector: Detector, sources: tuple[str, ...], prepare: str = "") -> list[Judged]:
    """The verdict on every image of several files, folders or sets."""
    from hvae_core.data.given import given_images
    from hvae_core.data.prepare import parse_steps
    from hvae_core.detection.verdict_words import in_words

    rows: list[Judged] = []
    for source in sources:
        images = given_images(source, detector.image_shape_, prepare=parse_steps(prepare))
        for note in images.notes:
            show.note(f"{images.title}: {note}")
        names = [
            images.file(number) or _name(source, number, len(images))
            for number in range(len(images))
        ]
        with _notes(f"{images.title}: "):
            if not detector.by_verdict:
                rows += _by_scores(detector, images, names)
                continue
            judgements = detector.judgements(images)
        for name, judgement in zip(names, judgements, strict=True):
            headline, why = in_words(judgement)
            decided = judgement.verdict
            rows.append(
                Judged(
                    name, decided.out, decided.p_value, 0 if judgement.by_path else judgement.k,
                    by=" ".join(judgement.keys[place] for place in judgement.ties),
                    headline=headline, why=why,
                )
            )  # fmt: skip
    return rows


def _by_scores(detector: Detector, images: ImageSet, names: list[str]) -> list[Judged]:
    """The verdict by scores that were named: of several, as of those of the default."""
    import numpy as np

    from hvae_core.detection.combine import combined_p_values, tied
    from hvae_core.detection.conformal import conformal_p_values

    found = np.stack([*detector.scores(images).values()], axis=1)  # (N, K)
    single = combined_p_values(detector.reference_, found)
    p = single.calibrated if found.shape[1] > 1 else conformal_p_values(
        detector.reference_[:, 0], found[:, 0]
    )  # fmt: skip
    rows = []
    for number, name in enumerate(names):
        out = bool(p[number] <= detector.alpha)
        headline = "Out of distribution" if out else "Not called out"
        each = zip(detector.keys_, single.p_values[number], strict=True)
        rows.append(
            Judged(
                name, out, float(p[number]), 0,
                by=" ".join(detector.keys_[place] for place in tied(single.p_values[number])),
                headline=f"{headline} at {percent(detector.alpha)} false alarms "
                f"(p = {fmt(float(p[number]))})",
                why="By itself: " + ", ".join(f"{key} p = {fmt(float(one))}" for key, one in each),
            )
        )  # fmt: skip
    return rows


def _name(source: str, number: int, count: int) -> str:
    name = Path(source).name or source
    return name if count == 1 else f"{name} {number}"


def tell(rows: list[Judged], detector: Detector) -> None:
    """Print the verdicts: of one image in sentences, of several as a table."""
    from hvae_core.detection.standard import NO_SAY

    if len(rows) == 1:
        show.say(f"{rows[0].image}: {rows[0].headline}")
        show.say(rows[0].why)
    else:
        cells = [
            (row.image, "out" if row.out else "in", fmt(row.p_value), row.by if row.out else "")
            for row in rows
        ]
        show.table("Verdicts", ("image", "verdict", "p", "most unusual"), cells, left=2)
        out = sum(row.out for row in rows)
        show.say(
            f"{out:,} of {len(rows):,} called out; of images like the model's own, at most "
            f"{percent(detector.alpha)} are."
        )
    told = f"Held against {len(detector.reference_):,} held-out images of {detector.model_name_}"
    if detector.held_out_ is not None:
        told += f"; to {len(detector.held_out_):,} others densities were fitted"
    show.say(f"{told}. Decided by {', '.join(detector.keys_)}.")
    for note in detector.notes_:
        if note.startswith(NO_SAY):
            show.note(note)
