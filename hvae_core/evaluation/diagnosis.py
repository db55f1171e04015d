"""The written finding on a checkpoint's layers: which collapsed, since when, why, what to try."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hvae_core.common.places import COMMAND
from hvae_core.common.thresholds import COLLAPSE_THRESHOLD
from hvae_core.config.presets.remedies import Remedy, remedies
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.collapse_layers import LayersFound, kl_history, layers_found
from hvae_core.evaluation.collapse_why import recipe, sentences
from hvae_core.evaluation.collapse_words import finding, in_words
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.evaluation.linear import Spread, spread_in_words
from hvae_core.evaluation.worlds import world_key

if TYPE_CHECKING:
    from hvae_core.checkpoint import CheckpointInfo


@dataclass(frozen=True)
class Diagnosis:
    """What is found of a model on a set of images; as text it is the whole finding."""

    model: str
    images: str
    number: int
    """Images of the set."""
    threshold: float
    """Nats a unit under which a layer counts as collapsed."""
    layers: LayersFound
    headline: str
    lines: tuple[str, ...]
    """A sentence or two a layer, the collapsed ones first."""
    why: tuple[str, ...]
    variance: str
    """What the decoder's variance lets the units say, or why that does not apply."""
    remedies: tuple[Remedy, ...]
    """What the literature would try; nothing where no layer collapsed."""

    def __str__(self) -> str:
        parts = [
            f"{self.headline}.",
            f"{self.model} on {self.number:,} images of {self.images}; a layer under "
            f"{self.threshold:g} nats a unit is collapsed.",
            "",
            *(f"  {line}" for line in self.lines),
        ]
        if self.why:
            parts += ["", "Why", *(f"  {line}" for line in self.why)]
        parts += ["", "The decoder's variance", f"  {self.variance}"]
        if self.remedies:
            parts += ["", "What to try"]
        for remedy in self.remedies:
            parts.append(f"  {remedy.title}: {remedy.does} ({remedy.source}).")
            parts.append(f"    {command(remedy)}")
            parts.append(f"    in the app: /lab?preset={remedy.lab}")
        return "\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        collapsed = [self.layers.names[i - 1] for i in self.layers.collapsed]
        return asdict(self) | {"collapsed": collapsed}


def command(remedy: Remedy) -> str:
    """The command that trains a recipe, and whether it is of another network."""
    other = "" if remedy.same else "    # for another network: the recipe to copy from"
    return f"{COMMAND} train --preset {remedy.preset}{other}"


def diagnosis(
    info: CheckpointInfo,
    evaluation: Evaluation,
    images: ImageSet | None,
    *,
    title: str = "",
    threshold: float = COLLAPSE_THRESHOLD,
) -> Diagnosis:
    """The finding on a checkpoint from an evaluation, and from its images where these are here."""
    config, layers = info.config, len(evaluation.names)
    history = kl_history(info.history, "valid_kl", layers)
    found = layers_found(config, evaluation, history, below=threshold)
    spread = None if images is None else Spread.of(config, images.images)
    tried = remedies(config, info.train, world_key(info) or "") if found.collapsed else ()
    return Diagnosis(
        info.card.title or info.name,
        title or evaluation.set_name,
        number=len(evaluation),
        threshold=threshold,
        layers=found,
        headline=finding(found),
        lines=tuple(line.text for line in in_words(found)),
        why=tuple(sentences(found, recipe(info))),
        variance=spread_in_words(config, spread),
        remedies=tried,
    )
