"""VDVAE (Child 2021): the deep top-down VAE with nothing above z_L."""

from __future__ import annotations

from typing import final

from hvae_core.models.families.deep import DeepState, DeepVAE


@final
class VDVAE(DeepVAE):
    """Residual way up with h_enc a scale; top-down blocks that read and write h_dec (Child 2021).

    As there, p(z_L) is read from the constant of the top scale like every other prior: it is a
    learned Gaussian, which starts near N(0, I).
    """

    def start(self, batch: int) -> DeepState:
        """The state above z_L, where nothing is known."""
        return self.start_from(batch, None)
