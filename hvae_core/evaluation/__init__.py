"""Images and a checkpoint in, bounds out: computed once, kept, and found again."""

SHIPPED_LIMIT = 1000
"""Images of a set that stored results and defaults rest on, taken by ``World.choose``."""
