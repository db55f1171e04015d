"""What densities are fitted to where many images are scored: one half of the model's held-out ones.

Which images they are stands in the folder, so that none of them is ever a measure of others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import DataError
from hvae_core.common.far import Folder
from hvae_core.common.progress import Progress, part, silent
from hvae_core.detection.judging import held_out_images
from hvae_core.detection.read import halves, material_of
from hvae_core.detection.standard import no_say
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.scores import Material
from hvae_core.scores.assemble import needed
from hvae_core.scores.material import fitted_half

if TYPE_CHECKING:
    from hvae_core.detection.judging import Judging
    from hvae_core.scores import Score

FITTED = "fitted.json"
"""Which scores fit a density, and digests of the images that they are fitted to."""


@dataclass(frozen=True)
class Fitted:
    """Keys of the scores of a folder that fit a density, and digests of the images fitted to.

    ``no_path`` says why the path has no say by such a half, "" where it has (``no_say``).
    """

    keys: tuple[str, ...]
    digests: frozenset[int]
    no_path: str = ""


def fitted_to(
    known: Judging, scores: Sequence[Score], settings: EvalSettings, progress: Progress = silent
) -> tuple[Material | None, Fitted | None]:
    """What the densities of these scores are fitted to; None where no score has one.

    Raises ``DataError`` where the model has no held-out images on this machine.
    """
    fits = [score for score in scores if "held_out" in score.needs]
    if not fits:
        return None, None
    images = held_out_images(known).fit(known.image_shape)
    steps = 2 if needed(fits)[1] else 1
    evaluation = known.evaluate(images, settings, part(progress, 0, steps))
    whole = material_of(
        known, fits, images, evaluation=evaluation, training=lambda: None,
        progress=part(progress, 1, steps),
    )  # fmt: skip
    half = fitted_half(evaluation.table)
    digests = np.array(images.image_digests(), dtype=np.uint64)[half]
    keys = tuple(score.key for score in fits)
    why = no_say(
        len(half), int(half.sum()), n_levels=known.model.n_levels, n_layers=len(known.names)
    )
    fitted = Fitted(keys, frozenset(digests.tolist()), why)
    return halves(fits, replace(whole, names=known.names))[1], fitted


def unmeasured(
    values: Floats, keys: Sequence[str], fitted: Fitted | None, *, digests: Sequence[int | None]
) -> NDArray[np.bool_]:
    """Take out of scores (n, K) those of densities, of the images to which they are fitted.

    They become NaN; returns which images these are (n,).
    """
    if fitted is None or not {*keys} & {*fitted.keys}:
        return np.zeros(len(values), dtype=bool)
    seen = np.array([digest in fitted.digests for digest in digests], dtype=bool)
    for column, key in enumerate(keys):
        if key in fitted.keys:
            values[seen, column] = np.nan
    return seen


def incomparable(fitted: Fitted | None, other: Fitted | None) -> frozenset[str]:
    """The scores of a folder that another folder, of the same model, is no measure of.

    ``fitted`` says what the densities of the first are fitted to, ``other`` those of the second.
    Densities compare where both are fitted to the same images, which then are no measure.
    """
    if fitted is None or (other is not None and other.digests == fitted.digests):
        return frozenset()
    return frozenset(fitted.keys)


def keep_fitted(folder: Folder, fitted: Fitted) -> None:
    """Note in a folder what its densities are fitted to.

    Raises ``DataError`` where they are fitted to other images already.
    """
    before = kept_fitted(folder)
    if before is not None and before.digests != fitted.digests:
        raise DataError(
            "The densities of this folder are fitted to other held-out images than the model has "
            "here. Name a new folder, or give the model the same images."
        )
    told = {
        "scores": list(fitted.keys), "no_path": fitted.no_path, "digests": sorted(fitted.digests)
    }  # fmt: skip
    folder.write(FITTED, json.dumps(told).encode())


def kept_fitted(folder: Folder) -> Fitted | None:
    """What the densities of a folder are fitted to; None where nothing is noted."""
    data = folder.read(FITTED)
    if data is None:
        return None
    with suppress(ValueError, KeyError, TypeError):
        told = json.loads(data)
        digests = frozenset(map(int, told["digests"]))
        n = len(digests)  # folders of before do not say it: by the number of images alone
        why = told["no_path"] if "no_path" in told else no_say(2 * n, n, n_levels=0, n_layers=0)
        return Fitted(tuple(map(str, told["scores"])), digests, str(why))
    return None
