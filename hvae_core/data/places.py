"""Where images live: shipped with the project, in the user's data folder, in the cache."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ASSETS = Path(__file__).resolve().parents[2] / "assets"


def cache_data_root() -> Path:
    """Return the folder that downloads go to: strata/data in the platform's cache folder."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "strata" / "data"


def default_data_root() -> Path:
    """Return the user's data folder: STRATA_DATA where set, else the cache folder."""
    chosen = os.environ.get("STRATA_DATA", "").strip()
    return Path(chosen).expanduser() if chosen else cache_data_root()
