"""Configurations of what lies above z_L: the pseudoinput u of DVP-VAE, the context of DCT-VAE."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import Field
from pydantic.dataclasses import dataclass

from hvae_core.config.family import STRICT, counted

TransformName = Literal["dct", "downsample", "linear"]
LOG_VARIANCE = (-12.0, -5.0)
"""Between which log sigma^2 of a position of u is kept."""
MAX_CONTEXT_UNITS = 4096  # values of one pseudoinput or context
MAX_LINEAR_WEIGHTS = 2**22  # of a learnable linear map from an image


@dataclass(frozen=True, config=STRICT)
class DenoiserConfig:
    """The network of a diffusion prior: a residual ``unet``, or an ``mlp`` for small inputs.

    ``channels`` and ``blocks`` are the width and the residual blocks of every scale (DCT Table 6);
    an ``mlp`` has one scale.
    """

    network: Literal["unet", "mlp"] = "unet"
    channels: Annotated[int, Field(ge=2, le=256)] = 32
    blocks: Annotated[int, Field(ge=1, le=6)] = 3
    scales: Annotated[int, Field(ge=1, le=3)] = 1

    def __post_init__(self) -> None:
        if self.network == "mlp" and self.scales > 1:
            raise ValueError("an mlp has one scale")

    def narrowed(self) -> Self:
        """One block a scale, at half the width or less."""
        return replace(self, channels=min(self.channels // 2, 16), blocks=1)


@dataclass(frozen=True, config=STRICT)
class PseudoConfig:
    """The pseudoinput u ~ N(f(x), sigma^2 I) of DVP-VAE (DVP Eq. 9) and its prior."""

    size: Annotated[int, Field(ge=1, le=32)]
    """d: u has d x d values a colour."""
    transform: TransformName = "dct"
    """f: cropped DCT (DVP Algorithm 1), average pooling, or a learnable linear map."""
    prior: Literal["diffusion", "mixture", "normal"] = "diffusion"
    steps: Annotated[int, Field(ge=2, le=1000)] = 50
    """T of the diffusion prior (DVP 6.3)."""
    gamma_min: Annotated[float, Field(ge=-20, lt=0)] = -6.0
    gamma_max: Annotated[float, Field(gt=0, le=20)] = 7.0
    """Negative log SNR at t = 0 and t = 1."""
    components: Annotated[int, Field(ge=1, le=512)] = 100
    """K of a mixture of Gaussians."""
    sigma: Annotated[float, Field(ge=1e-3, le=10)] = 0.1
    """Where the learnable sigma of r(u | x) starts."""
    sigma_scope: Literal["scalar", "position"] = "scalar"
    """One sigma for all of u (DVP Eq. 9), or one for each value of it with log sigma^2 kept between
    -12 and -5, as in the authors' code, where it starts at -6."""
    denoiser: DenoiserConfig = DenoiserConfig()

    def __post_init__(self) -> None:
        low, high = (math.exp(bound / 2) for bound in LOG_VARIANCE)
        if self.sigma_scope == "position" and not low < self.sigma < high:
            raise ValueError(
                f"a sigma for each position lies between {low:.5f} and {high:.5f}, and cannot "
                f"start at {self.sigma:g}"
            )

    def in_words(self, shape: Sequence[int]) -> tuple[str, str]:
        """The pseudoinput of a shape, and its prior."""
        priors = {
            "diffusion": f"diffusion prior of {self.steps} steps",
            "mixture": f"prior a mixture of {counted(self.components, 'Gaussian')}",
            "normal": "prior N(0, I)",
        }
        spread = ", a spread each" if self.sigma_scope == "position" else ""
        return f"a pseudoinput of {_values(shape, self.transform)}{spread}", priors[self.prior]

    def narrowed(self) -> Self:
        """With a narrow denoiser."""
        return replace(self, denoiser=self.denoiser.narrowed())


@dataclass(frozen=True, config=STRICT)
class ContextConfig:
    """The discrete context of DCT-VAE: a quantised transform of x (DCT Algorithms 1, 3)."""

    size: Annotated[int, Field(ge=1, le=32)]
    """d: the context has d x d values a colour (DCT Table 6)."""
    transform: Literal["dct", "downsample"] = "dct"
    bins: Annotated[int, Field(ge=2, le=256)] = 16
    """Values a coordinate can take. The paper does not print them: its compression (App. G, 0.17
    bits a pixel for 3 x 6 x 6 values an image of 32 x 32) leaves 1.6 bits a value, so few."""
    steps: Annotated[int, Field(ge=2, le=1000)] = 7
    """T of the discrete diffusion prior (DCT Table 6)."""
    denoiser: DenoiserConfig = DenoiserConfig()

    def in_words(self, shape: Sequence[int]) -> tuple[str, str]:
        """The context of a shape, and its prior."""
        what = f"a context of {_values(shape, self.transform)}, in {self.bins} bins"
        return what, f"diffusion prior of {self.steps} steps"

    def narrowed(self) -> Self:
        """With a narrow denoiser."""
        return replace(self, denoiser=self.denoiser.narrowed())


_TRANSFORMS = {
    "dct": "the low frequencies of the DCT",
    "downsample": "average pooling",
    "linear": "a learned linear map",
}


def _values(shape: Sequence[int], transform: TransformName) -> str:
    return f"{'×'.join(map(str, shape))} values from {_TRANSFORMS[transform]}"


def check_context(config: PseudoConfig | ContextConfig, image_shape: tuple[int, int, int]) -> None:
    """Raise ``ValueError`` where u does not fit into the image or would need too much memory."""
    colours, height, width = image_shape
    units = colours * config.size**2
    if config.size > min(height, width):
        raise ValueError(f"a context of side {config.size} does not fit {height} x {width} pixels")
    if units > MAX_CONTEXT_UNITS:
        raise ValueError(f"more than {MAX_CONTEXT_UNITS:,} values in a context")
    if config.transform == "linear" and units * colours * height * width > MAX_LINEAR_WEIGHTS:
        raise ValueError("the linear map would be too large: choose a smaller context")
    if config.size % 2 ** (config.denoiser.scales - 1):
        raise ValueError("the side of a context must halve evenly at every scale of its denoiser")
