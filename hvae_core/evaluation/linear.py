"""What a linear VAE of fixed sigma says at its best, from the eigenvalues of the data alone.

Its units are the directions of greatest variance lambda_1 >= lambda_2 >= ... of the pixels, and
unit i says 0.5 ln(lambda_i / sigma^2) nats, nothing where sigma^2 is larger (Lucas et al. 2019).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hvae_core.common.arrays import Floats
from hvae_core.common.words import fmt
from hvae_core.config import ModelConfig

MOST_PIXELS = 4096
"""Pixels of an image up to which eigenvalues are computed: it takes the cube of their number."""


def data_eigenvalues(images: ArrayLike) -> Floats:
    """Eigenvalues of the pixels' covariance, the largest first, (D,), for uint8 (N, C, H, W).

    Pixels are grey levels dequantised to [0, 1], as a Gaussian likelihood sees them.
    """
    pixels = np.asarray(images)
    flat = (pixels.astype(np.float64).reshape(len(pixels), -1) + 0.5) / 256
    flat -= flat.mean(0)
    # Of few large images the products of images have the same eigenvalues, and the rest are 0.
    few = len(flat) < flat.shape[1]
    values = np.linalg.eigvalsh((flat @ flat.T if few else flat.T @ flat) / max(len(flat) - 1, 1))
    found = np.zeros(flat.shape[1])
    found[: len(values)] = np.maximum(values[::-1], 0)
    return found


def linear_nats(eigenvalues: ArrayLike, std: float) -> Floats:
    """0.5 ln(lambda_i / sigma^2) nats of each unit, 0 where sigma^2 is larger (ibid.)."""
    values = np.asarray(eigenvalues, np.float64)
    return np.asarray(0.5 * np.log(np.maximum(values / std**2, 1.0)))


@dataclass(frozen=True)
class Spread:
    """The decoder's variance against the data's: sigma, how many units it lets live, their nats."""

    std: float
    largest: tuple[float, ...]
    """The three largest eigenvalues."""
    units: int
    """Directions of the data whose eigenvalue is above sigma^2."""
    nats: float
    """What as many of them as the network has units say together at their best."""

    @classmethod
    def of(cls, config: ModelConfig, images: ArrayLike) -> Spread | None:
        """That of a network whose Gaussian pixels have a fixed sigma; None for all others."""
        pixels = np.asarray(images)
        std = fixed_std(config)
        if std is None or len(pixels) < 2 or pixels[0].size > MOST_PIXELS:
            return None
        values = data_eigenvalues(pixels)
        nats = linear_nats(values, std)
        told = float(nats[: units_of(config)].sum())
        return cls(std, tuple(values[:3].tolist()), int((nats > 0).sum()), told)


def units_of(config: ModelConfig) -> int:
    """Latent units of a network in all."""
    return sum(math.prod(shape) for shape in config.latent_shapes)


def fixed_std(config: ModelConfig) -> float | None:
    """sigma of p(x | z) where it is fixed, of the grey range; None where there is none."""
    if config.likelihood != "gaussian_fixed":
        return None
    return float(getattr(config, "std", 0.1))


def spread_in_words(config: ModelConfig, spread: Spread | None) -> str:
    """What the decoder's variance lets the units say, or why that question does not apply."""
    units = units_of(config)
    if spread is not None:
        killed = f"sigma = {spread.std:g}, so sigma squared = {spread.std**2:.3g}"
        largest = ", ".join(f"{value:.3g}" for value in spread.largest)
        if not spread.units:
            return (
                f"The decoder's variance silences every unit: {killed} lies above the largest "
                f"eigenvalue of these images' covariance ({largest}), and a linear model would say "
                "nothing at all. Make sigma smaller."
            )
        text = (
            f"The decoder's variance ({killed}) lies below {spread.units:,} eigenvalues of these "
            f"images' covariance (the largest: {largest}): a linear model would use "
            f"{min(spread.units, units):,} of {units:,} units, and unit i would say "
            "0.5 ln(lambda_i / sigma squared) nats"
        )
        return f"{text}, {fmt(spread.nats, 'nats')} in all."
    why = _NO_SIGMA.get(config.likelihood, "its pixels have no fixed sigma")
    return (
        "The decoder's variance against the data's eigenvalues does not apply here: "
        f"{why}, and the exact threshold is known for Gaussian pixels of a fixed sigma alone."
    )


_NO_SIGMA = {
    "bernoulli": "binary pixels have no sigma of their own",
    "gaussian": "the network gives every pixel a sigma of its own",
    "oversmooth": "sigma is learned with the weights",
    "gaussian_fixed": "the images are too few or too large for their covariance",
}
