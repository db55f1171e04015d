"""openai/vdvae: a bare state dict; hyper-parameters in the run's log, or by the name of a set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hvae_core.checkpoint import gate, torch_outline
from hvae_core.checkpoint.importer import Converted, Given, Importer, built, register
from hvae_core.checkpoint.source import Source
from hvae_core.common.errors import CheckpointError
from hvae_core.config.families.openai_vdvae import OpenAIVDVAEConfig, parse_blocks

PROJECT = "openai/vdvae"
_MARKS = ("encoder.in_conv.weight", "decoder.gain", "decoder.out_net.out_conv.weight")
_WRAPPED = "module."
_FIELDS = ("enc_blocks", "dec_blocks", "width", "zdim", "bottleneck_multiple", "custom_width_str",
           "no_bias_above", "num_mixtures", "dataset")  # fmt: skip
_DEFAULTS = {"width": 512, "zdim": 16}
"""What the project takes where nothing is said, where that differs from the configuration's."""
_64 = {"width": 512, "dataset": "imagenet64",
       "enc_blocks": "64x11,64d2,32x20,32d2,16x9,16d2,8x8,8d2,4x7,4d4,1x5",
       "dec_blocks": "1x2,4m1,4x3,8m4,8x7,16m8,16x15,32m16,32x31,64m32,64x12"}  # fmt: skip
SETS: dict[str, dict[str, Any]] = {
    "cifar10": {
        "width": 384, "dataset": "cifar10",
        "enc_blocks": "32x11,32d2,16x6,16d2,8x6,8d2,4x3,4d4,1x3",
        "dec_blocks": "1x1,4m1,4x2,8m4,8x5,16m8,16x10,32m16,32x21",
    },
    "imagenet32": {
        "width": 512, "dataset": "imagenet32",
        "enc_blocks": "32x15,32d2,16x9,16d2,8x8,8d2,4x6,4d4,1x6",
        "dec_blocks": "1x2,4m1,4x4,8m4,8x9,16m8,16x19,32m16,32x40",
    },
    "imagenet64": _64,
    "ffhq256": {
        "width": 512, "dataset": "ffhq_256",
        "enc_blocks": "256x3,256d2,128x8,128d2,64x12,64d2,32x17,32d2,16x7,16d2,8x5,8d2,4x5,4d4,1x4",
        "dec_blocks": "1x2,4m1,4x3,8m4,8x4,16m8,16x9,32m16,32x21,64m32,64x13,128m64,128x7,256m128",
    },
    "ffhq1024": {
        "width": 16, "dataset": "ffhq_1024", "num_mixtures": 2,
        "custom_width_str": "512:32,256:64,128:512,64:512,32:512,16:512,8:512,4:512,1:512",
        "enc_blocks": "1024x1,1024d2,512x3,512d2,256x5,256d2,128x7,128d2,64x10,64d2,32x14,32d2,"
                      "16x7,16d2,8x5,8d2,4x5,4d4,1x4",
        "dec_blocks": "1x2,4m1,4x3,8m4,8x4,16m8,16x9,32m16,32x20,64m32,64x14,128m64,128x7,256m128,"
                      "256x2,512m256,1024m512",
    },
}  # fmt: skip
"""The project's own sets of hyper-parameters, by which its published checkpoints were made."""


def recognises(source: Source) -> bool:
    """Whether there is a state dict with the project's names in it."""
    return _weight_file(source) is not None


def convert(source: Source, given: Given) -> Converted:
    """Hyper-parameters from the user, else the log, else the set whose shapes are the file's."""
    name = _weight_file(source)
    assert name is not None  # it was recognised
    shapes = _unwrapped(torch_outline.shapes(source.outline(name)))
    found = _said(given) or _logged(source, name) or _matching(shapes)
    config = config_of({**found, **{key: given[key] for key in _FIELDS if key in given}})
    tensors = _unwrapped(source.state_dict(name))
    average = "" if "-ema" in name else "Not the moving average of the weights that is evaluated."
    note = f"Pixels as in {config.dataset}. {average}".strip()
    return Converted(config, tensors, f"VDVAE, {config.dataset}", config.dataset, note=note)


