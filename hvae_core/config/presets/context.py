"""DCT-VAE and DVP-VAE: the papers' sizes on their deep hosts, and small twins of each other.

OMNIGLOT is no world to train on here: those recipes train on FashionMNIST, of the same 28 x 28
pixels, unless they are given images (``--data omniglot:train``). Where the hosts differ from the
papers, so do these. DVP's Table 7 is missing from our copy: the size of u, the noise levels and the
network of its prior are those of the authors' public configuration, the 50 steps those of DVP 7.
"""

from __future__ import annotations

from dataclasses import replace

from hvae_core.config import (
    ContextConfig,
    DCTConfig,
    DeepConfig,
    DenoiserConfig,
    DVPConfig,
    PseudoConfig,
    ScaleConfig,
)
from hvae_core.config.presets import deep
from hvae_core.config.presets.preset import Preset

_HOSTS = {preset.name: preset for preset in deep.PRESETS}
_NET = DenoiserConfig()  # DCT Table 6: one scale of three blocks, 32 channels
_NARROW_NET = DenoiserConfig(channels=16, blocks=2)
_COLOUR_NET = DenoiserConfig(channels=64, scales=2)


def _network(host: str) -> DeepConfig:
    """The network of a host."""
    model = _HOSTS[host].model
    assert isinstance(model, DeepConfig)
    return model


def _shortened(host: DeepConfig) -> tuple[ScaleConfig, ...]:
    """A layer less at the smallest size that has several: the context is one of the L layers."""
    at = max(i for i, scale in enumerate(host.scales) if scale.layers > 1)
    fewer = replace(host.scales[at], layers=host.scales[at].layers - 1)
    return (*host.scales[:at], fewer, *host.scales[at + 1 :])


def _world(name: str, host: Preset) -> str:
    """MNIST for its recipes, else the world of the host."""
    return "mnist" if name.endswith("-mnist") else host.world


def _dct(name: str, host: str, context: ContextConfig, source: str) -> Preset:
    """DCT Table 6: the host's schedule and optimiser."""
    base, network = _HOSTS[host], _network(host)
    model = DCTConfig.like(network, scales=_shortened(network), context=context)
    world = _world(name, base)
    train = replace(base.train, data=world)
    title = f"paper size: DCT-VAE, {len(model.latent_shapes)} layers"
    return Preset(name=name, title=title, world=world, model=model, train=train, source=source)


def _dvp(name: str, host: str, pseudo: PseudoConfig, source: str) -> Preset:
    """DVP 6.3: the host's schedule, Adamax with no step left out."""
    base = _HOSTS[host]
    model = DVPConfig.like(_network(host), pseudo=pseudo)
    world = _world(name, base)
    train = replace(base.train, data=world)
    title = f"paper size: DVP-VAE, {len(model.scale_of)} layers and a pseudoinput"
    return Preset(name=name, title=title, world=world, model=model, train=train, source=source)


_SMALL_NET = DenoiserConfig("mlp", channels=96, blocks=2)
_PSEUDO = PseudoConfig(6, denoiser=_SMALL_NET)


def _small(name: str, title: str, world: str, model: DeepConfig, source: str) -> Preset:
    host = _HOSTS[f"{world}-vdvae-small"]
    return replace(host, name=f"{world}-{name}-small", title=title, model=model, source=source)


def _twins(world: str) -> list[Preset]:
    """The small host with a context, and with a pseudoinput."""
    host = _network(f"{world}-vdvae-small")
    context = ContextConfig(6, denoiser=_SMALL_NET)
    dct = DCTConfig.like(host, scales=_shortened(host), context=context)
    return [
        _small(
            name="dct",
            title="DCT-VAE, 8 layers with the context",
            world=world,
            model=dct,
            source="DCT App. C, E; small",
        ),
        _small(
            name="dvp",
            title="DVP-VAE, 8 layers and u",
            world=world,
            model=_dvp_of(host),
            source="DVP 3, 4; small",
        ),
    ]


def _dvp_of(
    host: DeepConfig, pseudo: PseudoConfig = _PSEUDO, aggregation: bool = True
) -> DVPConfig:
    """DVP 4 on a host: sums, three residual blocks, aggregation."""
    return DVPConfig.like(host, pseudo=pseudo, combine="sum", blocks=3, aggregation=aggregation)


_glyphs = _network("glyphs-vdvae-small")

PAPERS = (
    _dct(
        name="dct-mnist",
        host="vdvae-dct-grey8",
        context=ContextConfig(6, denoiser=_NET),
        source="DCT Table 6, MNIST",
    ),
    _dct(
        name="dct-omniglot",
        host="vdvae-dct-grey8",
        context=ContextConfig(7, denoiser=_NET),
        source="DCT Table 6, OMNIGLOT",
    ),
    _dct(
        name="dct-cifar10",
        host="vdvae-dct-cifar29",
        context=ContextConfig(6, steps=40, denoiser=_COLOUR_NET),
        source="DCT Table 6, CIFAR10",
    ),
    _dvp(
        name="dvp-mnist",
        host="vdvae-dvp-grey8",
        pseudo=PseudoConfig(7, denoiser=_NARROW_NET),
        source="DVP 4, 6.3, Tables 5, 6 (MNIST); u of the authors' configuration",
    ),
    _dvp(
        name="dvp-omniglot",
        host="vdvae-dvp-grey8-wide",
        pseudo=PseudoConfig(5, denoiser=_NET),
        source="DVP 4, 6.3, Table 5 (OMNIGLOT); u of the authors' configuration",
    ),
    _dvp(
        name="dvp-cifar10-28",
        host="vdvae-dvp-cifar28",
        pseudo=PseudoConfig(7, gamma_min=-10.0, denoiser=_NET),
        source="DVP 4, Table 6 (CIFAR10); u of the authors' configuration",
    ),
    _dvp(
        name="dvp-cifar10",
        host="vdvae-dvp-cifar45",
        pseudo=PseudoConfig(7, gamma_min=-10.0, denoiser=_NET),
        source="DVP 4, 6.3, Table 3 (CIFAR10); u of the authors' configuration",
    ),
)
PRESETS = (
    *PAPERS,
    *_twins("glyphs"),
    *_twins("fashion"),
    _small(
        name="dvp-noagg",
        title="DVP-VAE without latent aggregation",
        world="glyphs",
        model=_dvp_of(_glyphs, aggregation=False),
        source="DVP Eq. 22, Table 4; small",
    ),
    _small(
        name="dvp-downsample",
        title="DVP-VAE, pseudoinput by average pooling",
        world="glyphs",
        model=_dvp_of(_glyphs, replace(_PSEUDO, transform="downsample")),
        source="DVP Figure 5; small",
    ),
    _small(
        name="dvp-mixture",
        title="DVP-VAE, mixture of Gaussians over u",
        world="glyphs",
        model=_dvp_of(_glyphs, replace(_PSEUDO, prior="mixture")),
        source="DVP Figure 5; small",
    ),
    _small(
        name="dvp-nopseudo",
        title="the host of DVP-VAE, without a pseudoinput",
        world="glyphs",
        model=replace(_glyphs, combine="sum", blocks=3, aggregation=True),
        source="DVP Table 5; small",
    ),
)
