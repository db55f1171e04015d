"""From another project's checkpoint to the bytes of one here, and the sentence where none fits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hvae_core.checkpoint import gate, importers, torch_file, torch_outline
from hvae_core.checkpoint.container import one_line, quote, strict_json
from hvae_core.checkpoint.encoded import encode
from hvae_core.checkpoint.foreign import TWO_WAYS, listed
from hvae_core.checkpoint.importer import IMPORTERS, Converted, Given, Importer
from hvae_core.checkpoint.source import Source, source_of
from hvae_core.common.errors import CheckpointError
from hvae_core.common.files import named_path
from hvae_core.config import ModelCard

__all__ = ["converted", "importers", "is_foreign"]


def is_foreign(brought: Path | bytes) -> bool:
    """Whether something is to be converted: a folder, a zip, or what ``torch.save`` wrote."""
    if isinstance(brought, bytes):
        start = brought[:512]
    elif brought.is_dir():
        return True
    elif not brought.is_file():  # nothing, or a device or a pipe, which would never end
        return False
    else:
        with brought.open("rb") as file:
            start = file.read(512)
    return start[:2] == b"PK" or torch_outline.is_torch_file(start)


def converted(brought: str | Path | bytes, title: str, given: Given | None = None) -> bytes:
    """The checkpoint file made of a file, a folder or a zip of another project.

    ``given`` are hyper-parameters by the project's own names that its files do not have. The same
    files give the same bytes. Raises ``CheckpointError``, a predicate, where they are of no project
    that is known here or do not fit what they say; it has not passed the gate.
    """
    source = source_of(brought, title)
    importer = _importer_of(source)
    found = importer.convert(source, given or {})
    _check(found, importer)
    return encode(
        found.config, torch_file.finite(found.weights), card=_card(found, importer, source),
        history={},
    )  # fmt: skip


def given_in(text: str) -> Given:
    """Hyper-parameters that a user writes: JSON, or the name of one of a project's sets."""
    if not text.strip():
        return {}
    if not text.lstrip().startswith("{"):
        return {"set": text.strip()}
    try:
        return _table(strict_json(text, "hyper-parameters"))
    except CheckpointError as exc:
        raise CheckpointError(
            f"The hyper-parameters {one_line(text, 60)} cannot be read; write JSON, "
            'as {"width": 384, "zdim": 16}, or the name of a set.'
        ) from exc


def read_given(text: str) -> Given:
    """As ``given_in``, or from a file of JSON or YAML that the text names, for local users."""
    path = None if text.lstrip().startswith("{") else named_path(text, CheckpointError)
    if path is None or not text.strip() or not path.is_file():
        return given_in(text)
    try:
        return _table(source_of(path, path.name).yaml(path.name))  # JSON is YAML, too
    except CheckpointError as exc:
        raise CheckpointError(f"{one_line(path.name, 120)} {exc}.") from exc


def _table(value: Any) -> Given:
    if not isinstance(value, dict) or any(not isinstance(key, str) for key in value):
        raise CheckpointError("holds no table of hyper-parameters by name")
    return value


def _importer_of(source: Source) -> Importer:
    for importer in IMPORTERS.values():
        if importer.recognises(source):
            return importer
    raise CheckpointError(_unknown(source))


def _check(found: Converted, importer: Importer) -> None:
    """The weights are the model's by name and shape; what differs is named."""
    model = gate.empty_model(found.config)
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for name, shape in wanted.items():
        tensor = found.weights.get(name)
        if tensor is None or tuple(tensor.shape) != shape:
            has = "lacks it" if tensor is None else f"has {list(tensor.shape)}"
            raise CheckpointError(
                f"does not fit its hyper-parameters as a checkpoint of {importer.project}: they "
                f"ask for {quote(name)} of the shape {list(shape)}, and the file {has}; give those "
                "that it was trained with"
            )
    over = [name for name in found.weights if name not in wanted]
    if over:
        raise CheckpointError(
            f"does not fit its hyper-parameters as a checkpoint of {importer.project}: they do "
            f"not ask for {quote(over[0])}, which the file has; give those that it was trained with"
        )


def _card(found: Converted, importer: Importer, source: Source) -> ModelCard:
    """What the checkpoint says to people: from which project and file it came."""
    brought = one_line(source.main or source.title, 120)
    note = f"Converted from {importer.project}, {brought}. {found.note}".strip()
    return ModelCard(title=one_line(found.title, 120), data=one_line(found.data, 200),
                     epochs=found.epochs, note=one_line(note, 1_000))  # fmt: skip


def _unknown(source: Source) -> str:
    """The sentence on weights that are of no project known here: what they are, the two ways in."""
    known = ", ".join(IMPORTERS)
    for name in source.named(".pt", ".pth", ".th", ".ckpt", ".bin", ".pkl", ".tar", source.main):
        shapes = _weights_of(source, name)
        if shapes:
            count = sum(math.prod(shape) for shape in shapes.values())
            return (
                f"holds a state dict of {count:,} weights in {len(shapes):,} tensors with the keys "
                f"{listed(shapes)}, of none of the projects that are converted ({known}); "
                f"{TWO_WAYS}"
            )
    if source.main:  # a file that the gate refuses: it says why
        torch_file.load(source.data(source.main))
        return f"holds no state dict of any project that is converted ({known}); {TWO_WAYS}"
    own = [name for name in source.names if name.endswith(".safetensors")]
    if own:
        return f"is a {source.kind} with {quote(own[0])} in it; bring that file alone"
    return (
        f"is a {source.kind} without a checkpoint of a project that is converted; bring "
        f"{'; '.join(f'{each.files} ({each.project})' for each in IMPORTERS.values())}"
    )


def _weights_of(source: Source, name: str) -> dict[str, tuple[int, ...]]:
    """Shapes by name of the largest table of tensors in a file, itself or one level down."""
    outline: Any = source.outline(name)
    tables = [outline]
    if isinstance(outline, Mapping):
        tables += list(outline.values())
    return max((torch_outline.shapes(table) for table in tables), key=len)
