"""Checkpoints of the project vlievin/biva-pytorch: a folder of a run, by its hyper-parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hvae_core.checkpoint.importer import Converted, Given, Importer, built, register
from hvae_core.checkpoint.options import known, number, one_of, row, table
from hvae_core.checkpoint.pickled import Named
from hvae_core.checkpoint.renamed import Rule, renamed
from hvae_core.checkpoint.source import Source
from hvae_core.common.errors import CheckpointError
from hvae_core.config.families.biva_pytorch import (
    GatedBIVAConfig,
    GatedLVAEConfig,
    GatedVAEConfig,
)
from hvae_core.config.gated import GatedConfig

OPTIONS, STATE, RUN = "hyperparameters.p", "model.pth", "config.json"
_STAGES: dict[str, type[GatedConfig]] = {
    "biva.model.stage.BivaStage": GatedBIVAConfig,
    "biva.model.stage.LvaeStage": GatedLVAEConfig,
    "biva.model.stage.VaeStage": GatedVAEConfig,
}
_LATENTS = {
    "biva.model.stochastic.ConvNormal": "conv",
    "biva.model.stochastic.DenseNormal": "dense",
}
_LOG_VARIANCES = {"Softplus": "softplus", "Tanh": "tanh", "Identity": "identity"}
_KNOWN = frozenset(
    {"Stage", "tensor_shp", "stages", "latents", "nonlinearity", "q_dropout", "p_dropout", "type",
     "features_out", "no_skip", "log_var_act"}
)  # fmt: skip
_SKIPS = {
    "skip_up": ("q_convs", "q_bu_convs"),
    "skip_across": ("q_td_convs",),
    "skip_merge": ("merge",),
    "skip_down": ("p_convs",),
}
"""Paths by the switch of their skips in the configuration."""

_PATHS = {"q_convs": "up", "q_bu_convs": "up", "q_td_convs": "across", "p_convs": "down"}
_PARTS = {"conv1": "first", "conv2": "second", "aux_op": "aux"}
_NUMBERS = {
    "bu_stochastic.qx2z": "to_q_up",
    "bu_stochastic.px2z": "to_p_up",
    "(?:td_)?stochastic.qx2z": "to_q",
    "(?:td_)?stochastic.px2z": "to_p",
}
_UNITS = {"bu_proj": "from_up", "q_proj": "from_up", "z_proj": "from_down", "p_proj": "from_down"}
_I = r"stages\.(\d+)\."
RULES: tuple[Rule, ...] = (
    *(
        (rf"{_I}{path}\.layers\.(\d+)\.{part}\.(conv\..+)", rf"{way}.\1.blocks.\2.{here}.\3")
        for path, way in _PATHS.items()
        for part, here in _PARTS.items()
    ),
    *(
        (rf"{_I}merge\.{part}\.(conv\..+)", rf"merge.\1.blocks.0.{here}.\2")
        for part, here in _PARTS.items()
    ),
    *(
        (rf"{_I}q_top\.{part}\.(conv\..+)", rf"top.blocks.0.{here}.\2")
        for part, here in _PARTS.items()
    ),
    *(
        (rf"{_I}{name}\.{kind}", rf"{here}.\1.map.\2")
        for name, here in _NUMBERS.items()
        for kind in (r"(conv\..+)", r"linear\.(.+)")
    ),
    *(
        (rf"{_I}{name}\.linear\.linear\.(.+)", rf"{here}.\1.map.\2")
        for name, here in _UNITS.items()
    ),
    (rf"{_I}stochastic\.prior", "raw_top"),
    (r"projection\.1\.(conv\..+)", r"to_x.\1"),
)


def recognises(source: Source) -> bool:
    """The hyper-parameters of a run beside weights, or weights that no other project names so."""
    if OPTIONS in source and source.named(".pth"):
        return True
    for name in (source.main,) if source.main else source.named(".pth"):
        outline = source.outline(name)
        if isinstance(outline, dict) and "projection.1.conv.weight_g" in outline:
            return True
    return False


def convert(source: Source, given: Given) -> Converted:
    """The stages of BIVA, LVAE and VAE, all their options."""
    if OPTIONS not in source:
        raise CheckpointError(
            f"has the weights of biva-pytorch without {OPTIONS}, which says what they belong to; "
            "bring the whole folder of the run"
        )
    options = table(source.pickle(OPTIONS), "its hyper-parameters")
    state = source.state_dict(_weights(source))
    config = config_of(options, state)
    rules = (*_unread(config), *RULES)
    run = table(source.json(RUN), f"its {RUN}") if RUN in source else {}
    data = run.get("dataset", "")
    return Converted(
        config=config,
        weights=renamed(state, rules),
        title=f"biva-pytorch, {config.label.partition(' ')[0]} of {len(config.stages)} stages",
        data=data if isinstance(data, str) else "",
        note="The weights are the moving average of the training, the only ones that it keeps.",
    )


def _unread(config: GatedConfig) -> tuple[Rule, ...]:
    """Weights that nothing reads: of what would bring a latent up where none is read above."""
    if isinstance(config, GatedLVAEConfig):
        return ((r"stages\.\d+\.q_proj\..+", None),)
    return ((rf"stages\.{len(config.stages) - 1}\.(?:q|bu)_proj\..+", None),)


def _weights(source: Source) -> str:
    """The file of weights: the one pointed at, else the run's own, else the only one."""
    found = source.named(".pth")
    if not found:
        raise CheckpointError(f"lacks the file {STATE}; bring the whole folder of the run")
    return STATE if STATE in found else found[0]


