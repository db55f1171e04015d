"""How much a source may hold: bounds that are checked before anything is decoded."""

from __future__ import annotations

from hvae_core.common.deployment import memory_limit

MAX_SET_BYTES = 2 * 2**30


def max_set_bytes() -> int:
    """The pixels that one set may take in memory, less on a public server."""
    return min(MAX_SET_BYTES, memory_limit())
