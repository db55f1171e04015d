"""The figures of one in-distribution set against several others.

Pure arithmetic on finished evaluations. The command line and the pages both call ``report``, so
they show the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hvae_core.common import html
from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.detection.metrics import Detection, detect
from hvae_core.detection.set_result import SetResult, set_result
from hvae_core.detection.set_values import fitted_images, unseen_values
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.scores import Material, Score, get_score, score_list

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Report:
    """Detection metrics and layer figures of one checkpoint.

    ``names`` and ``units`` are the model's layers and their latent units, ``dims`` is D = C*H*W of
    its images.
    """

    checkpoint: str
    settings: Mapping[str, Any]
    seed: int
    dims: int
    names: tuple[str, ...]
    units: tuple[int, ...]
    scores: tuple[Score, ...]
    inside: SetResult
    outside: tuple[SetResult, ...]

    def counted(self, titles: Mapping[str, str] | None = None) -> str:
        """Which scores count how many images of which set, where not all, in a sentence."""
        told = []
        for result in self.results:
            name = (titles or {}).get(result.name, result.name)
            for count in sorted({*result.fitted.values()}):
                keys = ", ".join(key for key, of in result.fitted.items() if of == count)
                told.append(
                    f"Of {name} {result.images - count:,} of {result.images:,} images count for "
                    f"{keys}: a density is fitted to the others."
                )
        return " ".join(told)

    @property
    def results(self) -> tuple[SetResult, ...]:
        """All sets, the in-distribution one first."""
        return (self.inside, *self.outside)

    def rows(self) -> list[dict[str, Any]]:
        """One flat row for every OOD set and score that could be had, for tables and CSV files."""
        return [
            {"set": result.name, "score": key, **asdict(detection)}
            for result in self.outside
            for key, detection in result.detections.items()
        ]

    def to_pandas(self) -> pd.DataFrame:
        """``rows`` as a table."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def __str__(self) -> str:
        """AUROC of every score on every set with its 95 % interval, then the KL of the layers."""
        table = self._table()
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
        return "\n".join([*lines, self._note()])

    def _repr_html_(self) -> str:
        """The same as a table, which a notebook shows."""
        return html.table(self._table(), self._note())

    def _table(self) -> list[list[str]]:
        keys = [s.key for s in self.scores if any(s.key in o.detections for o in self.outside)]
        table = [["AUROC", *keys]]
        for result in self.outside:
            areas = [result.detections.get(key) for key in keys]
            cells = (f"{a.auroc:.3f} [{a.low:.3f}, {a.high:.3f}]" if a else "-" for a in areas)
            table.append([f"{result.name} ({result.images})", *cells])
        return table

    def _note(self) -> str:
        kl = zip(self.names, self.inside.kl, strict=True)
        layers = ", ".join(f"{name} {nats:.2f}" for name, nats in kl)
        inside = f"against {self.inside.name} ({self.inside.images})"
        told = f"{inside}, KL in nats by layer: {layers}"
        return f"{told}\n{self.counted()}".rstrip()

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values for JSON; a number that is not finite becomes None."""
        scores = [{"key": s.key, "name": s.name, "symbol": s.symbol} for s in self.scores]
        return {
            "checkpoint": self.checkpoint,
            "settings": dict(self.settings),
            "seed": self.seed,
            "dims": self.dims,
            "layers": [
                {"name": name, "units": units}
                for name, units in zip(self.names, self.units, strict=True)
            ],
            "scores": scores,
            "in": _plain(asdict(self.inside)),
            "out": [_plain(asdict(result)) for result in self.outside],
        }


def report(
    in_evaluation: Evaluation,
    out_evaluations: Sequence[Evaluation] | Evaluation,
    seed: int = 0,
    *,
    intervals: bool = True,
    scores: Sequence[Score | str] | Score | str | None = None,
    materials: Mapping[str, Sequence[Material]] | None = None,
) -> Report:
    """Detection metrics of every score, on equal numbers drawn by ``seed``; figures by layer and k.

    Without ``intervals`` only AUROCs have theirs: the bootstrap of the others takes some
    milliseconds a score and set. ``scores``, or their keys, are those of the bounds by default;
    ``materials`` gives, by the name of the set, what they may read, the most images first.
    Raises ``ScoreError`` when the evaluations are not of one checkpoint under one setting. A score
    that these bounds cannot give is listed with its reason instead.
    """
    outside = _listed(out_evaluations, Evaluation)
    for other in (in_evaluation, *outside):
        if not isinstance(other, Evaluation):
            raise ScoreError(
                f"A report is of evaluations, and a {type(other).__name__} is none; give "
                "hv.evaluate(model, images) of each set, those held against it in a list."
            )
        same = other.checkpoint == in_evaluation.checkpoint
        if not same or other.settings != in_evaluation.settings:
            raise ScoreError(
                f"The sets {in_evaluation.set_name} and {other.set_name} were evaluated under "
                "different checkpoints or settings; evaluate both in the same way."
            )
    levels, names = in_evaluation.table.n_levels, in_evaluation.names
    listed = tuple(
        get_score(score, levels, names) if isinstance(score, str) else score
        for score in _listed(scores, str | Score) or score_list(levels)
    )
    materials = materials or {}
    inside = _values_or_reasons(in_evaluation, listed, materials)
    return Report(
        checkpoint=in_evaluation.checkpoint,
        settings=asdict(in_evaluation.settings),
        seed=seed,
        dims=in_evaluation.table.dims,
        names=in_evaluation.names,
        units=tuple(len(variance) for variance in in_evaluation.unit_variance),
        scores=listed,
        inside=set_result(in_evaluation, {}, {}, fitted_images(in_evaluation, listed, materials)),
        outside=tuple(
            _against(
                inside,
                _values_or_reasons(evaluation, listed, materials),
                evaluation,
                fitted=fitted_images(evaluation, listed, materials),
                seed=seed,
                intervals=intervals,
            )
            for evaluation in outside
        ),
    )


def _listed(given: Any, one: Any) -> tuple[Any, ...]:
    """What was given as one thing or as a list of such."""
    if given is None:
        return ()
    return (given,) if isinstance(given, one) or not isinstance(given, Iterable) else (*given,)


def _values_or_reasons(
    evaluation: Evaluation, scores: Sequence[Score], materials: Mapping[str, Sequence[Material]]
) -> dict[str, Floats | ScoreError]:
    """Every score of a set, or why there is none: kept, to be told beside every other set."""
    values: dict[str, Floats | ScoreError] = {}
    for score in scores:
        try:
            values[score.key] = unseen_values(score, evaluation, materials)
        except ScoreError as error:
            values[score.key] = error
    return values


def _against(
    inside: Mapping[str, Floats | ScoreError],
    outside: Mapping[str, Floats | ScoreError],
    evaluation: Evaluation,
    *,
    fitted: Mapping[str, int],
    seed: int,
    intervals: bool,
) -> SetResult:
    """The scores of one OOD set, which is evaluated, against the in-distribution ones."""
    detections: dict[str, Detection] = {}
    unavailable: dict[str, str] = {}
    for key, values in inside.items():
        try:
            pair = _or_raise(values), _or_raise(outside[key])
            detections[key] = detect(*pair, seed, intervals=intervals)
        except ScoreError as error:
            unavailable[key] = str(error)
    return set_result(evaluation, detections, unavailable, fitted)


def _or_raise(values: Floats | ScoreError) -> Floats:
    if isinstance(values, ScoreError):
        raise values
    return values


def _plain(value: Any) -> Any:
    """The same nesting with lists for tuples and None for numbers that JSON does not know."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
