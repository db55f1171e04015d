"""Out-of-distribution scores: one Material in, one number an image out."""

from hvae_core.scores.material import ClassGaussians, Material, Reference
from hvae_core.scores.registry import all_scores, get_score, score_list
from hvae_core.scores.score import Need, Score, richest

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
