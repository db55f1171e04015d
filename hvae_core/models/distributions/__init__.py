"""The distributions of the papers: diagonal Gaussian latents, and p(x given z) for pixels.

Likelihoods sum over the pixels of an image and return nats, with the leading (S, B) kept.
"""

from hvae_core.models.distributions.base import Likelihood, PixelLikelihood
from hvae_core.models.distributions.bernoulli import Bernoulli, ClampedBernoulli
from hvae_core.models.distributions.colour_mixture import (
    ColourLogistics,
    ColourMixture,
    FlooredMixture,
)
from hvae_core.models.distributions.gaussian import LOG_2PI, EvenedGaussian, Gaussian, positive
from hvae_core.models.distributions.logistic import DiscretisedLogistic
from hvae_core.models.distributions.mixture import MixtureLogistic
from hvae_core.models.distributions.normal import GaussianPixels

__all__ = [
    "LOG_2PI",
    "Bernoulli",
    "ClampedBernoulli",
    "ColourLogistics",
    "ColourMixture",
    "DiscretisedLogistic",
    "EvenedGaussian",
    "FlooredMixture",
    "Gaussian",
    "GaussianPixels",
    "Likelihood",
    "MixtureLogistic",
    "PixelLikelihood",
    "positive",
]
