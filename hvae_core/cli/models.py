"""``models``: the model families and the recorded training recipes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from hvae_core.cli import show
from hvae_core.cli.options import Json
from hvae_core.common.words import listed

if TYPE_CHECKING:
    from hvae_core.config import ModelConfig
    from hvae_core.config.presets import Preset
    from hvae_core.scores.classifier.config import ClassifierPreset

TWINS = """\
Each recipe of paper size has a small twin, NAME-small: the same layers and objective in a narrow
network, which trains in under an hour on two processor cores; `models --json` has its size."""
_PAPERS = """\
HVK: Havtorn et al. 2021, Hierarchical VAEs Know What They Don't Know
INF: Li et al. 2022, Out-of-Distribution Detection with an Adaptive Likelihood Ratio on Informative
     Hierarchical VAE
VDVAE: Child 2021, Very Deep VAEs Generalize Autoregressive Models
DCT: Kuzina and Tomczak 2023, Discouraging Posterior Collapse in Hierarchical VAEs Using Context
DVP: Kuzina and Tomczak 2024, Hierarchical VAE with a Diffusion-based VampPrior"""


def models(*, as_json: Json = False) -> None:
    """List model families and training presets, with sizes and sources.

    List the model families, and the presets that `train` takes: the world each is trained on, its
    latent shapes (z1 is closest to the image), parameters, epochs, and the equation or table it
    comes from.

    Examples:
      python -m hvae_core models
      python -m hvae_core models --json
    """
    from hvae_core.config import FAMILIES
    from hvae_core.config.describe import shapes_in_words
    from hvae_core.config.presets import PRESETS
    from hvae_core.scores.classifier.config import PRESETS as CLASSIFIERS

    families = {name: config.summary() for name, config in FAMILIES.items()}
    presets = [describe(preset) for preset in PRESETS.values()]
    classifiers = [describe_classifier(preset) for preset in CLASSIFIERS.values()]
    if as_json:
        show.as_json({"families": families, "presets": presets, "classifiers": classifiers})
        return
    for name, summary in families.items():
        show.say(f"{name}: {summary}")
    for offer in filter(None, dict.fromkeys(config.offers for config in FAMILIES.values())):
        names = [name for name, config in FAMILIES.items() if config.offers == offer]
        show.say(f"{listed(names)} {offer}.")
    show.say()
    rows = [
        (p["name"], p["title"], p["world"], p["source"],
         shapes_in_words(PRESETS[p["name"]].model), f"{p['parameters']:,}", str(p["epochs"]))
        for p in presets if not p["twin_of"]
    ]  # fmt: skip
    heads = ("preset", "what it is", "world", "from", "latents z1..zL", "parameters", "epochs")
    show.table("Presets for `train --preset`", heads, rows, left=5)
    show.say(TWINS)
    show.say()
    _classifiers(classifiers)
    show.say(_PAPERS)


def _classifiers(classifiers: Sequence[dict[str, Any]]) -> None:
    rows = [
        (c["name"], c["title"], c["world"], c["source"], f"{c['parameters']:,}", str(c["epochs"]))
        for c in classifiers
    ]
    heads = ("preset", "what it is", "world", "from", "parameters", "epochs")
    title = "Classifiers for the scores that need labels, by `train --preset`"
    show.table(title, heads, rows, left=4)


def describe_classifier(preset: ClassifierPreset) -> dict[str, Any]:
    """A classifier's preset in plain values."""
    from hvae_core.checkpoint.gate import empty
    from hvae_core.scores.classifier.network import Classifier

    model = empty(lambda: Classifier(preset.model))
    return {
        "name": preset.name,
        "title": preset.title,
        "world": preset.world,
        "source": preset.source,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "epochs": preset.train.epochs,
    }


def describe(preset: Preset) -> dict[str, Any]:
    """A preset in plain values."""
    return {
        "name": preset.name,
        "title": preset.title,
        "world": preset.world,
        "source": preset.source,
        "family": preset.model.family,
        "latents": [list(shape) for shape in preset.model.latent_shapes],
        "latent_names": list(preset.model.latent_names),
        "parameters": _parameters(preset.model),
        "objective": preset.train.objective,
        "epochs": preset.train.epochs,
        "epoch_images": preset.train.epoch_images,
        "twin_of": preset.twin_of,
    }


@cache
def _parameters(model: ModelConfig) -> int:
    """The number of parameters; the model, of which many presets share one, takes no memory."""
    from hvae_core.checkpoint.gate import empty_model

    return sum(weight.numel() for weight in empty_model(model).parameters())
