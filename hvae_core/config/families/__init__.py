"""One module a family: its configuration, which names its network. A new module is found here."""

from importlib import import_module
from pkgutil import iter_modules

from hvae_core.config.families.biva import BIVAConfig
from hvae_core.config.families.dct import DCTConfig
from hvae_core.config.families.dvp import DVPConfig
from hvae_core.config.families.hvae import HVAEConfig
from hvae_core.config.families.lvae import LVAEConfig
from hvae_core.config.families.vdvae import VDVAEConfig
from hvae_core.config.family import register

__all__ = ["BIVAConfig", "DCTConfig", "DVPConfig", "HVAEConfig", "LVAEConfig", "VDVAEConfig"]

for config in (HVAEConfig, LVAEConfig, BIVAConfig, VDVAEConfig, DCTConfig, DVPConfig):
    register(config)  # first, in the order in which they are listed
for module in iter_modules(__path__):
    import_module(f"{__name__}.{module.name}")  # any other registers itself
