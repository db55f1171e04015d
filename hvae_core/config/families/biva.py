"""BIVA: inference both ways, with pairs of latents (Maaloe et al. 2019; HVK App. B.2)."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeVar, final

from pydantic.dataclasses import dataclass

from hvae_core.config.family import STRICT
from hvae_core.config.layered import LayeredConfig

T = TypeVar("T")


@final
@dataclass(frozen=True, config=STRICT)
class BIVAConfig(LayeredConfig):
    """Pairs (z_i^BU, z_i^TD) below a single z_L, joined by deterministic paths up and down.

    Each part has the size given in ``latents``; the bottom-up part comes first.
    """

    family: Literal["biva"] = "biva"
    label: ClassVar[str] = "BIVA"
    inference: ClassVar[str] = "inference both ways with pairs of latents"
    network: ClassVar[str] = "hvae_core.models.families.biva:BIVA"

    @property
    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each latent, z_1 first; both parts of a pair."""
        return paired(self.part_shapes, self.part_shapes)

    @property
    def latent_names(self) -> tuple[str, ...]:
        """z1bu, z1td, z2bu, ..., zL."""
        return pair_names(self.z_names)

    @property
    def levels(self) -> tuple[str, ...]:
        """A pair is one level."""
        return paired(self.z_names, self.z_names)

    @property
    def exact_kl(self) -> tuple[bool, ...]:
        """Of z_i^TD and z_L; for z_i^BU log q - log p of a draw stands, which may cancel."""
        below = len(self.latents) - 1
        return paired((False,) * (below + 1), ((True,) * below + (self.exact_top,)))


def pair_names(z_names: tuple[str, ...]) -> tuple[str, ...]:
    """z1bu, z1td, z2bu, ..., zL of z1 .. zL."""
    bottom_up = tuple(f"{z}bu" for z in z_names)
    top_down = (*(f"{z}td" for z in z_names[:-1]), z_names[-1])
    return paired(bottom_up, top_down)


def paired(bottom_up: tuple[T, ...], top_down: tuple[T, ...]) -> tuple[T, ...]:
    """One value a latent from one a layer: all layers but the top hold two."""
    pairs = zip(bottom_up[:-1], top_down[:-1], strict=True)
    return (*(value for pair in pairs for value in pair), top_down[-1])
