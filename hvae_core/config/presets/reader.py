"""Presets from TOML: one table a recipe, laid over the ones that it is ``like``.

    [NAME]
    title = "plain ELBO, 3 layers"
    world = "glyphs"                      # the data of the run too
    source = "HVK Eq. 1"
    paper = true                          # the size of a paper: it gets a small twin
    like = ["OTHER", "_run"]              # entries above: each lies over the one before
    model = { family = "hvae", latents = [{ conv = 8 }, { dense = 16, stride = 2 }] }
    train = { epochs = 12, warmup_epochs = { share = 0.2 }, clip_norm = { bits = 100.0 } }

An entry takes all but ``paper`` from those it is like, field by field. Those with a name that
begins with ``_`` are for others to be like, and are no recipes.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterable
from functools import reduce
from pathlib import Path
from typing import Any

from hvae_core.common.errors import ConfigError
from hvae_core.config import from_json
from hvae_core.config.presets.preset import Preset

Entry = dict[str, Any]


def read(paths: Iterable[Path]) -> dict[str, Preset]:
    """The recipes of these files by their names, in order; an entry may be like one of any above.

    Raises ``ConfigError`` with the file, the entry and its first field that is wrong.
    """
    entries: dict[str, Entry] = {}
    recipes: dict[str, Entry] = {}  # by file and name: an error names the place by its key
    for path in paths:
        where = path.name
        try:
            for name, own in tomllib.loads(path.read_text("utf-8")).items():
                where = f"{path.name} [{name}]"
                if name in entries:
                    raise ConfigError(f"{where}: there is an entry of that name above.")
                like, paper = own.pop("like", ()), own.pop("paper", False)
                others = [entries[other] for other in ([like] if isinstance(like, str) else like)]
                entries[name] = entry = reduce(_over, [*others, own])
                if not name.startswith("_"):
                    recipe = _in_full(entry, entry) | {"name": name, "paper": paper}
                    recipe["train"]["data"] = recipe["world"]
                    recipes[where] = recipe
        except KeyError as exc:
            raise ConfigError(f"{where}: there is no {exc}.") from exc
        except (AttributeError, TypeError, tomllib.TOMLDecodeError) as exc:
            raise ConfigError(f"{where}: {exc}.") from exc
    presets = from_json(dict[str, Preset], json.dumps(recipes, default=str))
    return {preset.name: preset for preset in presets.values()}


def _over(below: Entry, above: Entry) -> Entry:
    """A table laid over another, field by field; a list or a value is replaced as a whole."""
    both = {key for key in below.keys() & above.keys() if isinstance(below[key], dict)}
    laid = {key: _over(below[key], above[key]) for key in both if isinstance(above[key], dict)}
    return below | above | laid


def _in_full(value: Any, recipe: Entry) -> Any:
    """A value of a recipe with its short forms written out, wherever they stand.

    ``{ share = 0.2 }`` is a part of the run, in epochs. ``{ bits = 1.0 }`` is the norm of a
    gradient for a loss in bits/dim, made one for the loss of here, nats an image.
    ``{ conv = 8 }`` and ``{ dense = 8 }`` are latents of those kinds.
    """
    match value:
        case {"share": share, **rest} if not rest:
            return share * recipe["train"]["epochs"]
        case {"bits": norm, **rest} if not rest:
            return norm * math.log(2) * math.prod(recipe["model"]["image_shape"])
        case {"conv": dim, **rest}:
            return rest | {"kind": "conv", "dim": dim}
        case {"dense": dim, **rest}:
            return rest | {"kind": "dense", "dim": dim}
        case dict():
            return {key: _in_full(part, recipe) for key, part in value.items()}
        case list():
            return [_in_full(part, recipe) for part in value]
    return value
