"""How much a source may hold: bounds that are checked before anything is decoded."""

from __future__ import annotations

MAX_SET_BYTES = 2 * 2**30


def max_set_bytes() -> int:
    """The pixels that one set may take in memory."""
    return MAX_SET_BYTES
