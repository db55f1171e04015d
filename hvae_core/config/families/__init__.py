"""One module a family: its configuration, which names its network."""

from hvae_core.config.families.biva import BIVAConfig
from hvae_core.config.families.dct import DCTConfig
from hvae_core.config.families.dvp import DVPConfig
from hvae_core.config.families.hvae import HVAEConfig
from hvae_core.config.families.lvae import LVAEConfig
from hvae_core.config.families.vdvae import VDVAEConfig
from hvae_core.config.family import register

__all__ = ["BIVAConfig", "DCTConfig", "DVPConfig", "HVAEConfig", "LVAEConfig", "VDVAEConfig"]

for config in (HVAEConfig, LVAEConfig, BIVAConfig, VDVAEConfig, DCTConfig, DVPConfig):
    register(config)
