"""Measures: further figures of an image that scores read, computed once and kept on disk."""

from hvae_core.scores.measures.measure import Measure, compute, stored
from hvae_core.scores.measures.registry import MEASURES

__all__ = ["MEASURES", "Measure", "compute", "stored"]
