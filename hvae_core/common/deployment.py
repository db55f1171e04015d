"""Whether this server is open to the public, and what a visitor of a public one may use.

Without STRATA_PUBLIC the server is its user's own, and the bounds are those of the machine.
"""

from __future__ import annotations

import os

MIB = 2**20
MAX_JOBS = 4
"""Jobs of one visitor that wait or run at once on a public server."""
MAX_SETS = 8
"""Image sets that one visitor of a public server may have at once."""
ALL_SETS = 1024 * MIB
"""Bytes of pixels of all visitors' own sets together on a public server."""
MAX_CHECKPOINTS = 8
"""Checkpoints that one visitor of a public server may have at once."""
LAB_RUNS = 4
"""Runs of the Lab, of all visitors together, that train at once; others wait for one to end."""
READ_MEMORY = 1024 * MIB
"""Bytes that reading an uploaded file may take in its process."""
READ_SECONDS = 60.0
"""Seconds that reading an uploaded file may take on a public server."""


def public() -> bool:
    """Return whether STRATA_PUBLIC says that strangers visit this server.

    Then nobody reads the server's folders, and nothing is fetched from elsewhere for them.
    """
    return os.environ.get("STRATA_PUBLIC", "").strip().lower() in ("1", "true", "yes", "on")


def memory_limit() -> int:
    """Return how many bytes of pixels one set may have, decoded; on a public server, all of one's.

    Readers ask before they decode.
    """
    return 128 * MIB if public() else 2048 * MIB


def job_memory() -> int:
    """Return how many bytes a job may add to its process; 0 where that is the machine's affair."""
    return 3072 * MIB if public() else 0


def upload_limit() -> int:
    """Return how many bytes of uploaded files one session may hold on a public server."""
    return 192 * MIB
