"""What a file is that is no checkpoint, in a sentence, and which way in there is.

Nothing is loaded: a pickle is read as a list of its instructions (``pickletools``), a bounded part
of it, which runs none of them.
"""

from __future__ import annotations

import contextlib
import io
import math
import pickletools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from hvae_core.common.places import COMMAND
from hvae_core.common.plain import plain

HOW_TO = (
    f"a checkpoint here is a .safetensors file written by `{COMMAND} train`, or one of another "
    "project that docs/checkpoints.md lists"
)
TWO_WAYS = (
    "there are two ways in: put an adapter around your own network (docs/own-model.md), or write "
    'its family (CONTRIBUTING.md); see "Weights from elsewhere" in the README'
)
_MOST = 2**20  # bytes of a pickle that are looked at
_STEPS = 20_000  # and its instructions
_MOST_ALONG = 2**31  # along one axis of a tensor
_WORDS = frozenset({"storage", "cpu", "cuda", "cuda:0", "mps", "little", "big", "protocol_version",
                    "little_endian", "type_sizes", "short", "int", "long"})  # fmt: skip
_KEY = re.compile(r"[A-Za-z_][\w./:-]{0,99}")

_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"PK", "a zip archive"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x89HDF", "an HDF5 file"),
    (b"GGUF", "a GGUF file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"PAR1", "a Parquet table"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
)
_PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))
_LFS = b"version https://git-lfs"


def what_it_is(data: bytes) -> str | None:
    """The sentence on a file whose first bytes say what it is; None where they do not."""
    if data[:2] == b"PK" and b"data.pkl" in data[:4096]:
        start = data.find(b"\x80", data.find(b"data.pkl"))
        return _pickle(data[start : start + _MOST] if start >= 0 else b"")
    if data.startswith(_PICKLES):
        return _pickle(data[:_MOST])
    if data.startswith(_LFS):
        return (
            "is not the file but a pointer of Git LFS to it; run `git lfs pull` where you cloned "
            "the repository, and bring what is there then"
        )
    for magic, kind in _KINDS:
        if data.startswith(magic):
            return f"is {kind}; {HOW_TO}"
    return None


def other_weights(metadata: Mapping[str, str], table: Mapping[str, Any]) -> str:
    """The sentence on a safetensors file that is sound but of another program.

    ``table`` has what the header says of each tensor, not checked yet.
    """
    if {"model", "train", "epoch"} <= set(metadata):
        return (
            "is the state of a training, from which it continues; the checkpoint is the other "
            ".safetensors file in its folder"
        )
    mark = f" (marked {plain(metadata['format'], 40)})" if metadata.get("format") else ""
    return (
        f"is a safetensors file of another program{mark}, a state dict{_counted(table)} with the "
        f"keys {listed(table)}; {TWO_WAYS}"
    )


def _counted(table: Mapping[str, Any]) -> str:
    """How many weights the shapes of a header claim; empty where they are no shapes."""
    shapes = [entry["shape"] for entry in table.values()]
    sizes = [n for shape in shapes if isinstance(shape, list) for n in shape]
    if not all(type(n) is int and 0 <= n < _MOST_ALONG for n in sizes) or len(sizes) > _STEPS:
        return ""
    return f" of {sum(math.prod(shape) for shape in shapes if isinstance(shape, list)):,} weights"


def _pickle(data: bytes) -> str:
    keys = listed(_names(data))
    held = f" of a state dict with the keys {keys}" if keys else ""
    never = "a pickle can run code, so it is not opened"
    return f"is a PyTorch pickle file{held}; {never}: {TWO_WAYS}"


def _names(data: bytes) -> list[str]:
    """Names in a pickle that may be keys: those with a dot, as weights have, else all."""
    found: dict[str, None] = {}
    with contextlib.suppress(Exception):  # whatever a damaged pickle makes of the reader
        stream = io.BytesIO(data)
        steps = 0
        while steps < _STEPS and stream.tell() < len(data):  # old files are several, end to end
            for code, value, _ in pickletools.genops(stream):
                steps += 1
                if steps > _STEPS:
                    break
                if "UNICODE" not in code.name or not isinstance(value, str):
                    continue
                if _KEY.fullmatch(value) and value not in _WORDS:
                    found[value] = None
    return [name for name in found if "." in name] or list(found)


def listed(names: Iterable[str], most: int = 3) -> str:
    """The first names of many, for a sentence."""
    told = [plain(name, 60) for name in names if name.strip()]
    more = ", ..." if len(told) > most else ""
    return ", ".join(told[:most]) + more
