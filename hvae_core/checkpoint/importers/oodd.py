"""Checkpoints of the project JakobHavtorn/hvae-oodd: three files in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hvae_core.checkpoint.container import quote
from hvae_core.checkpoint.importer import Converted, Given, Importer, built, register
from hvae_core.checkpoint.options import flag, known, number, one_of, row, table
from hvae_core.checkpoint.renamed import Rule, renamed
from hvae_core.checkpoint.source import Source
from hvae_core.common.errors import CheckpointError
from hvae_core.config.families.oodd import OoddConfig

NAME, KWARGS, STATE = "model_class_name.pt", "model_kwargs.pt", "model_state_dict.pt"
_LIKELIHOODS = {
    "BernoulliLikelihoodConv2d": "bernoulli",
    "DiscretizedLogisticMixLikelihoodConv2d": "colour_mixture",
}
_ACTS = {
    "ReLU": "relu", "Swish": "silu", "SiLU": "silu", "ELU": "elu", "LeakyReLU": "leaky_relu",
    "SELU": "selu", "GELU": "gelu", "Tanh": "tanh", "Softplus": "softplus", "Mish": "mish",
    "Sigmoid": "sigmoid",
}  # fmt: skip
_RESIDUAL = "ResBlockConv2d"
_LATENTS = {"GaussianConv2d": "conv", "GaussianDense": "dense"}
_OPTIONS = frozenset(
    {"input_shape", "likelihood_module", "config_deterministic", "config_stochastic", "q_dropout",
     "p_dropout", "activation", "skip_stochastic", "padded_shape"}
)  # fmt: skip
_BLOCK = frozenset({"block", "out_channels", "kernel_size", "stride", "gated", "weightnorm"})
_LATENT = frozenset({"block", "latent_features", "kernel_size", "weightnorm", "learn_prior"})

_BLOCK_WEIGHT = r"layers\.(\d+)\.{}\.(conv\..+)"
_PARTS = (("conv1", "first"), ("conv2", "second"), ("aux_op", "aux"))
RULES: tuple[Rule, ...] = (
    *(
        (
            rf"stages\.(\d+)\.{path}_deterministic\.{_BLOCK_WEIGHT.format(part)}",
            rf"{way}.\1.blocks.\2.{here}.\3",
        )
        for path, way in (("q", "up"), ("p", "down"))
        for part, here in _PARTS
    ),
    (r"stages\.(\d+)\.stochastic\.in_transform_([qp])\.(conv\..+)", r"to_\2.\1.map.\3"),
    (r"stages\.(\d+)\.stochastic\.in_transform_([qp])\.linear\.(.+)", r"to_\2.\1.map.\3"),
    (r"stages\.(\d+)\.([qp])_projection\.transform\.linear\.(.+)", r"from_\2.\1.map.\3"),
    (r"stages\.\d+\.stochastic\.prior_logits", "raw_top"),
    (r"stages\.\d+\.stochastic\.std_activation_inverse\..+", None),
    (r"likelihood\.parameter_net\.(conv\..+)", r"to_x.\1"),
)


def recognises(source: Source) -> bool:
    """Three files of these names, or weights that no other project names so."""
    if all(name in source for name in (NAME, KWARGS, STATE)):
        return True
    outline = source.outline(source.main) if source.main else None
    return isinstance(outline, dict) and "likelihood.parameter_net.conv.bias" in outline


def convert(source: Source, given: Given) -> Converted:
    """The class VAE of the project, all its options but other likelihoods than two."""
    for name in (NAME, KWARGS, STATE):
        if name not in source:
            raise CheckpointError(
                f"has the weights of hvae-oodd without {name}, which belongs to them; bring the "
                "whole folder"
            )
    kind = source.load(NAME)
    if kind != "VAE":
        raise CheckpointError(
            f"is of the class {quote(kind)} of hvae-oodd, whose networks are not known here; "
            "the class VAE is read"
        )
    contents = table(source.load(KWARGS), "its options")
    state = source.state_dict(STATE)
    config = config_of(table(contents.get("kwargs"), "its options"), state)
    top = len(config.stages) - 1
    rules = ((rf"stages\.{top}\.q_projection\..+", None), *RULES)  # nothing above reads it
    return Converted(
        config=config,
        weights=renamed(state, rules),
        title=f"hvae-oodd, VAE of {len(config.stages)} layers",
    )


def config_of(kwargs: Mapping[str, Any], state: Mapping[str, Tensor]) -> OoddConfig:
    """The configuration from the project's options; what they leave out is in the weights."""
    known(kwargs, _OPTIONS, "its options")
    blocks = row(kwargs.get("config_deterministic"), "config_deterministic")
    latents = row(kwargs.get("config_stochastic"), "config_stochastic")
    if len(blocks) != len(latents) or not blocks:
        raise CheckpointError("has not as many lists of blocks as latents in its options")
    stages = []
    for i, (stage, latent) in enumerate(zip(blocks, latents, strict=True)):
        prefix = f"stages.{i}.q_deterministic.layers"
        fields = {
            "blocks": tuple(
                _block(table(block, "a block"), state, f"{prefix}.{j}")
                for j, block in enumerate(row(stage, "config_deterministic"))
            ),
            "latent": _latent(table(latent, "a latent"), state, f"stages.{i}.stochastic"),
        }
        stages.append(fields)
    padded = kwargs.get("padded_shape")
    top = table(latents[-1], "a latent")
    raw_top = state.get(f"stages.{len(stages) - 1}.stochastic.prior_logits")
    return built(
        OoddConfig,
        {
            "image_shape": tuple(row(kwargs.get("input_shape"), "input_shape")),
            "stages": tuple(stages),
            "likelihood": one_of(kwargs.get("likelihood_module"), _LIKELIHOODS, "the likelihood"),
            "act": one_of(kwargs.get("activation", "ReLU"), _ACTS, "the activation"),
            "skip": flag(kwargs.get("skip_stochastic", True), "skip_stochastic"),
            "skip_up": any(".q_deterministic." in name and ".aux_op." in name for name in state),
            "padded": None if padded is None else tuple(row(padded, "padded_shape"))[-2:],
            "learned_top": flag(top.get("learn_prior", False), "learn_prior")
            or (raw_top is not None and bool(raw_top.any())),
        },
    )


