"""The collapse check of an evaluated set in sentences: what each layer says, and which say none."""

from __future__ import annotations

from collections.abc import Sequence

from hvae_core.common.words import layers_in_words
from hvae_core.evaluation.collapse import (
    active_units,
    collapsed_layers,
    kl_per_dim,
    layer_in_words,
    silent_layers,
)
from hvae_core.evaluation.evaluation import Evaluation


def collapse_in_words(evaluation: Evaluation, exact: Sequence[bool]) -> tuple[str, ...]:
    """A headline, then a line a layer: KL a unit (Li et al. 2022, Table 14) and active units.

    ``exact`` says of each layer whether its KL term is a divergence in the strict sense.
    """
    kl = evaluation.table.kl.mean(axis=0)  # (L,)
    units = [len(variance) for variance in evaluation.unit_variance]
    active = [active_units(variance) for variance in evaluation.unit_variance]
    silent = silent_layers(kl, units, active, exact=exact)
    thin = tuple(i for i in collapsed_layers(kl, units) if i not in silent)
    said = []
    if silent:
        said.append(f"{layers_in_words(evaluation.names, silent)} collapsed: nothing is said there")
    if thin:
        said.append(
            f"{layers_in_words(evaluation.names, thin)} thin: what is said there is spread over "
            "many units"
        )
    headline = "; ".join(said) + "." if said else "No layer collapsed."
    nats = kl_per_dim(kl, units)
    lines = (
        f"{layer_in_words(name, count, float(each))}, {some} of {count} active"
        for name, count, each, some in zip(evaluation.names, units, nats, active, strict=True)
    )
    return (headline, *lines)
