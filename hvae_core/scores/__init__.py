"""Out-of-distribution scores: one Material in, one number an image out."""

from hvae_core.scores.base import ClassGaussians, Material, Need, Reference, Score, richest
from hvae_core.scores.registry import all_scores, get_score, score_list

__all__ = [
    "ClassGaussians",
    "Material",
    "Need",
    "Reference",
    "Score",
    "all_scores",
    "get_score",
    "richest",
    "score_list",
]
