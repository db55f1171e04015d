"""Which Debian font packages are used, and under which licence, checked against their own words.

Every package of `licences.toml` states an open licence in /usr/share/doc/<package>/copyright;
`licence_of` reads that file again and refuses a package whose text no longer bears it out.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

_LICENCES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))

PACKAGES: dict[str, str] = {
    f"fonts-{name}": licence
    for licence, table in _LICENCES.items()
    for name in table["packages"].split()
}

# Families within an accepted package whose own licence line is another one.
OTHER_LICENCE = {"Waree"}


def licence_of(package: str) -> str:
    """Licence of an installed font package; ValueError where its copyright file disagrees."""
    licence = PACKAGES[package]
    text = Path("/usr/share/doc", package, "copyright").read_text(errors="replace")
    if not re.search(_LICENCES[licence]["says"], text, re.IGNORECASE | re.MULTILINE):
        raise ValueError(f"{package}: its copyright file does not say {licence}; leave it out.")
    return licence
