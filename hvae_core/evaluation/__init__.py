"""Images and a checkpoint in, bounds out: computed once, kept, and found again."""

from hvae_core.common.usual import USUAL_LIMIT as SHIPPED_LIMIT

__all__ = ["SHIPPED_LIMIT"]
