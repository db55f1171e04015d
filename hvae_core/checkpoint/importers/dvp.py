"""AKuzina/dvp_vae: ``last_chpt.pth`` with the run's configuration beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from hvae_core.checkpoint import torch_file, torch_outline
from hvae_core.checkpoint.importer import Converted, Given, Importer, built, register
from hvae_core.checkpoint.source import Source
from hvae_core.common.errors import CheckpointError
from hvae_core.config.families.dvp_ladder import DVPLadderConfig

PROJECT = "AKuzina/dvp_vae"
_MARK = "decoder.z_to_features.weight"
_LIKELIHOODS = {"bernoulli": "bernoulli", "logistic_mixture": "colour_mixture"}
_ALONE: dict[str, Any] = {"activation": "silu", "padding_mode": "zeros", "decoder_res_mode": "2x3",
                          "ctx_type": "dct"}  # fmt: skip
"""Settings of which one value is known here."""
_U = "decoder.decoder_blocks.0."
_COPY = "decoder.z_L_prior."
Shapes = Mapping[str, tuple[int, ...]]


def recognises(source: Source) -> bool:
    """Whether there is a checkpoint of the project's training."""
    return _file(source) is not None


def _file(source: Source) -> str | None:
    for name in source.named(".pth", ".pt", ".ckpt", source.main or ".pth"):
        if _MARK in torch_outline.shapes(_table(source.outline(name), "model_state_dict")):
            return name
    return None


def _table(contents: Any, name: str) -> Any:
    return contents.get(name) if isinstance(contents, Mapping) else None


def convert(source: Source, given: Given) -> Converted:
    """The moving average of the weights, in the network that the configuration describes."""
    name = _file(source)
    assert name is not None  # it was recognised
    settings = Settings(given or _configuration(source))
    contents = source.load(name)
    averaged = _table(contents, "ema_model_state_dict")
    weights = torch_file.state_dict(averaged or contents["model_state_dict"], "the model")
    config = config_of(settings, {key: tuple(tensor.shape) for key, tensor in weights.items()})
    data = str(settings.get("name", "dataset") or settings.get("dset") or "")
    epoch = contents.get("epoch")
    return Converted(
        config,
        _renamed(weights, config),
        f"DVP-VAE, {data}" if config.pseudo else f"Ladder VAE of dvp_vae, {data}",
        data=data,
        epochs=epoch + 1 if isinstance(epoch, int) and 0 <= epoch < 10**9 else 0,
        note="" if averaged else "The run kept no moving average of the weights.",
    )


def _configuration(source: Source) -> Any:
    endings = ("config.yaml", "config.yml", "config.json")
    found = [name for name in source.names if name.endswith(endings)]
    if not found:
        raise CheckpointError(
            f"is a checkpoint of {PROJECT} without the configuration of its run; bring the folder "
            "or a zip with config.yaml beside it, or give it (--config)"
        )
    return source.yaml(min(found, key=len))


class Settings:
    """A run's configuration, as its file has it or with a description beside each value."""

    def __init__(self, values: Any) -> None:
        if not isinstance(values, Mapping):
            raise CheckpointError("has a configuration that is no table of settings")
        parts = {
            key: value["value"] if isinstance(value, Mapping) and "value" in value else value
            for key, value in values.items()
        }
        self.model = parts.get("model")
        if not isinstance(self.model, Mapping):
            raise CheckpointError("has a configuration without the part 'model'")
        self.parts = {"dataset": parts.get("dataset")}
        for part in ("decoder", "encoder"):
            self.parts[part] = self.model.get(part)

    def get(self, key: str, part: str = "") -> Any:
        """A setting of one part, or of the first of decoder, encoder and model that has it."""
        wanted = (
            [self.parts[part]]
            if part
            else [*map(self.parts.get, ("decoder", "encoder")), self.model]
        )
        for table in wanted:
            if isinstance(table, Mapping) and table.get(key) is not None:
                return table[key]
        return None