def _block(block: Mapping[str, Any], state: Mapping[str, Tensor], prefix: str) -> dict[str, Any]:
    known(block, _BLOCK, "a block of its options")
    one_of(block.get("block", _RESIDUAL), {_RESIDUAL: ""}, "blocks of the kind")
    channels = number(block.get("out_channels"), "out_channels")
    gate = state.get(f"{prefix}.conv2.conv.bias")
    return {
        "channels": channels,
        "kernel": number(block.get("kernel_size"), "kernel_size"),
        "stride": number(block.get("stride", 1), "stride"),
        "gated": flag(
            block.get("gated", gate is not None and gate.shape == (2 * channels,)), "gated"
        ),
        "normed": _normed(block, state, f"{prefix}.conv1.conv"),
    }


def _latent(latent: Mapping[str, Any], state: Mapping[str, Tensor], prefix: str) -> dict[str, Any]:
    known(latent, _LATENT, "a latent of its options")
    kind = one_of(latent.get("block"), _LATENTS, "latents of the kind")
    layer = "conv" if kind == "conv" else "linear"
    return {
        "dim": number(latent.get("latent_features"), "latent_features"),
        "kind": kind,
        "kernel": number(latent.get("kernel_size", 3), "kernel_size"),
        "normed": _normed(latent, state, f"{prefix}.in_transform_q.{layer}"),
    }


def _normed(options: Mapping[str, Any], state: Mapping[str, Tensor], layer: str) -> bool:
    return flag(options.get("weightnorm", f"{layer}.weight_g" in state), "weightnorm")


register(
    Importer(
        project="JakobHavtorn/hvae-oodd",
        files=f"the folder with {NAME}, {KWARGS} and {STATE}",
        recognises=recognises,
        convert=convert,
    )
)
