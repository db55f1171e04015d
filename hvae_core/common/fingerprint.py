"""Fingerprints: one digest of all that an answer depends on, the key under which it is kept."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np

LATER = {"later": True}
"""Metadata of a dataclass's field that came later: its default leaves digests as they were."""


def digest(*parts: object) -> str:
    """SHA-256 (64 hex digits) of the parts: arrays by type, shape and bytes, the rest by JSON.

    A part is an array, a dataclass instance or anything JSON can write without loss; the order
    of the parts counts, the order of the keys in a mapping does not. A dataclass is known by its
    class's name too. Raises ``TypeError`` or ``ValueError`` for what has no such form.
    """
    sha = hashlib.sha256()
    for part in parts:
        head, body = _canonical(part)
        # The lengths keep two neighbouring parts from running into one another.
        sha.update(f"{head}:{len(body)}:".encode())
        sha.update(body)
    return sha.hexdigest()


def _canonical(part: object) -> tuple[str, bytes | memoryview]:
    if isinstance(part, np.ndarray):
        if part.dtype.kind not in "biufc":
            raise TypeError(f"only arrays of numbers have a digest, not {part.dtype}")
        flat = np.ascontiguousarray(part, dtype=part.dtype.newbyteorder("<"))
        return f"array {flat.dtype.str} {list(part.shape)}", flat.reshape(-1).view(np.uint8).data
    name = "json"
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        name = f"json {type(part).__name__}"
        silent = [
            field.name
            for field in dataclasses.fields(part)
            if field.metadata.get("later") and getattr(part, field.name) == field.default
        ]
        part = {k: v for k, v in dataclasses.asdict(part).items() if k not in silent}
    text = json.dumps(part, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return name, text.encode()
