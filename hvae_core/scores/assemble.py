"""The one place that puts together what scores read beside the bounds.

A reference fitted to training images, the same images under other checkpoints, measures of every
image: looked up, or computed where that is asked for. What cannot be had is left out, and
``Score.missing`` says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

from hvae_core.common.errors import DataError, MissingImages, ScoreError
from hvae_core.common.progress import Progress, part, silent
from hvae_core.data.worlds import World
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
from hvae_core.evaluation.lookup import evaluated, lookup
from hvae_core.evaluation.sets import Described, Sets
from hvae_core.scores.material import Material, Reference, fitted_half
from hvae_core.scores.measured import LEADING, Values, measured, model_of
from hvae_core.scores.measures import MEASURES, Measure, compute
from hvae_core.scores.reference import lookup_reference, reference_of
from hvae_core.scores.score import Score

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint


Other = TypeVar("Other", bound=Described, covariant=True)


@dataclass(frozen=True, eq=False)
class Beside(Generic[Other]):
    """Checkpoints beside the scored one: of an ensemble, and one that learned the background."""

    ensemble: tuple[Other, ...] = ()
    background: Other | None = None


ALONE: Beside[Described] = Beside()


@dataclass(frozen=True, eq=False)
class Assembled:
    """Materials by the name of the set: of all its images, then of its first with costly measures.

    ``notes`` say of a set, or of the reference, why something could not be computed.
    """

    materials: Mapping[str, tuple[Material, ...]]
    notes: Mapping[str, str] = field(default_factory=dict)


def needed(scores: Sequence[Score]) -> tuple[set[str], list[Measure]]:
    """What the scores need, and the measures that they read."""
    names = {name for score in scores for name in score.measures}
    needs: set[str] = {need for score in scores for need in score.needs}
    return needs, [measure for name, measure in MEASURES.items() if name in names]


def validation_set(world: World) -> str | None:
    """The name of the world's held-out in-distribution set, or None."""
    return next((spec.name for spec in world.with_role("validation")), None)


def assemble(
    source: Source,
    evaluations: Sequence[Evaluation],
    scores: Sequence[Score],
    beside: Beside[Described] = ALONE,
    progress: Progress = silent,
) -> Assembled:
    """All that the scores read of the evaluated sets of a checkpoint.

    ``source`` is what there is ``AtHand``, or what is ``Computed`` where it is not at hand. Other
    checkpoints are those of the same images under the settings of each evaluation.
    """
    needs, measures = needed(scores)
    materials: dict[str, tuple[Material, ...]] = {}
    notes: dict[str, str] = {}
    reference = None
    # 1. Statistics of the training images: one reference serves every set.
    if "reference" in needs and evaluations:
        try:
            step = part(progress, 0, len(evaluations) + 1)
            reference = source.reference(evaluations[0].settings, step)
        except DataError as error:
            notes["reference"] = str(error)
    # 2. Held-out images that densities are fitted to: one half of them, for every set.
    held_out = None
    if "held_out" in needs and evaluations:
        try:
            step = part(progress, 0, len(evaluations) + 1)
            held_out = _held_out(source, evaluations[0].settings, scores, progress=step)
        except DataError as error:
            notes["held-out images"] = str(error)
    for done, evaluation in enumerate(evaluations, start=1):
        step = part(progress, done, len(evaluations) + 1, where=f"{done} of {len(evaluations)}")
        try:
            # 3. The bounds stand first, so that a set whose images are missing keeps them.
            whole = replace(Material.of(evaluation, reference=reference), held_out=held_out)
            materials[evaluation.set_name] = (whole,)
            # 4. The same images under other models, by the settings of this evaluation.
            others = beside.ensemble if "ensemble" in needs else ()
            tables = [source.table(other, evaluation, step) for other in others]
            whole = replace(whole, ensemble=tuple(table for table in tables if table is not None))
            if "background" in needs and beside.background is not None:
                table = source.table(beside.background, evaluation, step)
                whole = replace(whole, background=table)
            # 5. What needs the pixels again: refits, classifiers, gradients.
            materials[evaluation.set_name] = _with_measures(
                whole, [source.measure(measure, evaluation, step) for measure in measures]
            )
        except MissingImages as error:  # the bounds are shipped ones: they are all there is
            notes[evaluation.set_name] = str(error)
    return Assembled(materials, notes)


