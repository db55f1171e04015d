"""Models and image sets small enough to be exercised thousands of times."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hvae_core.common.noise import ImageNoise, StreamNoise
from hvae_core.config import FAMILIES as BY_NAME
from hvae_core.config import (
    ContextConfig,
    DenoiserConfig,
    LatentConfig,
    ModelConfig,
    PseudoConfig,
    ScaleConfig,
)
from hvae_core.config.families.biva_pytorch import GatedBIVAConfig, GatedLVAEConfig
from hvae_core.config.families.dense import DenseConfig
from hvae_core.config.families.oodd import OoddConfig
from hvae_core.config.families.openai_vdvae import OpenAIVDVAEConfig
from hvae_core.config.paths import BlockConfig, StageConfig, StageLatent
from hvae_core.data.image_set import ImageSet
from hvae_core.models import HierarchicalVAE, model_from_config
from tests.newcomer import PlainConfig

CONV = LatentConfig(2, "conv", stride=1)
HALF = LatentConfig(2, "conv", stride=2)
DENSE = LatentConfig(4, "dense", stride=2)


def tiny_config(family: str = "hvae", **changes: Any) -> Any:
    """Three layers on 8x8 grey images, four channels, one residual block a stage."""
    settings: dict[str, Any] = {
        "image_shape": (1, 8, 8),
        "latents": (CONV, HALF, DENSE),
        "channels": 4,
        "blocks": 1,
    }
    return BY_NAME[family](**{**settings, **changes})


def tiny_deep(family: str = "vdvae", **changes: Any) -> Any:
    """Five layers on two scales of 8x8 grey images, four channels."""
    settings: dict[str, Any] = {
        "image_shape": (1, 8, 8),
        "scales": (ScaleConfig(3, 2, stride=2), ScaleConfig(2, 2)),
        "channels": 4,
        "hidden": 3,
        "encoder_blocks": 1,
    }
    return BY_NAME[family](**{**settings, **changes})


def as_family(family: str, other: ModelConfig, **changes: Any) -> Any:
    """The configuration of a family with the fields of another's, but for the changes."""
    known = BY_NAME[family].__dataclass_fields__.keys() - {"family"}
    shared = {name: value for name, value in vars(other).items() if name in known}
    return BY_NAME[family](**(shared | changes))


TINY_NET = DenoiserConfig("mlp", channels=6, blocks=1)


def tiny_dct(**changes: Any) -> Any:
    """The deep one under a discrete context of 3 x 3 values."""
    return tiny_deep(
        family="dct-vae", context=ContextConfig(3, bins=5, steps=4, denoiser=TINY_NET, **changes)
    )


def tiny_dvp(prior: dict[str, Any] | None = None, **changes: Any) -> Any:
    """The deep one under a pseudoinput of 3 x 3 values, as DVP 4 has it but for its size."""
    pseudo = PseudoConfig(3, steps=4, denoiser=TINY_NET, components=3, **(prior or {}))
    settings = {"combine": "sum", "blocks": 3, "aggregation": True, **changes}
    return tiny_deep(family="dvp-vae", pseudo=pseudo, **settings)


_wide = BlockConfig


def _stage(*blocks: BlockConfig, dim: int, dense: bool = False) -> StageConfig:
    """A stage of the families of foreign checkpoints."""
    return StageConfig(blocks, StageLatent(dim, "dense" if dense else "conv"))


FOUR = (CONV, HALF, DENSE, DENSE)
COLOUR: Any = {"image_shape": (3, 8, 8), "likelihood": "mixture_logistic"}

