"""Options of a foreign checkpoint, as its files have them: tables, rows and numbers, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from hvae_core.checkpoint.container import quote
from hvae_core.common.errors import CheckpointError

T = TypeVar("T")


def table(value: object, what: str) -> Mapping[str, Any]:
    """A table of options by name."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise CheckpointError(f"has no table for {what}; bring the files as the project wrote them")
    return value


def row(value: object, what: str) -> Sequence[Any]:
    """A list or tuple of options."""
    if not isinstance(value, list | tuple):
        raise CheckpointError(
            f"has no list for {quote(what)} in its options; bring the files as the project wrote "
            "them"
        )
    return value


def number(value: object, what: str) -> int:
    """A whole number; a pair of equal ones, as for kernels, is that number."""
    if isinstance(value, list | tuple) and len(value) == 2 and value[0] == value[1]:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int):
        raise CheckpointError(f"has no whole number for {quote(what)} in its options")
    return value


def flag(value: object, what: str) -> bool:
    """Yes or no."""
    if not isinstance(value, bool):
        raise CheckpointError(f"has neither true nor false for {quote(what)} in its options")
    return value


def one_of(value: object, names: Mapping[str, T], what: str) -> T:
    """What stands under one of the names that are known here."""
    if not isinstance(value, str) or value not in names:
        raise CheckpointError(
            f"has {what} {quote(value)}, which is not known here; those that are: "
            f"{', '.join(name.rpartition('.')[2] for name in names)}"
        )
    return names[value]


def known(options: Mapping[str, Any], names: frozenset[str], what: str) -> None:
    """Refuse an option that could change what the network computes, and is not known here."""
    for name, value in options.items():
        if name not in names and not (value is None or value is False):
            raise CheckpointError(
                f"has {quote(name)} in {what}, which is not known here; it was made by a changed "
                "version of the project"
            )
