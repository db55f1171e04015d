"""What stands in files that ``torch.save`` wrote, read as data: nothing in them is run or built.

Two containers: a zip (``name/data.pkl`` and a record a storage), and the older one of torch before
1.6: pickles end to end, the storages after them.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from hvae_core.checkpoint.container import MAX_BYTES, MAX_RANK, MAX_TENSORS, quote
from hvae_core.checkpoint.pickled import BROKEN, Call, Named, read_pickle, read_pickles
from hvae_core.common.errors import CheckpointError

MAX_RECORDS = 4 * MAX_TENSORS
"""Records of a zip: an optimiser's state has two or three for every weight."""
MAX_FILE = 4 * MAX_BYTES
"""Bytes of a file: beside the weights, an optimiser's state may lie in it."""
MAX_DEPTH = 16
_SIZES = {"Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2,
          "Char": 1, "Byte": 1, "Bool": 1}  # fmt: skip
_REBUILT = "torch._utils._rebuild_tensor_v2"
_PARAMETER = "torch._utils._rebuild_parameter"
_TABLE = "collections.OrderedDict"
_SIZE = "torch.Size"
_OLD_MAGIC = 0x1950A86A20F9469CFC6C


@final
@dataclass(frozen=True)
class Weight:
    """A tensor as the file claims it: its shape, and its kind of number ("Float", "Long", ...)."""

    shape: tuple[int, ...]
    kind: str


@final
@dataclass(frozen=True)
class _Storage:
    """Numbers of one kind in the file."""

    kind: str
    key: str
    count: int


def check_size(size: int) -> None:
    """Refuse a file above ``MAX_FILE`` before it is read."""
    if size > MAX_FILE:
        raise CheckpointError(
            f"is {size / 1024**2:,.0f} MB; files up to {MAX_FILE // 1024**2:,} MB are read, store "
            "the weights alone"
        )


def is_torch_file(data: bytes) -> bool:
    """Whether the first bytes are those of a file that ``torch.save`` wrote, of either kind."""
    return _is_zip(data) or (data[:1] == b"\x80" and _OLD_START in data[:32])


_OLD_START = _OLD_MAGIC.to_bytes(10, "little")


def _is_zip(data: bytes) -> bool:
    # The first record of torch's zips is the pickle; its name stands behind 30 bytes.
    name = data[30 : 30 + int.from_bytes(data[26:28], "little")]
    return data[:4] == b"PK\x03\x04" and name.endswith(b"/data.pkl")


def outline(data: bytes) -> Any:
    """What stands in a file of ``torch.save``, with a ``Weight`` for every tensor; loads nothing.

    Tables, lists, tuples (also for a ``torch.Size``), numbers and texts are what they are; a class
    that the file names stays a ``Named``. Raises ``CheckpointError`` where a claim does not fit.
    """
    check_size(len(data))
    if _is_zip(data):
        sizes, pickled = _records(data)
        contents = read_pickle(pickled, _storage)
        return _plain(contents, sizes, depth=0)
    if not is_torch_file(data):
        raise CheckpointError("is not a file that torch.save wrote; give the file of weights")
    return _old_outline(data)


