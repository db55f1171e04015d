"""What is known of a network of the user's own: the layers that its marks name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

from hvae_core.config.family import ModelConfig, counted


@dataclass(frozen=True)
class AdaptedLayer:
    """One marked latent: its name, shape of one image, level, and whether its KL is exact."""

    name: str
    shape: tuple[int, ...]
    level: str
    exact_kl: bool = False


@final
@dataclass(frozen=True)
class AdaptedConfig(ModelConfig):
    """A network of the user's own with marked latents; no file can ask for one."""

    label: ClassVar[str] = "own network"
    network: ClassVar[str] = ""

    name: str
    """What the network is called."""
    image_shape: tuple[int, int, int]
    likelihood: Any
    """The class of p(x | z), "bernoulli" where it is one of binary draws."""
    layers: tuple[AdaptedLayer, ...]
    """z_1 (closest to the image) first."""
    inference: str
    """How the layers are inferred, in words."""
    trained_on: str = ""
    """The key of a world, empty where the user names none."""
    family: str = "adapted"

    @property
    def world(self) -> str:
        """The world that the user says it was trained on."""
        return self.trained_on

    @property
    def latent_names(self) -> tuple[str, ...]:
        """The names that the marks give, z_1 first."""
        return tuple(layer.name for layer in self.layers)

    @property
    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each latent as a first run of the network showed it."""
        return tuple(layer.shape for layer in self.layers)

    @property
    def levels(self) -> tuple[str, ...]:
        """The level of each latent."""
        return tuple(layer.level for layer in self.layers)

    @property
    def exact_kl(self) -> tuple[bool, ...]:
        """Whether torch has the divergence in closed form, and nothing drawn given z is in p."""
        return tuple(layer.exact_kl for layer in self.layers)

    @property
    def pixels_in_words(self) -> str:
        """The likelihood by the name of its class; "bernoulli" has words of its own."""
        return (
            super().pixels_in_words if self.binary else f"{self.likelihood}, of the network's own"
        )

    def in_words(self) -> str:
        """The network, as "MyVAE, a network of your own: 3 latent layers, inference top-down"."""
        layers = counted(len(self.layers), "latent layer")
        return f"{self.name}, a network of your own: {layers}, inference {self.inference}"
