"""Hierarchical variational autoencoders: models, bounds, out-of-distribution scores, pictures."""
