"""The gate: what a checkpoint must be before a model is built from it, checked in a fixed order.

Size, kind of file, header (``container``), the metadata with the configuration (``contents``), then
here the names and shapes of the tensors against a model without memory, and at last the values.
Nothing is allocated on the word of the file before that word was checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from hvae_core.checkpoint.container import DAMAGED, Header, quote, read_tensor
from hvae_core.common.errors import CheckpointError
from hvae_core.config import ModelConfig
from hvae_core.models import HierarchicalVAE, network_class

M = TypeVar("M", bound=nn.Module)


class _ShapesAlone(TorchFunctionMode):
    """Answer by shapes alone while a model without memory is built: no first weights, no norms.

    Drawing first weights that are nowhere is half the time. On the meta device the norms of weight
    normalisation load torch's symbolic machinery: 2 to 4 s, the first time.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if getattr(func, "__module__", "") == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        if func is torch.norm_except_dim:
            weight, _, dim = args
            return weight.new_empty([n if i == dim else 1 for i, n in enumerate(weight.shape)])
        if func is torch._weight_norm:
            return torch.empty_like(args[0])
        return func(*args, **(kwargs or {}))


def empty_model(config: ModelConfig) -> HierarchicalVAE:
    """Build the model on the meta device: names and shapes, no memory."""
    network = network_class(config)  # imported before, not on the meta device
    return empty(lambda: network(config))


def empty(build: Callable[[], M]) -> M:
    """Whatever ``build`` makes, on the meta device."""
    try:
        with torch.device("meta"), _ShapesAlone():
            return build()
    except Exception as exc:
        # Whatever torch finds impossible in an allowed configuration is the file's fault.
        raise CheckpointError(f"asks for a model that cannot be built; {DAMAGED}") from exc


def check_shapes(model: nn.Module, header: Header) -> None:
    """The tensors are the model's, by name and shape, none missing and none over."""
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for name, shape in wanted.items():
        if name not in header.entries:
            raise CheckpointError(
                f"lacks the tensor {quote(name)} that its configuration asks for; {DAMAGED}"
            )
        found = header.entries[name].shape
        if found != shape:
            raise CheckpointError(
                f"holds the tensor {quote(name)} in the shape {list(found)} where its "
                f"configuration asks for {list(shape)}; {DAMAGED}"
            )
    for name in header.entries:
        if name not in wanted:
            raise CheckpointError(
                f"holds a tensor {quote(name)} that its configuration does not ask for; {DAMAGED}"
            )


def fill(model: M, data: bytes, header: Header) -> M:
    """Give the model of ``empty`` its weights, in eval mode and frozen, on the CPU.

    Refuses NaN and infinity, in the file or in a weight that is normalised from it.
    """
    # 1. The values as they stand in the file.
    weights = {}
    for name in header.entries:
        weights[name] = read_tensor(data, header, name)
        if not torch.isfinite(weights[name]).all():
            raise _not_finite(name)
    # 2. Taken over without a copy: the tensors of an empty model have no memory of their own.
    model.load_state_dict(weights, strict=True, assign=True)
    model.eval().requires_grad_(False)
    # 3. What is computed from finite weights may still not be finite.
    for name, module in model.named_modules():
        if parametrize.is_parametrized(module, "weight"):
            weight: Any = module.weight
            if not torch.isfinite(weight).all():  # a direction of length 0, or of infinite length
                raise _not_finite(f"{name}.weight")
    return model


def _not_finite(name: str) -> CheckpointError:
    return CheckpointError(
        f"has NaN or infinity among the weights {quote(name)}, as a training that diverged leaves; "
        "train again with a lower learning rate or take an earlier checkpoint"
    )
