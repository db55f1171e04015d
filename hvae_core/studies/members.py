"""What a study has of its models: checkpoints by seed, with their evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from hvae_core.detection.metrics import Detection, detect
from hvae_core.detection.report import Report, report
from hvae_core.detection.set_values import unseen_values
from hvae_core.scores import Material, Score
from hvae_core.studies.spec import ModelSpec

if TYPE_CHECKING:
    from hvae_core.checkpoint import CheckpointInfo
    from hvae_core.evaluation.evaluation import Evaluation


@dataclass(frozen=True, eq=False)
class Member:
    """One checkpoint: ``evaluations`` are those by set, ``missing`` says why others are not.

    ``scores`` are those that its tables show (of the bounds if none are given), ``materials`` what
    they read of a set where the bounds are not enough.
    """

    info: CheckpointInfo
    inside: str
    evaluations: Mapping[str, Evaluation]
    missing: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    scores: tuple[Score, ...] = ()
    materials: Mapping[str, tuple[Material, ...]] = field(default_factory=dict)

    @cached_property
    def report(self) -> Report | None:
        """Every figure of the sets that are here; None without the in-distribution set."""
        if self.inside not in self.evaluations:
            return None
        others = [e for name, e in self.evaluations.items() if name != self.inside]
        return report(
            self.evaluations[self.inside],
            others,
            self.seed,
            intervals=False,
            scores=self.scores or None,
            materials=self.materials,
        )

    def with_intervals(self, set_name: str, score: str) -> Detection:
        """The detection of a set by a score that the report has, with all its intervals."""
        assert self.report is not None
        function = next(known for known in self.report.scores if known.key == score)
        inside, outside = (
            unseen_values(function, self.evaluations[name], self.materials)
            for name in (self.inside, set_name)
        )
        return detect(inside, outside, self.seed)


@dataclass(frozen=True, eq=False)
class Subject:
    """One model of a study with its seeds; ``titles`` are those of its world's sets."""

    spec: ModelSpec
    members: tuple[Member, ...]
    titles: Mapping[str, str]
    inside: str
    outside: tuple[str, ...]
    absent: tuple[str, ...] = ()
    """Why seeds are missing, a sentence each."""

    @property
    def name(self) -> str:
        """What tables refer to."""
        return self.spec.name

    @property
    def title(self) -> str:
        """How tables show it."""
        return self.spec.title or self.spec.name

    @property
    def digests(self) -> tuple[str, ...]:
        """Digests of the weights, one a seed."""
        return tuple(member.info.digest for member in self.members)

    @property
    def reason(self) -> str:
        """Why there is nothing of this model; "" where there is something."""
        return "" if self.members else "; ".join(self.absent) or "no checkpoint"
