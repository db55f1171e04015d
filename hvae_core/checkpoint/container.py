"""The safetensors container, read without trust: recognition, header, tensor table, bytes.

Layout: 8 bytes of header length N (little-endian), N bytes of JSON, then the tensors' bytes. The
header is parsed here and nowhere else: two parsers of one file can disagree (the reference one
lets the last of two equal keys win), and then what was checked is not what is read. The writer
orders everything, so equal contents are equal bytes and have one digest.

An error raised here is a predicate ("is empty; ..."): the loader puts the file's name before it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from hvae_core.checkpoint.foreign import HOW_TO, other_weights, what_it_is
from hvae_core.common.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

MAX_BYTES = 512 * 1024**2
MAX_HEADER = 16 * 1024**2
MAX_TENSORS = 4096
MAX_RANK = 8
OURS = "strata-"
"""How the mark of every kind of file begins that is written here."""
_LENGTH = 8  # bytes of the header's length

_DTYPES = {"F32": ("float32", 4), "F16": ("float16", 2), "BF16": ("bfloat16", 2)}
"""Numbers that are read: what torch calls them, and their bytes."""
_NAMES = {f"torch.{dtype}": name for name, (dtype, _) in _DTYPES.items()}

DAMAGED = "the file is damaged or was made by another program, get it again from its source"


@dataclass(frozen=True)
class TensorEntry:
    """Where one tensor lies: ``begin`` and ``end`` count from the first byte after the header."""

    dtype: str
    """Of ``_DTYPES``."""
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """The checked table of a file: its metadata strings and its tensors."""

    metadata: dict[str, str]
    entries: dict[str, TensorEntry]
    start: int
    """Offset in the file of the first tensor byte."""


def quote(text: object) -> str:
    """Show a string of a foreign file in a message: short, printable, one line."""
    if not isinstance(text, str):
        return f"a {type(text).__name__}"
    return ascii(text if len(text) <= 60 else text[:57] + "...")


def one_line(text: str, length: int) -> str:
    """Keep what can be shown anywhere: printable, on one line, at most ``length`` characters."""
    return "".join(char for char in text if char.isprintable()).strip()[:length]


def strict_json(text: str | bytes, what: str) -> Any:
    """Parse JSON without duplicate keys, NaN or infinity; ``what`` names it in the error."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, value in items:
            if key in out:
                raise ValueError(f"the key {quote(key)} stands in it twice")
            out[key] = value
        return out

    def constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not a number that can be kept")

    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        return json.loads(decoded, object_pairs_hook=pairs, parse_constant=constant)
    except UnicodeDecodeError as exc:
        raise CheckpointError(f"has {what} that is not valid UTF-8; {DAMAGED}") from exc
    except RecursionError as exc:
        raise CheckpointError(f"has {what} nested too deep to be read; {DAMAGED}") from exc
    except ValueError as exc:
        reason = "it is not valid JSON" if isinstance(exc, json.JSONDecodeError) else str(exc)
        raise CheckpointError(f"has {what} that cannot be read ({reason}); {DAMAGED}") from exc


def check_size(size: int) -> None:
    """Refuse a file above ``MAX_BYTES`` before it is read."""
    if size > MAX_BYTES:
        raise CheckpointError(
            f"is {size / 1024**2:,.0f} MB; checkpoints up to {MAX_BYTES // 1024**2} MB are opened, "
            "store it in half precision or train a smaller model"
        )


def recognise(data: bytes) -> int:
    """Return the length of the header of a safetensors file, or say what the file is instead."""
    if not data:
        raise CheckpointError("is empty; copy or download it again")
    length = int.from_bytes(data[:_LENGTH], "little")
    looks_right = data[_LENGTH : _LENGTH + 1] == b"{"
    # Some foreign signatures are also plausible header lengths, so a sane header goes first.
    if looks_right and length <= min(MAX_HEADER, len(data) - _LENGTH):
        return length
    sentence = what_it_is(data)
    if sentence is not None:
        raise CheckpointError(sentence)
    if _is_text(data[:4096]):
        raise CheckpointError(f"is a text file; {HOW_TO}")
    if looks_right and length > MAX_HEADER:
        raise CheckpointError(
            f"claims a header of {length:,} bytes where {MAX_HEADER:,} is the most; {DAMAGED}"
        )
    if looks_right:
        raise CheckpointError("ends in the middle of its header; copy or download it again")
    raise CheckpointError(f"is not a kind of file that is known here; {HOW_TO}")


