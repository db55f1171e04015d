"""Files that ``torch.save`` wrote, read behind the gate: first as data, then by ``torch.load``.

``weights_only`` alone is not enough: a small file can claim a huge tensor through its strides, or
more numbers than its storage has. So the pickle inside is read as data first (``torch_outline``),
every claim is held against the bytes that are there, and only then the library loads the file.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hvae_core.checkpoint.container import MAX_TENSORS, quote
from hvae_core.checkpoint.pickled import BROKEN
from hvae_core.checkpoint.torch_outline import MAX_DEPTH, outline
from hvae_core.common.errors import CheckpointError

_ALLOWED = frozenset({torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64,
                      torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool})  # fmt: skip


def load(data: bytes) -> Any:
    """The contents of a file of ``torch.save`` on the CPU, every tensor checked and contiguous.

    What ``outline`` refuses is refused; so are tensors with NaN or infinity, sparse ones, and kinds
    of numbers that no weights have.
    """
    outline(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            contents = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as exc:  # the library raises whatever a damaged file makes of it
        raise CheckpointError(
            "is a PyTorch pickle file that holds more than weights, or is damaged; a pickle can "
            "run code, so it is not opened: store the state dict with torch.save and bring that"
        ) from exc
    return _checked(contents, "", depth=0)


def state_dict(value: Any, what: str) -> dict[str, Tensor]:
    """A table of tensors by name; ``what`` names it in the error."""
    if not isinstance(value, Mapping) or not value or len(value) > MAX_TENSORS:
        raise CheckpointError(f"holds no state dict as {what}; {BROKEN}")
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise CheckpointError(f"holds something else than tensors by name in {what}; {BROKEN}")
    return dict(value)


def _checked(value: Any, where: str, *, depth: int) -> Any:
    """The contents with contiguous copies of the tensors, all of them dense and of numbers."""
    if isinstance(value, Tensor):
        return _dense(value, where)
    if depth > MAX_DEPTH:
        raise CheckpointError(f"is nested deeper than any file of weights; {BROKEN}")
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, Mapping):
        return {key: _checked(part, str(key), depth=depth + 1) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_checked(part, where, depth=depth + 1) for part in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise CheckpointError(f"holds a {type(value).__name__}, which no file of weights needs")


def _dense(tensor: Tensor, name: str) -> Tensor:
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.dtype not in _ALLOWED:
        raise CheckpointError(
            f"stores {quote(name)} as {tensor.dtype}, {tensor.layout}; only dense numbers are read"
        )
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise CheckpointError(f"claims a tensor {quote(name)} larger than its numbers; {BROKEN}")
    whole = tensor.numel() * tensor.element_size() == tensor.untyped_storage().nbytes()
    if whole and tensor.is_contiguous():
        return tensor.detach()
    return tensor.detach().clone(memory_format=torch.contiguous_format)


def finite(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Floating-point tensors in float32; NaN and infinity, or what becomes that, are refused."""
    out = {}
    for name, tensor in tensors.items():
        out[name] = tensor.float()
        if not torch.isfinite(out[name]).all():
            raise CheckpointError(
                f"has NaN or infinity among the weights {quote(name)}, as a training that diverged "
                "leaves; take an earlier checkpoint"
            )
    return out
