"""Weights under the names of another project, brought to the names of a model here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from hvae_core.checkpoint.container import quote
from hvae_core.common.errors import CheckpointError

Rule = tuple[str, str | None]
"""A regular expression of a whole name, and the name here; None where there is no such weight."""
_NORMED = (
    ("weight_g", "parametrizations.weight.original0"),
    ("weight_v", "parametrizations.weight.original1"),
)
_INITIALISED = "initialized"


def renamed(state: Mapping[str, Tensor], rules: Sequence[Rule]) -> dict[str, Tensor]:
    """The weights by their names here, by the first rule that fits each; ``CheckpointError`` else.

    Weight normalisation is written as torch has it now. A layer's ``initialized`` says whether its
    first batch, which sets its weights, has been seen: insisted on, and left out.
    """
    out: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.rpartition(".")[2] == _INITIALISED:
            if not bool(tensor.all()):
                raise CheckpointError(
                    f"was saved before its layers were set by a first batch ({quote(name)} is not "
                    "true); take a checkpoint of a finished training"
                )
            continue
        new = _by_rule(name, rules)
        if new is not None:
            for old, now in _NORMED:
                if new.endswith(f".{old}"):
                    new = new.removesuffix(old) + now
            out[new] = tensor
    return out


def _by_rule(name: str, rules: Sequence[Rule]) -> str | None:
    for pattern, template in rules:
        found = re.fullmatch(pattern, name)
        if found:
            return None if template is None else found.expand(template)
    raise CheckpointError(
        f"holds a weight {quote(name)} that no network of this kind has as far as is known here; "
        "it was made by a changed version of the project"
    )