def config_of(settings: Settings, shapes: Shapes) -> DVPLadderConfig:
    """The network: what the settings say, and the widths that the tensors have."""
    for key, only in _ALONE.items():
        value = settings.get(key)
        if value not in (None, only):
            raise CheckpointError(f"has {key} {str(value)[:30]!r}; only {only!r} can be converted")
    likelihood = str(settings.get("likelihood"))
    if likelihood not in _LIKELIHOODS:
        raise CheckpointError(
            f"has the likelihood {likelihood[:30]!r}; only {', '.join(_LIKELIHOODS)} are converted"
        )
    under = _U + "q_logvar" in shapes
    layers = _numbers(shapes, "decoder.decoder_blocks.")[1 if under else 0 :]
    widths = {int(width) for width in _list(settings.get("latent_width"), "latent_width")}
    if len(widths) != 1:
        raise CheckpointError("has latents of different widths, which cannot be added up")
    side = settings.get("data_dim")
    return built(
        DVPLadderConfig,
        {
            "image_shape": (settings.get("data_ch"), side, side),
            "features": _first(shapes, "encoder.pre_process.0.weight"),
            "opening": _plans(shapes, "encoder.pre_process."),
            "groups": _groups(settings, shapes),
            "layers": [_layer(shapes, f"decoder.decoder_blocks.{i}.") for i in layers],
            "closing": _plans(shapes, "decoder.post_process."),
            "width": widths.pop(),
            "mixed": _first(shapes, _MARK),
            "likelihood": _LIKELIHOODS[likelihood],
            "num_mix": settings.get("num_mix") or 10,
            "min_logvar": _number(settings.get("min_logvar"), "min_logvar"),
            "weight_norm": bool(settings.get("weight_norm")),
            "batch_norm": bool(settings.get("batch_norm")),
            "standardised": (settings.get("dset") or settings.get("name", "dataset")) == "cifar10",
            "pseudo": _pseudo(settings, shapes) if under else None,
        },
    )


def _groups(settings: Settings, shapes: Shapes) -> list[dict[str, Any]]:
    """The groups of the way up: one a scale with latents, or one a latent in a LadderEncoder."""
    kind = str(settings.get("_target_", "encoder") or "").rpartition(".")[2]
    if kind not in ("SmallLadderEncoder", "LadderEncoder"):
        raise CheckpointError(f"has the encoder {kind[:40]!r}, which is not converted")
    each = kind == "LadderEncoder"
    found: list[dict[str, Any]] = []
    pool = 1
    for scale, latents in enumerate(_list(settings.get("latent_scales"), "latent_scales")):
        pool *= 1 if scale == 0 and settings.get("start_scale_at_x") else 2
        for times in [1] * int(latents) if each else [int(latents)]:
            if times:
                found.append({"pool": pool, "latents": times})
                pool = 1
    numbers = _numbers(shapes, "encoder.encoder_blocks.")
    if len(numbers) != len(found):
        raise CheckpointError(
            f"has {len(numbers)} groups of encoder blocks where latent_scales asks for {len(found)}"
        )
    for number, group in zip(numbers, found, strict=True):
        group["blocks"] = _plans(shapes, f"encoder.encoder_blocks.{number}.")
    return found


def _layer(shapes: Shapes, prefix: str) -> dict[str, Any]:
    return {
        "prior": _plan(shapes, f"{prefix}s_to_p.")["hidden"],
        "posterior": _plan(shapes, f"{prefix}s_to_q.")["hidden"],
        "blocks": _plans(shapes, f"{prefix}resnet."),
    }


