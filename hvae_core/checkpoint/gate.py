"""The gate: what a checkpoint must be before a model is built from it, checked in a fixed order.

Size, kind of file, header (``container``), then here the metadata, the configuration, the names
and shapes of the tensors against a model without memory, and at last the values. Nothing is
allocated on the word of the file before that word was checked.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from hvae_core.checkpoint.container import (
    DAMAGED,
    Header,
    one_line,
    quote,
    read_tensor,
    strict_json,
)
from hvae_core.checkpoint.foreign import HOW_TO
from hvae_core.common.errors import CheckpointError, ConfigError
from hvae_core.config import ModelCard, ModelConfig, TrainConfig, from_json
from hvae_core.models import HierarchicalVAE, network_class

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
M = TypeVar("M", bound=nn.Module)


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


class _ShapesAlone(TorchFunctionMode):
    """Answer by shapes alone while a model without memory is built: no first weights, no norms.

    Drawing first weights that are nowhere is half the time. On the meta device the norms of weight
    normalisation load torch's symbolic machinery: 2 to 4 s, the first time.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if getattr(func, "__module__", "") == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        if func is torch.norm_except_dim:
            weight, _, dim = args
            return weight.new_empty([n if i == dim else 1 for i, n in enumerate(weight.shape)])
        if func is torch._weight_norm:
            return torch.empty_like(args[0])
        return func(*args, **(kwargs or {}))


def empty_model(config: ModelConfig) -> HierarchicalVAE:
    """Build the model on the meta device: names and shapes, no memory."""
    network = network_class(config)  # imported before, not on the meta device
    return empty(lambda: network(config))


def empty(build: Callable[[], M]) -> M:
    """Whatever ``build`` makes, on the meta device."""
    try:
        with torch.device("meta"), _ShapesAlone():
            return build()
    except Exception as exc:
        # Whatever torch finds impossible in an allowed configuration is the file's fault.
        raise CheckpointError(f"asks for a model that cannot be built; {DAMAGED}") from exc


def check_shapes(model: nn.Module, header: Header) -> None:
    """The tensors are the model's, by name and shape, none missing and none over."""
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for name, shape in wanted.items():
        if name not in header.entries:
            raise CheckpointError(
                f"lacks the tensor {quote(name)} that its configuration asks for; {DAMAGED}"
            )
        found = header.entries[name].shape
        if found != shape:
            raise CheckpointError(
                f"holds the tensor {quote(name)} in the shape {list(found)} where its "
                f"configuration asks for {list(shape)}; {DAMAGED}"
            )
    for name in header.entries:
        if name not in wanted:
            raise CheckpointError(
                f"holds a tensor {quote(name)} that its configuration does not ask for; {DAMAGED}"
            )


def fill(model: M, data: bytes, header: Header) -> M:
    """Give the model of ``empty`` its weights, in eval mode and frozen, on the CPU.

    Refuses NaN and infinity, in the file or in a weight that is normalised from it.
    """
    # 1. The values as they stand in the file.
    weights = {}
    for name in header.entries:
        weights[name] = read_tensor(data, header, name)
        if not torch.isfinite(weights[name]).all():
            raise _not_finite(name)
    # 2. Taken over without a copy: the tensors of an empty model have no memory of their own.
    model.load_state_dict(weights, strict=True, assign=True)
    model.eval().requires_grad_(False)
    # 3. What is computed from finite weights may still not be finite.
    for name, module in model.named_modules():
        if parametrize.is_parametrized(module, "weight"):
            weight: Any = module.weight
            if not torch.isfinite(weight).all():  # a direction of length 0, or of infinite length
                raise _not_finite(f"{name}.weight")
    return model


def _not_finite(name: str) -> CheckpointError:
    return CheckpointError(
        f"has NaN or infinity among the weights {quote(name)}, as a training that diverged leaves; "
        "train again with a lower learning rate or take an earlier checkpoint"
    )
