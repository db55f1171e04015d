"""Whether this server is open to the public, and what a visitor of a public one may use."""

from __future__ import annotations

import os


def public() -> bool:
    """Return whether STRATA_PUBLIC says that strangers visit this server.

    Then nobody reads the server's folders, and nothing is fetched from elsewhere for them.
    """
    return os.environ.get("STRATA_PUBLIC", "").strip().lower() in ("1", "true", "yes", "on")