def shapes(value: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors by name in a table of an ``outline``; empty where it is no such table.

    The names in it are those of weights as the file has them.
    """
    if not isinstance(value, Mapping):
        return {}
    return {
        name: part.shape
        for name, part in value.items()
        if isinstance(name, str) and isinstance(part, Weight)
    }


# --- the zip ----------------------------------------------------------------------------------


def _records(data: bytes) -> tuple[dict[str, int], bytes]:
    """Bytes of every storage by its key, and the pickle; every record stored as it is."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_entries(entries, len(data))
            root = next(e.filename for e in entries if e.filename.endswith("/data.pkl"))[:-8]
            order = f"{root}byteorder"
            if any(e.filename == order for e in entries) and archive.read(order) != b"little":
                raise CheckpointError("stores its numbers in an unusual order; save it again")
            start = f"{root}data/"
            sizes = {
                e.filename.removeprefix(start): e.file_size
                for e in entries
                if e.filename.startswith(start)
            }
            return sizes, archive.read(f"{root}data.pkl")
    except CheckpointError:
        raise
    except Exception as exc:
        raise CheckpointError(f"is a damaged zip archive; {BROKEN}") from exc


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    names = [entry.filename for entry in entries]
    if len(names) > MAX_RECORDS:
        raise CheckpointError(f"holds {len(names):,} records where {MAX_RECORDS:,} is the most")
    if len(set(names)) < len(names):
        raise CheckpointError(f"holds two records of one name; {BROKEN}")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise CheckpointError(f"holds compressed records, as torch.save writes none; {BROKEN}")
    if sum(entry.file_size for entry in entries) > size:
        raise CheckpointError(f"claims more bytes than it has; {BROKEN}")
    if any(name.startswith("/") or "\\" in name or ".." in name.split("/") for name in names):
        raise CheckpointError(f"holds a record with a path for a name; {BROKEN}")
    if sum(name.endswith("/data.pkl") for name in names) != 1:
        raise CheckpointError(f"holds no pickle of torch.save, or several; {BROKEN}")


def _storage(pid: Any) -> _Storage:
    """A reference to numbers outside of the pickle."""
    if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage":
        raise CheckpointError(f"refers to something that is no storage; {BROKEN}")
    kind, key, count = pid[1], pid[2], pid[4]
    name = kind.name if isinstance(kind, Named) else ""
    short = name.removeprefix("torch.").removesuffix("Storage")
    if short not in _SIZES or name != f"torch.{short}Storage":
        raise CheckpointError(f"stores numbers as {quote(name)}, which no weights are")
    if not isinstance(key, str) or type(count) is not int or not 0 <= count <= MAX_BYTES:
        raise CheckpointError(f"claims an impossible storage; {BROKEN}")
    return _Storage(short, key, count)


def _plain(value: Any, sizes: Mapping[str, int], *, depth: int) -> Any:
    """The contents with a ``Weight`` for every tensor, each held against its storage."""
    if depth > MAX_DEPTH:
        raise CheckpointError(f"is nested deeper than any file of weights; {BROKEN}")
    if isinstance(value, Call):
        return _called(value, sizes, depth=depth)
    if isinstance(value, dict):
        return {key: _plain(part, sizes, depth=depth + 1) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(part, sizes, depth=depth + 1) for part in value)
    return value


def _called(call: Call, sizes: Mapping[str, int], *, depth: int) -> Any:
    if call.name == _TABLE and not call.args:
        return _plain(call.items, sizes, depth=depth)  # of its state, a note on versions, nothing
    if call.name == _SIZE and len(call.args) == 1 and isinstance(call.args[0], tuple | list):
        return tuple(call.args[0])
    if call.name == _PARAMETER and call.args and isinstance(call.args[0], Call):
        return _called(call.args[0], sizes, depth=depth)
    if call.name == _REBUILT and len(call.args) >= 4 and isinstance(call.args[0], _Storage):
        return _weight(call.args, sizes)
    return call  # whoever asks for plain data refuses it


def _weight(claim: tuple[Any, ...], sizes: Mapping[str, int]) -> Weight:
    """A tensor whose last number lies within its storage, and whose storage lies in the file."""
    storage, offset, shape, strides = claim[:4]
    if isinstance(shape, Call) and len(shape.args) == 1:
        shape = shape.args[0]
    pair = isinstance(shape, tuple) and isinstance(strides, tuple)
    numbers = (offset, *shape, *strides) if pair else ()
    right = numbers and all(type(n) is int and 0 <= n <= MAX_BYTES for n in numbers)
    if not right or len(shape) != len(strides) or len(shape) > MAX_RANK:
        raise CheckpointError(f"gives a tensor an impossible shape; {BROKEN}")
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    count = math.prod(shape)
    if count and (last >= storage.count or count > storage.count):
        raise CheckpointError(f"claims a tensor larger than its numbers; {BROKEN}")
    if storage.count * _SIZES[storage.kind] > sizes.get(storage.key, -1):
        raise CheckpointError(f"claims more numbers than a storage has; {BROKEN}")
    return Weight(shape, storage.kind)


# --- the older container ----------------------------------------------------------------------


def _old_outline(data: bytes) -> Any:
    """Five pickles (a mark, a version, the machine, the contents, the keys), then the storages."""
    found, end = read_pickles(data, 5, _storage)
    mark, version, machine, contents, keys = found
    if mark != _OLD_MAGIC or version != 1001 or not isinstance(keys, list):
        raise CheckpointError(f"is no file of torch.save; {BROKEN}")
    if isinstance(machine, dict) and machine.get("little_endian") is False:
        raise CheckpointError("stores its numbers in an unusual order; save it again")
    # Which kind a storage is stands where it is first named, its count before its numbers.
    kinds = _kinds(contents, {}, depth=0)
    sizes: dict[str, int] = {}
    for key in keys:
        if not isinstance(key, str) or key in sizes or key not in kinds or len(data) < end + 8:
            raise CheckpointError(f"lists storages that do not fit it; {BROKEN}")
        (count,) = struct.unpack_from("<q", data, end)
        if not 0 <= count <= MAX_BYTES:
            raise CheckpointError(f"claims an impossible storage; {BROKEN}")
        sizes[key] = count * _SIZES[kinds[key]]
        end += 8 + sizes[key]
    if end > len(data):
        raise CheckpointError("is cut off; copy or download it again")
    return _plain(contents, sizes, depth=0)


def _kinds(value: Any, found: dict[str, str], *, depth: int) -> dict[str, str]:
    """The kind of number of every storage that the contents name, by its key."""
    if depth > MAX_DEPTH:
        raise CheckpointError(f"is nested deeper than any file of weights; {BROKEN}")
    parts: list[Any] = []
    if isinstance(value, _Storage):
        found[value.key] = value.kind
    elif isinstance(value, Call):
        parts = [*value.args, *value.items.values()]
    elif isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, list | tuple):
        parts = list(value)
    for part in parts:
        _kinds(part, found, depth=depth + 1)
    return found