def _held_out(
    source: Source, settings: EvalSettings, scores: Sequence[Score], *, progress: Progress
) -> Material | None:
    """What densities are fitted to, with the measures that their scores read."""
    known = source.held_out(settings, progress)
    if known is None:
        return None
    _, measures = needed([score for score in scores if "held_out" in score.needs])
    found = [source.measure(measure, known, progress) for measure in measures]
    return _with_measures(Material.of(known), found)[0].take(fitted_half(known.table))


def _with_measures(material: Material, measures: Sequence[Values]) -> tuple[Material, ...]:
    whole = {each.name: each.whole for each in measures if each.whole is not None}
    leading = {each.name: each.leading for each in measures if each.leading is not None}
    material = replace(material, measures=whole)
    if not leading:
        return (material,)
    first = material.take(slice(LEADING))
    return (material, replace(first, measures={**first.measures, **leading}))


class Source(Protocol):
    """Where the parts of a material come from."""

    def reference(self, settings: EvalSettings, progress: Progress) -> Reference | None:
        """Statistics of the training images."""

    def held_out(self, settings: EvalSettings, progress: Progress) -> Evaluation | None:
        """The evaluation of held-out in-distribution images, the validation set of the world."""

    def table(
        self, other: Described, evaluation: Evaluation, progress: Progress
    ) -> BoundTable | None:
        """The bounds of the same images under another checkpoint."""

    def measure(self, measure: Measure, evaluation: Evaluation, progress: Progress) -> Values:
        """A measure of the same images."""


@dataclass(frozen=True, eq=False)
class AtHand:
    """Shipped or cached: nothing is computed."""

    checkpoint: Described
    sets: Sets

    def reference(self, settings: EvalSettings, progress: Progress) -> Reference | None:
        """As it ships, or was fitted before."""
        return lookup_reference(self.checkpoint, self.sets, settings)

    def held_out(self, settings: EvalSettings, progress: Progress) -> Evaluation | None:
        """As it ships, or was evaluated before."""
        name = validation_set(self.sets.world)
        if name is None:
            return None
        return lookup(self.checkpoint, self.sets, name, settings=settings).evaluation

    def table(
        self, other: Described, evaluation: Evaluation, progress: Progress
    ) -> BoundTable | None:
        """Where the other checkpoint has been evaluated on these pixels."""
        known = lookup(
            other, self.sets, evaluation.set_name, settings=evaluation.settings
        ).evaluation
        same = known is not None and known.set_digest == evaluation.set_digest
        return known.table if known is not None and same else None

    def measure(self, measure: Measure, evaluation: Evaluation, progress: Progress) -> Values:
        """Of all images, or of the first alone where it is costly."""
        return measured(
            measure, self.checkpoint.digest, self.sets.world.key, pixels=evaluation.set_digest
        )


@dataclass(frozen=True, eq=False)
class Computed:
    """Computed where it is not at hand; so other checkpoints must be loaded ones too."""

    checkpoint: Checkpoint
    sets: Sets

    def reference(self, settings: EvalSettings, progress: Progress) -> Reference:
        """Raises ``DataError`` where there are no training images."""
        return reference_of(self.checkpoint, self.sets, settings, progress=progress)

    def held_out(self, settings: EvalSettings, progress: Progress) -> Evaluation | None:
        """Raises ``MissingImages`` where there are no validation images and no results of them."""
        name = validation_set(self.sets.world)
        if name is None:
            return None
        return evaluated(
            self.checkpoint, self.sets, name, settings=settings, progress=progress
        ).evaluation

    def table(self, other: Described, evaluation: Evaluation, progress: Progress) -> BoundTable:
        """Raises ``ScoreError`` where the other checkpoint reads images of another size."""
        loaded, name = cast("Checkpoint", other), evaluation.set_name
        same = evaluated(
            loaded, self.sets, name, settings=evaluation.settings, progress=progress
        ).evaluation
        if same.set_digest != evaluation.set_digest:
            raise ScoreError(
                f"{other.name} was evaluated on other pixels of {name} than "
                f"{self.checkpoint.name}; use checkpoints of one image size."
            )
        return same.table

    def measure(self, measure: Measure, evaluation: Evaluation, progress: Progress) -> Values:
        """Of all images; None where the world has no model that it reads."""
        model, digest = model_of(measure, self.checkpoint, self.sets.world.key)
        if measure.of and model is None:
            return Values(measure.name, None)
        images = self.sets.images(self.checkpoint, evaluation.set_name, progress)
        return Values(measure.name, compute(measure, model, digest, images, progress=progress))
