"""Recorded training recipes: ``python -m hvae_core train --preset NAME`` makes one again.

The shipped ones are sized for two processor cores: the stem folds 2x2 pixel squares into channels,
stages have two residual blocks, and epochs are counted in images. ``hvk-...``, ``inf-...``,
``dct-...``, ``dvp-...``, ``vdvae-dct-...`` and ``vdvae-dvp-...`` are the networks and schedules of
the papers, for a machine with a GPU; ``--data svhn:train`` and the like give them other images.
Each has a twin, ``NAME-small``, for two cores.

They stand in the TOML files of this folder, a table each (``reader`` says how), and are read when
one is first asked for.
"""

from difflib import get_close_matches
from functools import cache
from pathlib import Path

from hvae_core.common.errors import ConfigError
from hvae_core.common.places import COMMAND
from hvae_core.config.presets.preset import Preset

__all__ = ["PRESETS", "Preset", "get_preset"]

_FILES = (
    "shared", "layered", "biva", "vamp", "colour", "deep", "context", "sizes", "remedies", "lab",
)  # fmt: skip
PRESETS: dict[str, Preset]
"""Every recipe by its name, and after them the twins."""


@cache
def _presets() -> dict[str, Preset]:
    from hvae_core.config.presets import reader, twins

    presets = reader.read(Path(__file__).with_name(f"{file}.toml") for file in _FILES)
    small = [twins.twin(preset, presets) for preset in presets.values() if preset.paper]
    return presets | {preset.name: preset for preset in small}


def __getattr__(name: str) -> dict[str, Preset]:
    if name != "PRESETS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _presets()


def get_preset(name: str) -> Preset:
    """The recipe of that name. Raises ``ConfigError`` with the nearest names there are."""
    try:
        return _presets()[name]
    except KeyError:
        near = " or ".join(get_close_matches(name, _presets()))
        guess = f"did you mean {near}? All are" if near else "all are"
        raise ConfigError(
            f"There is no preset {name!r}; {guess} in `{COMMAND} models --json`."
        ) from None
