"""Several trained models on one set: what they cost, how well they model it, what collapsed.

Checkpoints of one preset, trained on the same images, that differ in their seed make one line,
means with standard deviations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from hvae_core.common.errors import ScoreError
from hvae_core.evaluation.collapse import active_units, bits_per_dim, collapsed_layers
from hvae_core.studies.same_images import same_images, telling_apart

if TYPE_CHECKING:
    from hvae_core.checkpoint import CheckpointInfo
    from hvae_core.detection.report import Report
    from hvae_core.evaluation.evaluation import Evaluation

T = TypeVar("T")


@dataclass(frozen=True)
class Spread:
    """A mean over seeds and the standard deviation between them (None for one seed)."""

    mean: float
    deviation: float | None

    def text(self, digits: int, factor: float = 1.0) -> str:
        """``0.912 ± 0.004``, the mean alone for one seed, a dash for what is not known."""
        if math.isnan(self.mean):
            return "-"
        text = f"{self.mean * factor:.{digits}f}"
        if self.deviation is None:
            return text
        return f"{text} ± {self.deviation * factor:.{digits}f}"

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Mean and unbiased standard deviation."""
        found = np.asarray(values, dtype=np.float64)
        return cls(float(found.mean()), float(found.std(ddof=1)) if len(found) > 1 else None)


@dataclass(frozen=True)
class Line:
    """One preset: ``nll`` and ``bits`` by the importance-weighted bound L^S (nats an image, bits a
    dimension), ``collapsed`` layers and ``active`` units as means over ``seeds`` checkpoints.
    """

    preset: str
    family: str
    objective: str
    parameters: int
    layers: int
    units: int
    seeds: int
    nll: Spread
    bits: Spread
    collapsed: Spread
    collapsed_names: tuple[str, ...]
    active: Spread
    seconds_a_step: Spread


def compare(evaluated: Sequence[tuple[CheckpointInfo, Evaluation]]) -> tuple[Line, ...]:
    """One line a preset, in the order given (INF Table 14, DVP Tables 4 and 5).

    Raises ``ScoreError`` where the checkpoints were not evaluated on the same images under the same
    settings, or have likelihoods of different kinds: their figures would not compare.
    """
    kinds = {(evaluation.set_digest, evaluation.settings) for _, evaluation in evaluated}
    if len(kinds) > 1:
        raise ScoreError(
            "These checkpoints were evaluated on different images or under different settings; "
            "compare models of one world and one image size."
        )
    if len({info.config.binary for info, _ in evaluated}) > 1:
        raise ScoreError(
            "Some of these models are of binary pixels and some of grey levels, whose nats do not "
            "compare; compare models of one kind."
        )
    groups = presets([(info, (info, evaluation)) for info, evaluation in evaluated])
    return tuple(_line(preset, members) for preset, members in groups.items())


def presets(members: Sequence[tuple[CheckpointInfo, T]]) -> dict[str, list[T]]:
    """What belongs to the checkpoints of one preset, which differ in their seed, by its name.

    Those that were trained on other images stand apart, and their names say on which.
    """
    found: dict[str, list[list[tuple[CheckpointInfo, T]]]] = {}
    for info, member in members:
        groups = found.setdefault(info.card.preset or info.name, [])
        for group in groups:
            if all(same_images(info, other) for other, _ in group):
                group.append((info, member))
                break
        else:
            groups.append([(info, member)])
    named: dict[str, list[T]] = {}
    for name, groups in found.items():
        heads = [_recorded([info for info, _ in group]) for group in groups]
        for group, words in zip(groups, telling_apart(heads), strict=True):
            whole = f"{name}, trained on {words}" if words else name
            named[whole] = [member for _, member in group]
    return named


def _recorded(infos: Sequence[CheckpointInfo]) -> CheckpointInfo:
    """One of these that recorded the digest of its images, if any did."""
    return next((info for info in infos if info.card.train_digest), infos[0])


OverSeeds = dict[str, dict[str, dict[str, Spread]]]
METRICS = ("auroc", "auprc", "fpr80", "fpr95")


def over_seeds(reports: Sequence[Report]) -> OverSeeds:
    """Each metric as mean and deviation over checkpoints (INF Table 5): by set, score and metric.

    The reports are of checkpoints of one preset that differ in their seed. Sets and scores that
    one of them lacks are left out: a mean over fewer seeds would stand beside the others unmarked.
    """
    if not reports:
        return {}
    by_set = [{result.name: result.detections for result in r.outside} for r in reports]
    spreads: OverSeeds = {}
    for name, first in by_set[0].items():
        others = [detections[name] for detections in by_set if name in detections]
        if len(others) < len(reports):
            continue
        spreads[name] = {
            key: {
                metric: Spread.of([getattr(detections[key], metric) for detections in others])
                for metric in METRICS
            }
            for key in first
            if all(key in detections for detections in others)
        }
    return spreads


def seconds_a_step(info: CheckpointInfo) -> float:
    """Time of the median epoch, validation included, divided by its steps; NaN if not recorded.

    The median, as an epoch during which the machine did something else says nothing of the model.
    """
    images, train, epochs = info.card.train_images, info.train, info.history.get("seconds")
    if train is None or not epochs or not images:
        return math.nan
    images = min(train.epoch_images or images, images)
    return float(np.median(epochs)) / math.ceil(images / train.batch_size)


def _line(preset: str, members: Sequence[tuple[CheckpointInfo, Evaluation]]) -> Line:
    first = members[0][0]
    units = [math.prod(shape) for shape in first.latent_shapes]
    names = first.config.latent_names
    nlls, collapsed, active = [], [], []
    silent: set[int] | None = None
    for _, evaluation in members:
        nlls.append(float(-evaluation.table.iw[:, 0].mean()))
        flat = set(collapsed_layers(evaluation.table.kl.mean(0), units))
        silent = flat if silent is None else silent & flat
        collapsed.append(float(len(flat)))
        active.append(float(sum(active_units(v) for v in evaluation.unit_variance)))
    dims = members[0][1].table.dims
    return Line(
        preset=preset,
        family=first.config.family,
        objective=first.card.objective,
        parameters=first.parameters,
        layers=len(units),
        units=sum(units),
        seeds=len(members),
        nll=Spread.of(nlls),
        bits=Spread.of([float(bits_per_dim(nll, dims)) for nll in nlls]),
        collapsed=Spread.of(collapsed),
        collapsed_names=tuple(names[i - 1] for i in sorted(silent or ())),
        active=Spread.of(active),
        seconds_a_step=Spread.of([seconds_a_step(info) for info, _ in members]),
    )
