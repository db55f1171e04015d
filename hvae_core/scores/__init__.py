"""Out-of-distribution scores: one table of bounds in, one number an image out."""

from hvae_core.scores.base import Need, Score
from hvae_core.scores.registry import get_score, score_list

__all__ = ["Need", "Score", "get_score", "score_list"]
