"""Recorded training recipes: ``python -m hvae_core train --preset NAME`` makes one again.

The shipped ones are sized for two processor cores: the stem folds 2x2 pixel squares into channels,
stages have two residual blocks, and epochs are counted in images. ``hvk-...``, ``inf-...``,
``dct-...``, ``dvp-...``, ``vdvae-dct-...`` and ``vdvae-dvp-...`` are the networks and schedules of
the papers, for a machine with a GPU; ``--data svhn:train`` and the like give them other images.
"""

from hvae_core.errors import ConfigError
from hvae_core.presets import biva, colour, context, deep, layered, vamp
from hvae_core.presets.base import Preset

__all__ = ["PRESETS", "Preset", "get_preset"]

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for module in (layered, biva, vamp, colour, deep, context)
    for preset in module.PRESETS
}


def get_preset(name: str) -> Preset:
    """The recipe of that name. Raises ``ConfigError`` with the names there are."""
    try:
        return PRESETS[name]
    except KeyError:
        raise ConfigError(
            f"There is no preset {name!r}; the presets are {', '.join(PRESETS)}."
        ) from None
