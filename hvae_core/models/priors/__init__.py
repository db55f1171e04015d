"""Context and pseudoinputs: transforms of an image, and priors over what they give."""

from hvae_core.models.priors.base import UPrior
from hvae_core.models.priors.closed_form import prior_from_config
from hvae_core.models.priors.transforms import Transform, quantise, transform_from_config

__all__ = [
    "Transform",
    "UPrior",
    "prior_from_config",
    "quantise",
    "transform_from_config",
]