FAMILIES: dict[str, ModelConfig] = {
    "hvae": tiny_config(latents=FOUR),
    "hvae-grey-levels": tiny_config(likelihood="discretised_logistic", skip=False),
    "lvae": tiny_config(latents=FOUR, family="lvae"),
    "lvae-grey-levels": tiny_config(
        family="lvae", likelihood="discretised_logistic", skip=False, stem=2
    ),
    "biva": tiny_config(latents=FOUR, family="biva"),
    "biva-colour": tiny_config(family="biva", skip=False, stem=2, **COLOUR),
    "hvae-vamp": tiny_config(pseudoinputs=5, skips_up="none", skips_down="deterministic"),
    "lvae-vamp": tiny_config(family="lvae", pseudoinputs=5),
    "biva-vamp": tiny_config(family="biva", pseudoinputs=5),
    "vdvae": tiny_deep(),
    "vdvae-aggregation": tiny_deep(aggregation=True, likelihood="gaussian"),
    "vdvae-sum": tiny_deep(
        scales=(ScaleConfig(2, 3, stride=1), ScaleConfig(2, 1), ScaleConfig(1, 2, stride=4)),
        combine="sum",
        blocks=3,
        stem=2,
    ),
    "vdvae-sum-aggregation": tiny_deep(
        combine="sum",
        blocks=3,
        encoder_blocks=2,
        aggregation=True,
        likelihood="discretised_logistic",
    ),
    "dct-vae": tiny_dct(),
    "dct-vae-downsample": replace(tiny_dct(transform="downsample"), **COLOUR),
    "dvp-vae": tiny_dvp(),
    "dvp-vae-mixture": tiny_dvp({"prior": "mixture", "transform": "downsample"}, **COLOUR),
    "dvp-vae-linear": tiny_dvp(
        {"prior": "normal", "transform": "linear", "sigma": 0.05, "sigma_scope": "position"},
        aggregation=False,
        features_from_prior=True,
        likelihood="oversmooth",
    ),
    "openai-vdvae": OpenAIVDVAEConfig(
        (3, 8, 8), "8x1,8d2,4x1", "4x1,4x1,8m4", 4, 1, 0.5, "4:5", 4, 1, "imagenet32"
    ),
    "hvae-oodd": OoddConfig(
        (1, 6, 8),
        (_stage(_wide(4, stride=2), dim=2), _stage(_wide(4), _wide(4), dim=3, dense=True)),
        act="elu",
        padded=(8, 8),
    ),
    "lvae-biva-pytorch": GatedLVAEConfig(
        (1, 8, 8), (_stage(_wide(3, stride=2), dim=2), _stage(_wide(3), dim=2)), log_variance="tanh"
    ),
    "biva-pytorch": GatedBIVAConfig(
        (3, 8, 8),
        (_stage(_wide(3, stride=2), dim=2), _stage(_wide(3), dim=2, dense=True)),
        likelihood="colour_mixture",
        components=2,
    ),
    "dense": DenseConfig((1, 8, 8), (2, 3, 2), hidden=5, skip=True),
    "dense-affine": DenseConfig((1, 4, 5), (3, 2), hidden=0, likelihood="gaussian_fixed", std=0.3),
    "newcomer": PlainConfig((1, 8, 8)),
}
"""One tiny configuration a family and variant: ``test_families`` runs its suite on every entry.

Priors, likelihoods and colours are spread over them; the last is a stranger's."""


def tiny_model(config: ModelConfig | None = None, seed: int = 0) -> HierarchicalVAE:
    """An untrained model whose weights are those of its seed, after data-dependent init."""
    config = config or tiny_config()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = model_from_config(config)
    images = tiny_set(32, config.image_shape)
    model.init_from_data(torch.from_numpy(np.array(images.images)).float() / 255, seed)
    return model


def tiny_set(
    n: int = 64, image_shape: tuple[int, int, int] = (1, 8, 8), seed: int = 0, name: str = "bars"
) -> ImageSet:
    """Distinct pictures of a bright bar on a dark ground; the label says which way it runs."""
    rng = np.random.default_rng(seed)
    channels, height, width = image_shape
    images = rng.integers(0, 40, (n, channels, height, width))
    labels = rng.integers(0, 2, n)
    for image, label in zip(images, labels, strict=True):
        at = rng.integers(0, (height if label else width) - 1)
        rows = image[:, at : at + 2, :] if label else image[:, :, at : at + 2]
        rows += 180
    return ImageSet(
        name, name.title(), images.astype(np.uint8), labels=labels, class_names=("upright", "level")
    )


def prepared(model: HierarchicalVAE, images: ImageSet, seed: int = 0) -> Tensor:
    """The images as the model's likelihood sees them."""
    x = torch.from_numpy(np.array(images.images)).float() / 255
    return model.prepare(x, ImageNoise(images.image_digests(), seed))


def stream(seed: int = 0) -> StreamNoise:
    return StreamNoise(torch.Generator().manual_seed(seed))


class FromTheHost(TorchDispatchMode):
    """Notes what is copied from the processor to the device ``meta``; a replayed pass may not."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = call(*args, **(kwargs or {}))
        given, made = (
            {leaf.device.type for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)}
            for tree in ((args, kwargs), out)
        )
        if "cpu" in given and "meta" in given | made:
            self.found.append(str(call))
        return out
