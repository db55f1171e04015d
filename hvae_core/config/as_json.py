"""Configurations as text: one line of JSON, and back through the bounds of their fields."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, TypeVar, overload

from pydantic import TypeAdapter, ValidationError

from hvae_core.common.errors import ConfigError

T = TypeVar("T")


def to_json(value: Any) -> str:
    """Write a configuration as one line of JSON; equal configurations give equal text."""
    return json.dumps(dataclasses.asdict(value), sort_keys=True)


@overload
def from_json(kind: type[T], text: str | bytes) -> T: ...
@overload
def from_json(kind: object, text: str | bytes) -> Any: ...  # a union of several


def from_json(kind: Any, text: str | bytes) -> Any:
    """Read a configuration of ``kind`` from JSON.

    Raises ``ConfigError`` naming the first field that is missing, unknown or out of bounds.
    """
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole text"
        what = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"The configuration is not valid at {where}: {what}.") from exc
