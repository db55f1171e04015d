"""The image sets that the papers name: where each is had, how it is prepared, who made it.

They stand in ``registry.toml``, one table a set.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError
from hvae_core.data.image_set import Rule

REGISTRY = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, kw_only=True)
class RegisteredSet:
    """One set. ``name`` is also its folder under the data folder.

    ``hub`` is its name on the Hugging Face hub, empty where it has none, ``config`` the part of it
    to take; ``splits`` says what a split is called there where it is called otherwise. ``image``
    and ``label`` are its columns, empty where they have one of the usual names. ``rule`` is how the
    papers bring its pictures to ``shape``; ``shuffle`` is for a file whose order goes by class or
    writer. ``change`` is a known change to every image of ``of``.
    """

    name: str
    title: str
    shape: Shape
    licence: str
    citation: str
    hub: str = ""
    config: str = ""
    splits: dict[str, str] = field(default_factory=dict, hash=False)
    image: str = ""
    label: str = ""
    rule: Rule = "resize"
    shuffle: bool = True
    of: str = ""
    change: str = ""

    def __post_init__(self) -> None:
        if self.rule not in get_args(Rule):
            raise ValueError(f"rule is {self.rule}, not one of {', '.join(get_args(Rule))}")
        if len(self.shape) != 3:
            raise ValueError(f"shape has {len(self.shape)} numbers; give channels, height, width")

    def hub_split(self, split: str) -> str:
        """What a split of this set is called on the hub."""
        return self.splits.get(split, split)

    def hub_source(self, split: str = "test") -> str:
        """Where a split is on the hub, in words; empty where the hub has it not."""
        parts = [part for part in (self.hub, self.config, self.splits.get(split, "")) if part]
        return ":".join(parts)


@cache
def registered_sets() -> dict[str, RegisteredSet]:
    """The sets by name, in the order of the file."""
    return read_registry(REGISTRY)


def read_registry(path: Path) -> dict[str, RegisteredSet]:
    """The sets of a file. Raises ``DataError`` that names the set whose table is wrong."""
    sets: dict[str, RegisteredSet] = {}
    for name, table in tomllib.loads(path.read_text("utf-8")).items():
        try:
            sets[name] = _registered(name, table, sets)
        except (KeyError, TypeError, ValueError) as problem:
            raise DataError(f"The set {name} in {path.name} is wrong: {problem}.") from problem
    return sets


def _registered(name: str, table: dict[str, Any], sets: dict[str, RegisteredSet]) -> RegisteredSet:
    if "of" in table:  # made of another set's images, so the hub has nothing of its own
        return replace(sets[table["of"]], name=name, hub="", image="", label="", **table)
    return RegisteredSet(name=name, **table | {"shape": tuple(table.get("shape", ()))})