def _pseudo(settings: Settings, shapes: Shapes) -> dict[str, Any]:
    prior = settings.get("z_L_prior", "decoder")
    prior = prior if isinstance(prior, Mapping) else {}
    kind = str(prior.get("_target_", "")).rpartition(".")[2]
    if kind != "DiffusionPrior" or prior.get("parametrization", "eps") != "eps":
        raise CheckpointError(
            f"has the prior {kind[:40]!r} of u; only a DiffusionPrior of parametrization eps is "
            "converted"
        )
    net = prior.get("model")
    net = net if isinstance(net, Mapping) else {}
    if not net.get("use_scale_shift_norm", True):
        raise CheckpointError("has a UNet without use_scale_shift_norm, which is not converted")
    if prior.get("ll") not in ("gaussian", "discretized_gaussian"):
        raise CheckpointError(f"has ll {str(prior.get('ll'))[:30]!r}, which is not converted")
    return {
        "size": shapes[_U + "q_logvar"][-1],
        "steps": prior.get("T"),
        "continuous": bool(prior.get("cont_time", True)),
        "discrete": prior["ll"] == "discretized_gaussian",
        "unet": {
            "channels": net.get("model_channels"),
            "mult": _list(net.get("channel_mult", [1]), "channel_mult"),
            "blocks": net.get("num_res_blocks"),
            "attention": [
                int(n) for n in re.findall(r"\d+", str(net.get("attention_resolutions")))
            ],
            "heads": net.get("num_heads", 1),
        },
    }


def _list(value: Any, name: str) -> list[Any]:
    """A list of whole numbers, written as a list or as the text of one."""
    if isinstance(value, str):
        value = [int(n) for n in re.findall(r"\d+", value)]
    if not isinstance(value, Sequence) or not all(type(n) is int for n in value) or not value:
        raise CheckpointError(f"has a configuration without a list of whole numbers as {name}")
    return list(value)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CheckpointError(f"has a configuration without a number as {name}")
    return float(value)


def _numbers(shapes: Shapes, prefix: str) -> list[int]:
    """The numbers that follow a prefix in the names of tensors, in order."""
    found = {
        name.removeprefix(prefix).partition(".")[0] for name in shapes if name.startswith(prefix)
    }
    return sorted(int(number) for number in found if number.isdecimal())


def _plans(shapes: Shapes, prefix: str) -> list[dict[str, int]]:
    """The residual blocks of a list, by the numbers that follow the prefix."""
    return [
        _plan(shapes, f"{prefix}{number}.")
        for number in _numbers(shapes, prefix)
        if any(name.startswith(f"{prefix}{number}.net.") for name in shapes)
    ]


def _plan(shapes: Shapes, prefix: str) -> dict[str, int]:
    """Channels inside a residual block, and that it gives, by its convolutions."""
    start = f"{prefix}net."
    kernels = [
        (tuple(int(n) for n in re.findall(r"\d+", name.removeprefix(start))), shape[0])
        for name, shape in shapes.items()
        if name.startswith(start) and name.endswith(("weight", "weight_v")) and len(shape) == 4
    ]
    if not kernels:
        raise CheckpointError(f"lacks the residual block {prefix[:60]!r} of its project")
    kernels.sort()
    return {"hidden": kernels[0][1], "out": kernels[-1][1]}


def _first(shapes: Shapes, name: str) -> int:
    if name not in shapes or not shapes[name]:
        raise CheckpointError(f"lacks the tensor {name!r} of its project")
    return shapes[name][0]


def _renamed(weights: Mapping[str, Tensor], config: DVPLadderConfig) -> dict[str, Tensor]:
    """The tensors by the names of the network here, without what stands twice or is never used."""
    last = len(config.layers) - (0 if config.pseudo else 1)
    out: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if name.startswith(_COPY):
            twin = weights.get(f"{_U}ctx_prior.{name.removeprefix(_COPY)}")
            if config.pseudo and (twin is None or not torch.equal(twin, tensor)):
                raise CheckpointError("has two different copies of the weights of its prior of u")
            continue
        unread = name.startswith(f"decoder.decoder_blocks.{last}.z_up.")
        if unread or name.endswith(".num_batches_tracked"):
            continue
        for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
            if name.endswith(f".{old}"):
                name = f"{name.removesuffix(old)}parametrizations.weight.{new}"
        out[name] = tensor
    return out


register(
    Importer(
        project=PROJECT,
        files="last_chpt.pth with the run's config.yaml beside it",
        recognises=recognises,
        convert=convert,
    )
)
