"""Context and pseudoinputs: transforms of an image, and priors over what they give."""

from hvae_core.context.base import UPrior
from hvae_core.context.priors import prior_from_config
from hvae_core.context.transforms import Transform, quantise, transform_from_config

__all__ = [
    "Transform",
    "UPrior",
    "prior_from_config",
    "quantise",
    "transform_from_config",
]
