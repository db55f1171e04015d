"""How many images stand for a set, where nobody says how many."""

from __future__ import annotations

USUAL_LIMIT = 1000
"""Images of a set that stored results and defaults rest on, taken by ``World.choose``."""
