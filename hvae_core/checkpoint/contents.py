"""What a checkpoint says of itself in its metadata, checked before anything is built from it.

Nothing unknown, and nothing long, reaches a parser; types and bounds are those of the
configurations' own classes. No torch is needed to read it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hvae_core.checkpoint.container import DAMAGED, one_line, quote, strict_json
from hvae_core.checkpoint.foreign import HOW_TO
from hvae_core.common.errors import CheckpointError, ConfigError
from hvae_core.config import ModelCard, ModelConfig, TrainConfig, from_json

FORMAT = "strata-1"
MAX_LENGTHS = {"format": 64, "config": 65_536, "card": 65_536, "train": 65_536, "history": 2**23}
"""Longest metadata strings, in characters."""
_LATER = re.compile(r"strata-(classifier-)?[1-9]\d{0,5}")
"""How files are marked that this version and those after it write."""
_REQUIRED = ("format", "config", "card", "history")
MAX_TEXT = 2_000  # characters of one field of a card
MAX_COUNT = 2**53
MAX_NUMBER = 1e38
MAX_SERIES = 64
MAX_ENTRIES = 10_000  # as many as epochs
MAX_PARTS = 512  # numbers in one entry: layers, units

History = dict[str, list[Any]]
"""One list a quantity, one entry an epoch: a number, or a list of numbers (one a layer)."""


@dataclass(frozen=True)
class Kind:
    """What one kind of file holds: its mark, and the classes of its configurations."""

    mark: str
    config: Any
    train: Any
    foreign: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Marks of other kinds, each with what to tell who brings such a file."""


CLASSIFIER_MARK = "strata-classifier-1"
MODEL = Kind(
    FORMAT,
    ModelConfig,
    TrainConfig,
    foreign={
        CLASSIFIER_MARK: "is a classifier, not a hierarchical VAE; "
        "it serves the scores that need labels and is not opened as a model"
    },
)


@dataclass(frozen=True)
class Contents:
    """The metadata of a file, validated; ``config`` and ``train`` are of its kind's classes."""

    config: Any
    card: ModelCard
    history: History
    train: Any


def read_contents(metadata: Mapping[str, str], kind: Kind = MODEL) -> Contents:
    """Validate the metadata strings; nothing is built and no weight is looked at."""
    # Whose file it is comes first: a sentence on a missing card would puzzle its owner.
    mark = metadata.get("format", "")
    if mark != kind.mark:
        other = f"is a safetensors file without the mark {kind.mark!r}; {HOW_TO}"
        if _LATER.fullmatch(mark):
            other = f"is marked {mark!r}, as files of a later version are; update the program"
        raise CheckpointError(kind.foreign.get(mark, other))
    for name in _REQUIRED:
        if name not in metadata:
            raise CheckpointError(f"has no {name} in its metadata; {DAMAGED}")
    # Nothing unknown, and nothing long, reaches a parser.
    for name, text in metadata.items():
        if name not in MAX_LENGTHS:
            raise CheckpointError(
                f"carries {quote(name)} in its metadata, which is unknown here; "
                "a newer version of this program may read it"
            )
        if len(text) > MAX_LENGTHS[name]:
            raise CheckpointError(
                f"has a {name} of {len(text):,} characters where {MAX_LENGTHS[name]:,} "
                f"is the most; {DAMAGED}"
            )
    # Types and bounds by the configurations' own classes, then texts that people will be shown.
    config = _parse(kind.config, metadata["config"], "config")
    card = _parse(ModelCard, metadata["card"], "card")
    train = _parse(kind.train, metadata["train"], "train") if "train" in metadata else None
    _check_fields(card, "card")
    if train is not None:
        _check_fields(train, "train")
    history = plain_history(strict_json(metadata["history"], "a history"))
    return Contents(config, card, history, train=train)


def _parse(kind: Any, text: str, name: str) -> Any:
    strict_json(text, f"a {name}")  # refuses what the validator lets pass: a key twice
    try:
        return from_json(kind, text)
    except ConfigError as exc:
        reason = one_line(str(exc).rstrip("."), 200)
        raise CheckpointError(
            f"has a {name} that is refused ({reason[:1].lower()}{reason[1:]}); {DAMAGED}"
        ) from exc
    except ValueError as exc:  # half a surrogate pair, which JSON can write and UTF-8 cannot
        raise CheckpointError(f"has a {name} that is not valid text; {DAMAGED}") from exc


def _check_fields(value: Any, name: str) -> None:
    """Bound the free texts and numbers, which are shown to people as they are."""
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if isinstance(item, str):
            shown = item.replace("\n", "").replace("\t", "")
            if len(item) > MAX_TEXT or not (shown.isprintable() or not shown):
                raise CheckpointError(
                    f"has a text for {field.name} in its {name} that is longer than "
                    f"{MAX_TEXT:,} characters or cannot be printed; {DAMAGED}"
                )
        elif not _is_number(item) or not 0 <= item <= MAX_COUNT:
            raise CheckpointError(
                f"has an impossible number for {field.name} in its {name}; {DAMAGED}"
            )


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    # Comparing is exact for integers of any length and false for NaN; converting would overflow.
    return bool(-MAX_NUMBER <= value <= MAX_NUMBER)


def plain_history(value: object) -> History:
    """The history as plain Python lists of finite numbers, within bounds.

    Takes any ``Mapping`` of sequences, so that it serves what is saved as well as what is loaded.
    """
    if not isinstance(value, Mapping) or len(value) > MAX_SERIES:
        raise CheckpointError(
            f"has a history that is not a table of at most {MAX_SERIES} series; {DAMAGED}"
        )
    return {_series_name(name): _series(name, entries) for name, entries in value.items()}


def _series_name(name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= 64 or not name.isprintable():
        raise CheckpointError(f"has a series without a proper name in its history; {DAMAGED}")
    return name


def _series(name: str, entries: object) -> list[Any]:
    if not isinstance(entries, list | tuple) or len(entries) > MAX_ENTRIES:
        raise CheckpointError(
            f"has {quote(name)} in its history, which is not a list of at most "
            f"{MAX_ENTRIES:,} entries; {DAMAGED}"
        )
    return [_entry(name, entry) for entry in entries]


def _entry(name: str, entry: object) -> Any:
    if isinstance(entry, list | tuple) and len(entry) <= MAX_PARTS:
        return [_number(name, part) for part in entry]
    return _number(name, entry)


def _number(name: str, value: Any) -> int | float:
    if not _is_number(value):
        raise CheckpointError(
            f"has something else than finite numbers, or more than {MAX_PARTS} of them in one "
            f"entry, under {quote(name)} in its history; {DAMAGED}"
        )
    return value if isinstance(value, int) and abs(value) <= MAX_COUNT else float(value)
