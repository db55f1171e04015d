"""Recorded training recipes: ``python -m hvae_core train --preset NAME`` makes one again.

The shipped ones are sized for two processor cores: the stem folds 2x2 pixel squares into channels,
stages have two residual blocks, and epochs are counted in images. ``hvk-...``, ``inf-...``,
``dct-...``, ``dvp-...``, ``vdvae-dct-...`` and ``vdvae-dvp-...`` are the networks and schedules of
the papers, for a machine with a GPU; ``--data svhn:train`` and the like give them other images.
Each has a twin, ``NAME-small``, for two cores.
"""

from difflib import get_close_matches

from hvae_core.common.errors import ConfigError
from hvae_core.config.presets import biva, colour, context, deep, layered, twins, vamp
from hvae_core.config.presets.preset import Preset

__all__ = ["PRESETS", "Preset", "get_preset"]

_WITH_PAPERS = (layered, biva, vamp, deep, context)
PRESETS: dict[str, Preset] = {
    preset.name: preset
    for module in (layered, biva, vamp, colour, deep, context)
    for preset in module.PRESETS
}
PRESETS |= {
    f"{paper.name}-small": twins.twin(paper) for module in _WITH_PAPERS for paper in module.PAPERS
}


def get_preset(name: str) -> Preset:
    """The recipe of that name. Raises ``ConfigError`` with the nearest names there are."""
    try:
        return PRESETS[name]
    except KeyError:
        near = " or ".join(get_close_matches(name, PRESETS))
        guess = f"did you mean {near}? All are" if near else "all are"
        raise ConfigError(
            f"There is no preset {name!r}; {guess} in `python -m hvae_core models --json`."
        ) from None
