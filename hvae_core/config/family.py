"""What the configuration of every family says of it, without torch, and the families by name.

A family is two things: a configuration here, registered under its name, and the network that the
configuration names. Whoever reads a file, a card or a page asks the configuration; whoever needs
the network builds it by ``hvae_core.models.model_from_config``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, Union

from pydantic import ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

STRICT = ConfigDict(extra="forbid", strict=True)

LikelihoodName = Literal[
    "bernoulli",
    "gaussian_fixed",
    "gaussian",
    "oversmooth",
    "discretised_logistic",
    "mixture_logistic",
]
"""Those that ``PixelHead`` makes of a network's numbers."""
AnyLikelihood = LikelihoodName | Literal["colour_mixture"]
"""Those, and the mixture that networks of other projects bring with them."""
LIKELIHOODS: dict[AnyLikelihood, str] = {
    "bernoulli": "Bernoulli, images binarised anew at every look",
    "discretised_logistic": "discretised logistic over 256 grey levels",
    "mixture_logistic": "mixture of 10 discretised logistics over 256 levels, channels in turn",
    "colour_mixture": "mixture of discretised logistics over 256 levels, colours in turn",
    "gaussian_fixed": "Gaussian density of dequantised grey levels, standard deviation 0.1",
    "gaussian": "Gaussian density of dequantised grey levels, a standard deviation for each pixel",
    "oversmooth": "Gaussian density of dequantised grey levels, one learned standard deviation",
}
"""Each in words."""
ImageShape = tuple[
    Annotated[int, Field(ge=1, le=4)],
    Annotated[int, Field(ge=4, le=256)],
    Annotated[int, Field(ge=4, le=256)],
]


class ModelConfig(ABC):
    """The configuration of a model: its fields travel in the file, all else follows from them.

    A family is a frozen pydantic dataclass of these, final, with a field ``family`` whose one value
    is its name, and ``register`` over it. The first line of its docstring says what the family is.
    """

    label: ClassVar[str]
    """The family's name as people write it."""
    network: ClassVar[str]
    """Its network, as "package.module:Class": a ``HierarchicalVAE`` made from the configuration."""
    offers: ClassVar[str] = ""
    """What its fields offer beside sizes, as the end of a sentence that begins with its name."""
    top_name: ClassVar[str] = ""
    """Name of a topmost latent that is not counted among the layers; empty where all are."""

    image_shape: ImageShape
    likelihood: AnyLikelihood
    family: str
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    @abstractmethod
    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each latent, z_1 first: (dim, H, W) or (dim,)."""

    @property
    @abstractmethod
    def latent_names(self) -> tuple[str, ...]:
        """Name of each latent, z_1 first."""

    @property
    @abstractmethod
    def levels(self) -> tuple[str, ...]:
        """The level of each latent: k counts levels, runs of neighbours, from the lowest."""

    @property
    @abstractmethod
    def exact_kl(self) -> tuple[bool, ...]:
        """Whether each KL term is a divergence in the strict sense, never below 0 (HVK App. F)."""

    @property
    def read_by_draws_alone(self) -> bool:
        """Whether z_i, i > 1, is inferred from a draw of z_{i-1} and nothing else."""
        return False

    @property
    def world(self) -> str:
        """The world that it was trained on, where the network itself must say so."""
        return ""

    @property
    def pixels_in_words(self) -> str:
        """The likelihood, and what becomes of the images before."""
        return LIKELIHOODS[self.likelihood]

    @property
    def binary(self) -> bool:
        """Whether p(x|z) is one of black and white pixels: nats of no other kind compare with it.

        The mean of such a pixel stands where others have a grey level.
        """
        return self.likelihood == "bernoulli"

    @abstractmethod
    def in_words(self) -> str:
        """The network, as "3 latent layers, 32 channels, 2 residual blocks a stage, ..."."""

    def narrowed(self) -> Self:
        """The same layers in a narrow network, for a small twin; itself where that is small."""
        return self

    @classmethod
    def summary(cls) -> str:
        """The family in one sentence."""
        return (cls.__doc__ or "").partition("\n")[0]

    @classmethod
    def __get_pydantic_core_schema__(cls, kind: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The base class reads the family that the key ``family`` names."""
        if cls is not ModelConfig:
            return handler(kind)
        every: Any = Union[tuple(FAMILIES.values())]  # noqa: UP007
        return handler.generate_schema(Annotated[every, Field(discriminator="family")])


FAMILIES: dict[str, type[ModelConfig]] = {}
"""Every family by the name in its files."""

C = TypeVar("C")


def register(config: type[C]) -> type[C]:
    """Make a family known: from now on its files open, and its models are built."""
    if not issubclass(config, ModelConfig):
        raise TypeError(f"{config.__qualname__} is no ModelConfig")
    other = FAMILIES.setdefault(config.family, config)
    if (other.__module__, other.__qualname__) != (config.__module__, config.__qualname__):
        raise ValueError(f"there is a family {config.family!r} already: {other.__qualname__}")
    return config


def level_starts(groups: Sequence[str]) -> tuple[int, ...]:
    """Layers skipped at k = 0, 1, ...: the index of the first layer of every run of equal names."""
    return tuple(i for i, name in enumerate(groups) if i == 0 or name != groups[i - 1])


def counted(n: int, noun: str) -> str:
    """A number of things, as "1 layer" or "1,568 units"."""
    return f"{n:,} {noun}{'s' if n != 1 else ''}"
