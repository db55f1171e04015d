"""Where things lie: what ships with the program, the user's data folder, the cache.

What ships lies at the top of a clone of the repository, and in the folder ``strata_vae`` beside
``hvae_core`` where the program is installed. Nothing is written there but by a maintainer.
"""

from __future__ import annotations

import os
from pathlib import Path

from hvae_core.common.files import named_path

_TOP = Path(__file__).resolve().parents[2]
_INSTALLED = _TOP / "strata_vae"
INSTALLED = _INSTALLED.is_dir()
"""Whether this is an installed program, not a clone of the repository."""
HOME = _INSTALLED if INSTALLED else _TOP
"""The folder of the app's script and of ``assets``."""
ASSETS = HOME / "assets"
COMMAND = "strata" if INSTALLED else "python -m hvae_core"
"""How a user calls the command line."""


def cache_data_root() -> Path:
    """Return the folder that downloads go to."""
    from hvae_core.common.cache import cache_dir  # with numpy, which no help needs

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
