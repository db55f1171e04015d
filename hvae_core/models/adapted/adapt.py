"""``adapt``: from a marked network to a model that everything here takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.distributions import Distribution

from hvae_core.common.errors import ModelError
from hvae_core.common.noise import StreamNoise
from hvae_core.config.adapted import AdaptedConfig, AdaptedLayer
from hvae_core.config.family import level_starts
from hvae_core.models.adapted.laws import bare
from hvae_core.models.adapted.model import AdaptedVAE, Pixels
from hvae_core.models.adapted.run import Discovery
from hvae_core.models.adapted.running import check_call, hear
from hvae_core.models.adapted.seen import Prepare, Seen, likelihood_of
from hvae_core.models.adapted.shared import part_of
from hvae_core.models.base import HierarchicalVAE

Levels = Mapping[str, Sequence[str]] | Callable[[str], str]


def adapt(
    module: nn.Module,
    *,
    shape: tuple[int, int, int],
    encode: str | Sequence[str] = (),
    prepare: Prepare | Pixels | Sequence[Prepare | Pixels] = "grey",
    levels: Levels | None = None,
    name: str = "",
    world: str = "",
) -> AdaptedVAE:
    """A torch network whose ``forward(x)`` carries the four marks, as a ``HierarchicalVAE``.

    ``shape`` is (C, H, W) of the images. ``prepare`` says what the network takes in place of grey
    levels (B, C, H, W) in [0, 1]: "binarise" (binary pixels drawn with the grey levels as
    probabilities), "dequantise" (a point in the interval of each level), a function of the images,
    or both in turn. ``encode`` names parts that read the image alone, modules or methods such as
    "encoder": they run once for all samples and all k. ``levels`` says which layers are skipped
    together: a mapping {level: names of its layers} or a function from a layer's name to its
    level's; without it a name "LEVEL/LAYER" says so itself, and any other layer is a level.
    ``name`` is shown for it, and ``world`` is the key of that which it was trained on, if any.

    The network is run once, to learn its layers. Raises ``ModelError`` where a mark is amiss.
    """
    shape = _checked_shape(shape)
    if not isinstance(module, nn.Module):
        raise ModelError(
            f"hv.adapt is given a {type(module).__name__}; give it the network, a torch.nn.Module."
        )
    if isinstance(module, HierarchicalVAE):
        raise ModelError(f"A {type(module).__name__} is a model already; use it as it is.")
    check_call(module)
    pixels, step = _steps(prepare)
    seen = Seen(step)
    shared = (encode,) if isinstance(encode, str) else tuple(encode)
    for part in shared:
        part_of(module, part)
    found = _discovered(module, seen, shape)
    names = tuple(reversed(found.down))
    groups = _levels(names, levels)
    config = AdaptedConfig(
        name=name or type(module).__name__,
        image_shape=shape,
        likelihood=_likelihood(found.likelihood, pixels),
        layers=tuple(
            AdaptedLayer(each, found.shapes[each], level)
            for each, level in zip(names, groups, strict=True)
        ),
        inference=_inference(found),
        trained_on=world,
    )
    parts: dict[str, Any] = {"seen": seen, "pixels": pixels, "shared": shared}
    model = AdaptedVAE(module, config, **parts)
    if shared:
        model.check_shared()
    layers = zip(config.layers, model.exact(), strict=True)
    exact = tuple(replace(layer, exact_kl=closed) for layer, closed in layers)
    return AdaptedVAE(module, replace(config, layers=exact), **parts)


def _checked_shape(shape: Any) -> tuple[int, int, int]:
    sides = tuple(shape) if isinstance(shape, tuple | list | torch.Size) else ()
    if len(sides) != 3 or any(not isinstance(n, int) or n < 1 for n in sides):
        raise ModelError(
            "shape= is (channels, height, width) of the images, such as (1, 28, 28), not "
            f"{shape!r}."
        )
    return sides[0], sides[1], sides[2]


def _steps(prepare: Any) -> tuple[Pixels, Prepare | None]:
    """What becomes of grey levels, and the user's own step after it."""
    pixels: Pixels = "grey"
    step: Prepare | None = None
    given = prepare if isinstance(prepare, tuple | list) else (prepare,)
    for each in given:
        if each in ("grey", "binarise", "dequantise") and step is None:
            pixels = each
        elif callable(each) and step is None:
            step = each
        else:
            raise ModelError(
                'prepare= is "grey", "binarise", "dequantise", a function of the images, or one '
                f"of these words and then a function; not {prepare!r}."
            )
    return pixels, step