def config_of(values: Mapping[str, Any]) -> OpenAIVDVAEConfig:
    """The configuration of the project's hyper-parameters by their names."""
    fields = {key: values[key] for key in _FIELDS if values.get(key) is not None}
    side = values.get("image_size")
    if side is None:
        side = max((step.size for step in _blocks(fields.get("dec_blocks"))), default=0)
    shape = (values.get("image_channels") or 3, side, side)
    return built(OpenAIVDVAEConfig, {**_DEFAULTS, **fields, "image_shape": shape})


def _blocks(text: Any) -> Any:
    if not isinstance(text, str):
        raise CheckpointError("has hyper-parameters without dec_blocks; give them (--config)")
    try:
        return parse_blocks(text, "m", "dec_blocks")
    except ValueError as exc:
        raise CheckpointError(f"has hyper-parameters that no model here can have ({exc})") from exc


def _weight_file(source: Source) -> str | None:
    """The file of the project's weights to take: the moving average before others, the latest."""
    named = source.named(".th", ".pt", ".pth", source.main or ".th")
    for name in sorted(named, key=_later, reverse=True):
        if set(_MARKS) <= set(_unwrapped(torch_outline.shapes(source.outline(name)))):
            return name
    return None


def _later(name: str) -> tuple[bool, bool, int]:
    number = re.search(r"iter-?(\d+)", name)
    return "-ema" in name, "latest" in name, int(number[1]) if number else -1


def _unwrapped(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(_WRAPPED): value for name, value in table.items()}


def _said(given: Given) -> dict[str, Any]:
    """The set that the user names, or what the user writes where that is a whole network."""
    name = given.get("set") or given.get("hparam_sets") or given.get("hps")
    if name is None:
        return dict(given) if {"enc_blocks", "dec_blocks"} <= set(given) else {}
    known = SETS.get(str(name).replace("_", ""))
    if known is None:
        raise CheckpointError(
            f"is to have the hyper-parameters {str(name)[:40]!r}, which are no set of {PROJECT}; "
            f"the sets are {', '.join(SETS)}"
        )
    return dict(known)


def _logged(source: Source, name: str) -> dict[str, Any]:
    """The hyper-parameters in the log beside the weights: that of the same name, else the one."""
    folder, _, file = name.rpartition("/")
    start = re.sub(r"-model(-ema)?\.\w+$", "", file)
    logs = [n for n in source.names if n.endswith(".jsonl")]
    logs = [n for n in logs if n.rpartition("/")[0] == folder] or logs
    own = [n for n in logs if n.rpartition("/")[2].startswith(f"{start}-")]
    if not (own or logs):
        return {}
    found: dict[str, Any] = {}
    for line in source.json_lines((own or logs)[0], containing='"hparam"'):
        if isinstance(line, dict) and line.get("type") == "hparam":
            found[str(line.get("key"))] = line.get("value")
    return found


def _matching(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """The set of the project that asks for just these names and shapes."""
    blocks = sum(name.endswith(".z_proj.weight") for name in shapes)
    for values in SETS.values():
        config = config_of(values)
        if len(config.downs) != blocks:
            continue
        model = gate.empty_model(config)
        if {name: tuple(t.shape) for name, t in model.state_dict().items()} == shapes:
            return values
    raise CheckpointError(
        f"holds weights of {PROJECT} without their hyper-parameters, and of none of its sets "
        f"({', '.join(SETS)}); bring the folder or a zip with the run's log (*-log.jsonl) beside "
        "it, or give them (--config)"
    )


register(
    Importer(
        project=PROJECT,
        files="*-model-ema.th, with *-log.jsonl beside it unless it is a published one",
        recognises=recognises,
        convert=convert,
    )
)
