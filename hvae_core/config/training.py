"""How a checkpoint is trained, and what its card tells a reader."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from hvae_core.config.family import STRICT

FreeBitsScope = Literal["layer", "element"]


@dataclass(frozen=True, config=STRICT)
class TrainConfig:
    """How a checkpoint is trained: objective, data, optimiser, random seed."""

    data: str
    """World and in-distribution set, e.g. ``glyphs``."""
    objective: Literal["elbo", "informative", "iwae"] = "elbo"
    samples: Annotated[int, Field(ge=1, le=1000)] = 1
    """S, importance samples an image of the ``iwae`` objective (HVK Eq. 9)."""
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 20
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 128
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-4
    final_learning_rate: Annotated[float, Field(ge=0, le=1)] = 3e-4
    """Reached by half a cosine over the run; equal to ``learning_rate`` for a constant one."""
    beta: Annotated[float, Field(ge=0, le=1000)] = 1.0
    """Weight of the KL, after the warm-up where there is one (Higgins et al. 2017)."""
    warmup_epochs: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    """Epochs over which the weight of the KL rises linearly from 0 to ``beta``."""
    free_bits: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """lambda in nats per layer z_i, shared across its dimensions (HVK Table 4: 2)."""
    free_bits_scope: FreeBitsScope = "layer"
    """What lambda is a floor of: the batch mean of KL_i (Kingma et al. 2016), or every element of
    z_i in every image, then divided by the channels of a convolutional z_i and by the units of a
    dense one, as in the code of HVK: 8 x 14 x 14 elements have 196 lambda free."""
    free_bits_constant: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    free_bits_annealed: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    """Epochs with lambda held, and epochs over which it then falls linearly to 0."""
    optimizer: Literal["adam", "adamax", "adamw"] = "adam"
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decays of the optimiser's running moments of the gradient."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    """On all weights: decoupled from the gradient in ``adamw``, added to it (that of a loss in nats
    an image) in the other two."""
    clip_norm: Annotated[float, Field(gt=0, le=1e6)] = 100.0
    """Gradients (of a loss in nats an image) with a larger norm are scaled down to it."""
    skip_norm: Annotated[float, Field(ge=0, le=1e12)] = 0.0
    """Steps whose gradient, before clipping, has a larger norm are left out (Child 2021); 0 leaves
    out none. Papers that print thresholds may train a loss a dimension: DCT's are of bits/dim."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decay of the running average of the weights, which is saved and evaluated; 0 for none."""
    epoch_images: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """Images in one epoch, drawn anew each time without replacement; 0 for the whole set."""
    mutation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Rate at which pixels are replaced by uniform grey levels: a background model (Ren 2019)."""
    beside: Literal["", "moved"] = ""
    """What is trained on beside an image x: nothing, or t(x), the image moved a little."""
    consistency: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """lambda of KL(q(z | t(x)) || q(z | x)), beside their bounds (Sinha and Dieng 2021, Eq. 3)."""
    move_degrees: Annotated[float, Field(ge=0, le=180)] = 15.0
    move_share: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    move_scale: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """How far t turns (degrees), shifts (share of a side) and scales (around 1), either way."""
    start: Annotated[str, Field(max_length=200)] = ""
    """Preset whose finished checkpoint gives the starting weights; empty for a fresh start."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0

    def __post_init__(self) -> None:
        if self.free_bits and not (self.free_bits_constant or self.free_bits_annealed):
            raise ValueError("free_bits without epochs to hold or anneal them has no effect")
        if self.free_bits_scope != "layer" and not self.free_bits:
            raise ValueError("free_bits_scope has no effect without free_bits")
        if self.objective == "informative" and (self.free_bits or self.warmup_epochs):
            raise ValueError("the informative objective takes no warm-up and no free bits")
        if self.objective != "elbo" and self.beta != 1:
            raise ValueError(f"the {self.objective} objective has no weight of the KL to change")
        if self.objective == "iwae" and (self.free_bits or self.warmup_epochs):
            raise ValueError("the iwae objective has no KL term for warm-up or free bits to act on")
        if self.beside and self.objective != "elbo":
            raise ValueError(f"the {self.objective} objective does not take moved images")
        if self.consistency and not self.beside:
            raise ValueError("consistency without moved images has no effect; set beside to moved")
        if self.objective != "iwae" and self.samples > 1:
            raise ValueError("samples above 1 have no effect but with the iwae objective")


def schedules_over(config: TrainConfig, epochs: int) -> dict[str, Any]:
    """Epochs of warm-up and free bits that are the same shares of a run of ``epochs``."""
    share = epochs / config.epochs
    return {
        "warmup_epochs": config.warmup_epochs * share,
        "free_bits_constant": config.free_bits_constant * share,
        "free_bits_annealed": config.free_bits_annealed * share,
    }


@dataclass(frozen=True, config=STRICT)
class ModelCard:
    """What a reader must know of a checkpoint before believing a figure made with it."""

    title: str
    preset: str = ""
    data: str = ""
    train_images: int = 0
    epochs: int = 0
    objective: str = ""
    parameters: int = 0
    seconds: float = 0.0
    hardware: str = ""
    seed: int = 0
    created: str = ""
    note: str = ""
    train_digest: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """SHA-256 of the images it was trained on, as ``ImageSet.digest``; empty if not recorded."""