def _discovered(module: nn.Module, seen: Seen, shape: tuple[int, int, int]) -> Discovery:
    """The layers and p(x | z) as a run over two images of noise shows them."""
    stream = StreamNoise(torch.Generator().manual_seed(0))
    like = next((t for t in module.state_dict().values() if t.is_floating_point()), torch.zeros(()))
    x = (255 * stream.uniform("x", 1, 2, shape)[0]).round() / 255
    found = Discovery(2, stream)
    with torch.no_grad():
        hear(module, found, seen(x.to(like)))
    if not found.down:
        raise ModelError(
            f"{type(module).__name__}'s forward reached no mark; write z = hv.latent(name, q=q, "
            "p=p) where z is drawn, and hv.image(p_x) where p(x | z) is known."
        )
    lost = [name for name in found.upward if name not in found.down]
    if lost:
        raise ModelError(
            f"hv.infer marks the latent {lost[0]} and no hv.prior of that name follows; on the way "
            f'down write z = hv.prior("{lost[0]}", p).'
        )
    if found.likelihood is None:
        raise ModelError("The forward did not reach hv.image; mark p(x | z) by hv.image(...).")
    likelihood_of(found.likelihood, seen, lead=(1, 2), shape=shape)
    return found


def _levels(names: Sequence[str], levels: Levels | None) -> tuple[str, ...]:
    """The level of every layer, z_1 first."""
    if levels is None:
        groups = tuple(each.rpartition("/")[0] or each for each in names)
    elif callable(levels):
        groups = tuple(str(levels(each)) for each in names)
    else:
        of = _level_of(levels)
        strange = [layer for layer in of if layer not in names]
        absent = [each for each in names if each not in of]
        if strange or absent:
            raise ModelError(
                f"levels= must name every layer once; the network has {', '.join(names)}"
                + (f", not {strange[0]}." if strange else f", and {absent[0]} is missing.")
            )
        groups = tuple(of[each] for each in names)
    if len(level_starts(groups)) != len(set(groups)):
        raise ModelError(
            f"A level must be a run of neighbours, and the levels of the layers are {groups} from "
            "the image upwards; give levels= that are."
        )
    return groups


def _level_of(levels: Any) -> dict[str, str]:
    """The level of each layer of a mapping {level: names of its layers}."""
    named: dict[Any, Any] = dict(levels) if isinstance(levels, Mapping) else {}
    if not named or not all(isinstance(v, str | Sequence) for v in named.values()):
        raise ModelError(
            'levels= says which layers are skipped together, as {"low": ["z1", "z2"], "high": '
            f'["z3"]}}, or by a function of a layer\'s name; not {levels!r}.'
        )
    named = {str(k): [v] if isinstance(v, str) else v for k, v in named.items()}
    return {layer: level for level, layers in named.items() for layer in layers}


def _likelihood(given: Any, pixels: Pixels) -> str:
    """What p(x | z) is called; "bernoulli" is that of binary draws, as everywhere here."""
    kind = type(bare(given) if isinstance(given, Distribution) else given).__name__
    return "bernoulli" if kind == "Bernoulli" and pixels == "binarise" else kind


def _inference(found: Discovery) -> str:
    ups = len(found.upward)
    if not ups:
        return "top-down"
    return "bottom-up" if len(found.down) - ups <= 1 else "both ways"
