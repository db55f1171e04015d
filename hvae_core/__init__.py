"""Hierarchical VAEs, layer by layer: bounds, collapse, out-of-distribution scores.

    import hvae_core as hv
    model = hv.load_checkpoint("glyphs-hvae3-elbo")
    inside = hv.evaluate(model, hv.load_images("glyphs:test"))
    outside = hv.evaluate(model, hv.load_images("glyphs:digits"))
    print(hv.report(inside, [outside], scores=["elbo", "llr_1"]))

The names below are all there is to know at first; each is imported when it is first used, so that
``import hvae_core`` itself costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hvae_core import figures
    from hvae_core.checkpoint import save_checkpoint
    from hvae_core.common.errors import HVAEError
    from hvae_core.config.presets import get_preset
    from hvae_core.data import ImageSet, worlds
    from hvae_core.detection.conformal import threshold_at
    from hvae_core.detection.detector import detector
    from hvae_core.detection.report import report
    from hvae_core.door import (
        check,
        diagnose,
        evaluate,
        load_checkpoint,
        load_images,
        reconstruct,
        score_images,
    )
    from hvae_core.evaluation.evaluation import EvalSettings
    from hvae_core.models import HierarchicalVAE
    from hvae_core.models.adapted.adapt import adapt
    from hvae_core.models.adapted.marks import image, infer, latent, prior
    from hvae_core.notebook import show
    from hvae_core.scores import Score, get_score
    from hvae_core.training.loop import train

__version__ = "0.2.0"

__all__ = [
    "EvalSettings",
    "HVAEError",
    "HierarchicalVAE",
    "ImageSet",
    "Score",
    "adapt",
    "check",
    "detector",
    "diagnose",
    "evaluate",
    "figures",
    "get_preset",
    "get_score",
    "image",
    "infer",
    "latent",
    "load_checkpoint",
    "load_images",
    "prior",
    "reconstruct",
    "report",
    "save_checkpoint",
    "score_images",
    "show",
    "threshold_at",
    "train",
    "worlds",
]

_HOMES = {
    "checkpoint": ("save_checkpoint",),
    "common.errors": ("HVAEError",),
    "config.presets": ("get_preset",),
    "data": ("ImageSet", "worlds"),
    "detection.detector": ("detector",),
    "detection.report": ("report",),
    "door": (
        "check",
        "diagnose",
        "evaluate",
        "load_checkpoint",
        "load_images",
        "reconstruct",
        "score_images",
    ),
    "detection.conformal": ("threshold_at",),
    "evaluation.evaluation": ("EvalSettings",),
    "models": ("HierarchicalVAE",),
    "models.adapted.adapt": ("adapt",),
    "models.adapted.marks": ("image", "infer", "latent", "prior"),
    "notebook": ("show",),
    "scores": ("Score", "get_score"),
    "training.loop": ("train",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "figures":  # a room, whose functions draw what the app shows
        return import_module(f"{__name__}.figures")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
