"""Which score sees which change, and from what degree on: shift by degrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from hvae_core.common.arrays import Floats
from hvae_core.common.ladders import ChangeName
from hvae_core.common.places import ASSETS
from hvae_core.config import STRICT, from_json
from hvae_core.detection.conformal import threshold_at
from hvae_core.detection.judged_many import judge_many
from hvae_core.detection.metrics import auroc
from hvae_core.detection.standard import PATH, standard_of, verdict_keys
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.scores import get_score

VERDICT = "verdict"
SHIPPED = ASSETS / "studies" / "shift"
Share = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(max_length=300)]


@dataclass(frozen=True, config=STRICT)
class Curve:
    """One score, or the verdict: its AUROC and the share that it flags at every degree."""

    key: Text
    auroc: tuple[Share, ...]
    flagged: tuple[Share, ...]


@dataclass(frozen=True, config=STRICT)
class Change:
    """One kind of change: its degrees, and a curve a score."""

    name: ChangeName
    degrees: tuple[float, ...]
    curves: tuple[Curve, ...]

    @property
    def areas(self) -> dict[str, tuple[float, ...]]:
        """AUROC by score, one a degree."""
        return {curve.key: curve.auroc for curve in self.curves}

    @property
    def shares(self) -> dict[str, tuple[float, ...]]:
        """Per cent flagged by score, one a degree."""
        return {curve.key: tuple(100 * f for f in curve.flagged) for curve in self.curves}


@dataclass(frozen=True, config=STRICT)
class ByDegree:
    """A checkpoint's curves for every change, and what they were made with.

    ``images`` of the set ``inside`` were changed; ``references`` held-out images place the
    threshold at the false-alarm rate ``alpha``.
    """

    checkpoint: Text
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    inside: Text
    images: Annotated[int, Field(ge=1)]
    references: Annotated[int, Field(ge=1)]
    samples: Annotated[int, Field(ge=1)]
    alpha: Annotated[float, Field(gt=0, lt=1)]
    date: Text
    command: Text
    changes: tuple[Change, ...]


def curves(
    reference: BoundTable, inside: BoundTable, changed: Sequence[BoundTable], alpha: float
) -> tuple[Curve, ...]:
    """AUROC and share flagged by -L, each LLR_>k, LLR_ada, path and verdict, at every degree.

    ``changed`` has the bounds of the images ``inside`` after the change, a table a degree, and is
    held against these; ``reference`` those of held-out images, by which a score flags a share
    ``alpha`` of what is like them (conformal, as ``threshold_at``). The path stands there where it
    has a say in the verdict, its threshold by the half to which its density is not fitted. The
    verdict (``judge_many``) ranks by its p-value. Where nothing is changed, every AUROC is 1/2.
    Raises ``ScoreError``.
    """
    found = []
    levels = inside.n_levels
    for key in (*verdict_keys(levels, "bounds"), *(["llr_ada"] if levels > 1 else [])):
        score = get_score(key, levels)
        threshold = threshold_at(alpha, score(reference))
        values = [score(table) for table in changed]
        found.append(_curve(score.key, score(inside), values, threshold))
    judged = [judge_many(table, reference, alpha) for table in (inside, *changed)]
    standard = standard_of(reference, alpha)
    if PATH in standard.keys:
        threshold = threshold_at(alpha, standard.scores[:, -1])
        values = [one.scores[:, -1] for one in judged]
        found.append(_curve(PATH, values[0], values[1:], threshold))
    # 1 - p is higher for what is more unusual, as a score is.
    verdicts = [1 - one.p for one in judged]
    found.append(_curve(VERDICT, verdicts[0], verdicts[1:], 1 - alpha))
    return tuple(found)


def _curve(key: str, inside: Floats, changed: Sequence[Floats], threshold: float) -> Curve:
    """Flagged is what scores the threshold or more; the margin is for 1 - p, which is rounded."""
    margin = 1e-12 if key == VERDICT else 0.0
    return Curve(
        key,
        tuple(round(auroc(inside, values), 4) for values in changed),
        tuple(round(float(np.mean(values >= threshold - margin)), 4) for values in changed),
    )


def first_seen(change: Change, least: float = 0.75) -> Mapping[str, float | None]:
    """The lowest degree from which on each score's AUROC is at least so much; None where it is not.

    From there on: a curve that falls below it again at a higher degree is not yet seen.
    """
    seen: dict[str, float | None] = {}
    for curve in change.curves:
        below = [i for i, area in enumerate(curve.auroc) if area < least]
        start = below[-1] + 1 if below else 0
        seen[curve.key] = change.degrees[start] if start < len(change.degrees) else None
    return seen


def shipped(checkpoint: str, digest: str) -> ByDegree | None:
    """The stored curves of a checkpoint, if they were made from this very file."""
    path = SHIPPED / f"{Path(checkpoint).name}.json"
    if not path.is_file():
        return None
    found: ByDegree = from_json(ByDegree, path.read_bytes())
    return found if found.digest == digest else None
