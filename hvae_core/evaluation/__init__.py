"""Images and a checkpoint in, bounds out: computed once, kept, and found again."""
