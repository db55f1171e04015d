"""What a verdict holds an image against: the scores of held-out images, ready for any number.

The scores are -L, at both ends, every ratio LLR_{>k}, and the path through the levels: how
usual the terms of all bounds are together. Its density is fitted to one half of the held-out images
and the other half ranks, so that a new image is one of many alike. Where they are too few for that,
all of them rank, and the path has no say.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.arrays import Floats
from hvae_core.common.words import percent
from hvae_core.detection.combine import Correction, JointReference
from hvae_core.detection.conformal import attainable
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.scores import Material, get_score
from hvae_core.scores.material import FEWEST, among, fitted_half

By = Literal["levels", "bounds"]
"""What a verdict reads: -L, every ratio and the path through the levels, or the first two alone."""
PATH = "path"
BOTH_ENDS = (0,)
"""Columns of ``verdict_scores`` that are unusual at both ends: the likelihood."""
FEWEST_FOR_PATH = 200
"""Held-out images from which on the path catches more than it costs to halve them, ..."""
FEWEST_TO_RANK = FEWEST_FOR_PATH // 2
"""... how many of them have to rank, however many there are, and ..."""
A_STATISTIC = 4
"""... how many of the half that is fitted to each path statistic takes."""
NO_SAY = "The path through the levels has no say"
"""How a note on that begins."""
SEEN = (
    "The density of the path is fitted to this image among others, so the path finds it more usual "
    "than it would a new one."
)
"""The note on an image that is one of the held-out ones."""


@final
class Standard:
    """The scores of held-out images that verdicts rest on, sorted once.

    ``keys`` of the K scores; ``scores`` (N, K) those of the images that rank, ``joint`` the same,
    ready; ``note`` says why the path has no say where it could have had one. ScoreError where the
    held-out images have no finite numbers.
    """

    def __init__(self, held_out: BoundTable, by: By = "levels", note: str = "") -> None:
        self.by, self.note = by, note
        self.keys = verdict_keys(held_out.n_levels, by)
        self.fitted: BoundTable | None = None
        ranking = held_out
        if by == "levels":
            half = fitted_half(held_out)
            self.fitted, ranking = held_out.take(half), held_out.take(~half)
        self.scores = self.read(ranking)
        self.joint = JointReference(self.scores, two_sided=BOTH_ENDS)

    def read(self, table: BoundTable) -> Floats:
        """The scores of a table's images, (B, K)."""
        scores = verdict_scores(table)
        if self.fitted is None:
            return scores
        density = get_score(PATH, table.n_levels)
        return np.column_stack([scores, density(Material(table, held_out=Material(self.fitted)))])

    def seen(self, table: BoundTable) -> NDArray[np.bool_]:
        """Which images of a table are among those that the path's density is fitted to, (B,)."""
        if self.fitted is None:
            return np.zeros(len(table), dtype=bool)
        return among(table, self.fitted)


def standard_of(
    held_out: BoundTable,
    alpha: float,
    correction: Correction = "calibrated",
    *,
    by: By = "levels",
) -> Standard:
    """The standard for verdicts at a false-alarm rate: made once for the same table.

    The path has a say where there are enough held-out images to fit its density, and where the
    half that ranks is large enough for an image to be called out at this rate. Both follow from
    the number of images, and from which are equal, not from how they score, so that the rate is
    kept either way. ScoreError for an alpha outside (0, 1).
    """
    attainable(alpha, len(held_out))
    if by == "bounds":
        return _standard(held_out, by)
    note = no_say(
        len(held_out), _fitted(held_out), n_levels=held_out.n_levels, n_layers=held_out.n_layers
    )
    if note:
        return _standard(held_out, "bounds", note)
    whole = _standard(held_out, "levels")
    if whole.joint.smallest(correction) <= alpha:
        return whole
    return _standard(
        held_out, "bounds", f"{NO_SAY}: with half of the "
        f"{len(held_out):,} held-out images to rank by, nothing could be called out at "
        f"{percent(alpha)}."
    )  # fmt: skip


def fewest_for_path(n_levels: int, n_layers: int) -> int:
    """Held-out images from which on the path has a say, for K levels of L layers."""
    return max(FEWEST_FOR_PATH, 2 * A_STATISTIC * (n_levels + n_layers))


def no_say(held_out: int, fitted: int, *, n_levels: int, n_layers: int) -> str:
    """Why the path has no say whatever the rate, in a sentence; "" where nothing speaks against it.

    ``fitted`` of the held-out images are those that its density is fitted to; the others rank.
    Equal images stand on one side, so that either side may be far too small.
    """
    needed = fewest_for_path(n_levels, n_layers)
    if held_out < needed:
        return f"{NO_SAY}: that takes {needed:,} held-out images, and there are {held_out:,}."
    least, ranking = max(FEWEST, A_STATISTIC * (n_levels + n_layers) // 2), held_out - fitted
    if fitted < least or ranking < FEWEST_TO_RANK:
        return (
            f"{NO_SAY}: too many of the {held_out:,} held-out images are equal to divide them. "
            f"{fitted:,} would be fitted to and {ranking:,} rank; that takes {least:,} and "
            f"{FEWEST_TO_RANK:,}."
        )
    return ""


@lru_cache(maxsize=32)
def _fitted(held_out: BoundTable) -> int:
    """How many of the held-out images a density is fitted to."""
    return int(fitted_half(held_out).sum())


@lru_cache(maxsize=32)
def _standard(held_out: BoundTable, by: By, note: str = "") -> Standard:
    """One for each table that is in memory: tables are equal where they are the same."""
    return Standard(held_out, by, note)


def verdict_scores(table: BoundTable) -> Floats:
    """-L, then LLR_{>k} for k = 1 .. K-1, (N, K)."""
    keys = verdict_keys(table.n_levels, "bounds")
    return np.stack([get_score(key, table.n_levels)(table) for key in keys], axis=1)


def verdict_keys(n_levels: int, by: By = "levels") -> tuple[str, ...]:
    """The keys of the verdict's scores, for K levels; the path stands last."""
    path = (PATH,) if by == "levels" else ()
    return ("elbo", *(f"llr_{k}" for k in range(1, n_levels)), *path)
