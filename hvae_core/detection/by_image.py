"""Every image by itself: its set, its number there, its file, and every score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hvae_core.common.errors import ScoreError
from hvae_core.detection.set_values import counted_of, values_of
from hvae_core.evaluation.evaluation import Evaluation, class_of
from hvae_core.scores import Material, Score


def image_rows(
    evaluations: Sequence[Evaluation],
    scores: Sequence[Score],
    materials: Mapping[str, Sequence[Material]],
) -> list[dict[str, Any]]:
    """One row an image, the in-distribution set's first; a score that it lacks is None.

    ``image`` counts from 0 in its set, ``file`` is where it came from, as far as that is known.
    An image to which the density of a score is fitted has none of that score.
    """
    rows = []
    for place, evaluation in enumerate(evaluations):
        columns: dict[str, list[float | None]] = {}
        for score in scores:
            try:
                counted = counted_of(score, evaluation, materials)
                values = values_of(score, evaluation, materials)
                columns[score.key] = [
                    value if counts else None
                    for value, counts in zip(values.tolist(), counted, strict=True)
                ]
            except ScoreError:
                columns[score.key] = []
        for index in range(len(evaluation)):
            row: dict[str, Any] = {
                "set": evaluation.set_name,
                "out": place > 0,
                "image": index,
                "file": evaluation.files[index] if evaluation.files else "",
                "class": class_of(evaluation, index),
            }
            # Costly scores are of the first images of a set alone.
            rows.append(
                row | {key: v[index] if index < len(v) else None for key, v in columns.items()}
            )
    return rows