def config_of(options: Mapping[str, Any], state: Mapping[str, Tensor]) -> GatedConfig:
    """The configuration from the hyper-parameters; which skips there are is in the weights."""
    known(options, _KNOWN, "its hyper-parameters")
    one_of(options.get("nonlinearity", "elu"), {"elu": ""}, "the nonlinearity")
    kind = one_of(_name(options.get("Stage")), _STAGES, "stages of the kind")
    blocks = row(options.get("stages"), "stages")
    latents = row(options.get("latents"), "latents")
    if len(blocks) != len(latents):
        raise CheckpointError("has not as many stages as latents in its hyper-parameters")
    shape = tuple(number(n, "tensor_shp") for n in row(options.get("tensor_shp"), "tensor_shp"))[1:]
    fields: dict[str, Any] = {
        "image_shape": shape,
        "stages": tuple(
            _stage(row(stage, "stages"), table(latent, "a latent"))
            for stage, latent in zip(blocks, latents, strict=True)
        ),
        "log_variance": _log_variance(options.get("log_var_act")),
        **_likelihood(number(options.get("features_out"), "features_out"), shape),
    }
    for switch, paths in _SKIPS.items():
        if switch in kind.__dataclass_fields__:
            fields[switch] = any(
                name.split(".")[2:3] and name.split(".")[2] in paths and ".aux_op." in name
                for name in state
            )
    return built(kind, fields)


def _likelihood(numbers: int, shape: tuple[Any, ...]) -> dict[str, Any]:
    """As many numbers a pixel as colours are Bernoulli logits, ten a component a mixture."""
    if shape[:1] == (numbers,):
        return {"likelihood": "bernoulli"}
    if numbers % 10 == 0 and shape[:1] == (3,):
        return {"likelihood": "colour_mixture", "components": numbers // 10}
    raise CheckpointError(
        f"gives {numbers} numbers for a pixel of {shape[0] if shape else 'no'} colours, which is "
        "neither a Bernoulli nor a mixture of logistics"
    )


def _stage(blocks: Any, latent: Mapping[str, Any]) -> dict[str, Any]:
    known(latent, frozenset({"N", "kernel", "block"}), "a latent of its hyper-parameters")
    kind = one_of(_name(latent.get("block")), _LATENTS, "latents of the kind")
    units: dict[str, Any] = {"dim": number(latent.get("N"), "N"), "kind": kind}
    if kind == "conv":
        units["kernel"] = number(latent.get("kernel"), "kernel")
    return {"blocks": [_block(row(block, "stages")) for block in blocks], "latent": units}


def _block(numbers: Any) -> dict[str, int]:
    if len(numbers) != 3:
        raise CheckpointError("has a block that is not filters, kernel and stride")
    channels, kernel, stride = (number(n, "stages") for n in numbers)
    return {"channels": channels, "kernel": kernel, "stride": stride}


def _log_variance(value: object) -> str:
    """The activation class of the log-variance by name; none is the identity."""
    if value is None:
        return "identity"
    name = _name(value).rpartition(".")[2]
    return one_of(name, _LOG_VARIANCES, "log-variances through")


def _name(value: object) -> str:
    """The name of a class that the pickle only names."""
    return value.name if isinstance(value, Named) else ""


register(
    Importer(
        project="vlievin/biva-pytorch",
        files=f"the folder of the run, with {OPTIONS} and {STATE}",
        recognises=recognises,
        convert=convert,
    )
)
