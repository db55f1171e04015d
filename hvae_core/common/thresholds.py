"""From where on a layer counts as collapsed, and a unit as active, unless told otherwise."""

COLLAPSE_THRESHOLD = 0.01
"""Nats a latent dimension (HVK; Li et al. 2022): a layer whose KL is within it is collapsed."""
ACTIVE_THRESHOLD = 0.01
"""Variance of the posterior mean over images (Burda et al. 2016): a unit above it is active."""