def _is_text(sample: bytes) -> bool:
    try:
        text = sample.decode("utf-8")
    except UnicodeDecodeError as exc:
        if exc.start < len(sample) - 3:  # else a character cut by the end of the sample
            return False
        text = sample[: exc.start].decode("utf-8")
    return all(char.isprintable() or char in "\t\r\n\f\ufeff" for char in text)


def read_header(data: bytes) -> Header:
    """Check everything about the container that can be known without looking at a weight."""
    check_size(len(data))
    length = recognise(data)
    table = strict_json(data[_LENGTH : _LENGTH + length], "a header")
    if not isinstance(table, dict):
        raise CheckpointError(f"has a header that is not a table of tensors; {DAMAGED}")
    metadata = table.pop("__metadata__", {})
    if not isinstance(metadata, dict) or any(not isinstance(v, str) for v in metadata.values()):
        raise CheckpointError(f"has metadata that is not a table of strings; {DAMAGED}")
    weights = table and all(isinstance(v, dict) and {"dtype", "shape"} <= set(v)
                            for v in table.values())  # fmt: skip
    if weights and not metadata.get("format", "").startswith(OURS):
        raise CheckpointError(other_weights(metadata, table))
    if len(table) > MAX_TENSORS:
        raise CheckpointError(
            f"holds {len(table):,} tensors where {MAX_TENSORS:,} is the most; {HOW_TO}"
        )
    entries = {name: _entry(name, value) for name, value in table.items()}
    start = _LENGTH + length
    _check_cover(entries, len(data) - start)
    return Header(metadata, entries, start)


def _is_size(value: object) -> bool:
    # A tensor of more elements than the cap has bytes cannot be in the file.
    return type(value) is int and 0 <= value <= MAX_BYTES


def _entry(name: str, value: object) -> TensorEntry:
    """One row of the tensor table, its numbers consistent with each other."""
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"describes the tensor {quote(name)} in an unknown way; {DAMAGED}")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise CheckpointError(
            f"stores the tensor {quote(name)} as {quote(dtype)}; "
            "only F32, F16 and BF16 are read, convert it first"
        )
    if not isinstance(shape, list) or len(shape) > MAX_RANK or not all(map(_is_size, shape)):
        raise CheckpointError(f"gives the tensor {quote(name)} an impossible shape; {DAMAGED}")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_size, offsets)):
        raise CheckpointError(
            f"gives the tensor {quote(name)} an impossible place in the file; {DAMAGED}"
        )
    entry = TensorEntry(dtype, tuple(shape), *offsets)
    if math.prod(shape) * _DTYPES[dtype][1] != entry.end - entry.begin:
        raise CheckpointError(
            f"gives the tensor {quote(name)} a shape that does not fit its bytes; {DAMAGED}"
        )
    return entry


def _check_cover(entries: Mapping[str, TensorEntry], size: int) -> None:
    """The tensors fill the ``size`` bytes exactly: no gap, no overlap, nothing after the last."""
    position = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != position:
            kind = "overlaps another" if entry.begin < position else "leaves a gap before it"
            raise CheckpointError(f"has a tensor {quote(name)} that {kind}; {DAMAGED}")
        position = entry.end
    if position > size:
        raise CheckpointError(
            f"is cut off: {position - size:,} bytes of weights are missing; "
            "copy or download it again"
        )
    if position < size:
        raise CheckpointError(f"has {size - position:,} bytes after its last tensor; {DAMAGED}")


def read_tensor(data: bytes, header: Header, name: str) -> Tensor:
    """Copy one tensor out of the file into contiguous float32 memory of its own."""
    import torch

    entry = header.entries[name]
    start = header.start + entry.begin
    # Through a copy: a view into the file's bytes would be neither writable nor aligned.
    raw = np.frombuffer(data, np.uint8, entry.end - entry.begin, start).copy()
    return (
        torch.from_numpy(raw)
        .view(getattr(torch, _DTYPES[entry.dtype][0]))
        .reshape(entry.shape)
        .float()
    )


def write(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The safetensors file of these tensors; equal contents give equal bytes."""
    import torch

    table: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    parts = []
    position = 0
    for name, tensor in sorted(tensors.items()):
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        part = flat.view(torch.uint8).numpy().tobytes()
        table[name] = {
            "dtype": _NAMES[str(tensor.dtype)],
            "shape": list(tensor.shape),
            "data_offsets": [position, position + len(part)],
        }
        position += len(part)
        parts.append(part)
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH)  # tensors begin on a multiple of 8 bytes
    return b"".join([len(text).to_bytes(_LENGTH, "little"), text, *parts])
