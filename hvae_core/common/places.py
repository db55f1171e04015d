"""Where images live: shipped with the project, in the user's data folder, in the cache."""

from __future__ import annotations

import os
from pathlib import Path

from hvae_core.common.cache import cache_dir
from hvae_core.common.files import named_path

ASSETS = Path(__file__).resolve().parents[2] / "assets"


def cache_data_root() -> Path:
    """Return the folder that downloads go to."""
    return cache_dir() / "data"


def default_data_root() -> Path:
    """Return the user's data folder: STRATA_DATA where set, else the folder of downloads.

    Raises ``DataError`` for a folder that this system cannot have.
    """
    own = os.environ.get("STRATA_DATA", "").strip()
    return named_path(own) if own else cache_data_root()


def root_of(data_root: str | Path | None) -> Path:
    """Return the data folder that was named, else the user's; ``DataError`` as there."""
    return named_path(data_root) if data_root else default_data_root()
