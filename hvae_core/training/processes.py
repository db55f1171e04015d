"""Several processes, on one machine or many: how they meet, and who keeps what of the weights.

With ``ddp`` every process keeps the whole model. With ``fsdp`` each keeps its share of weights,
gradients, moments and average; the weights are put together for as long as a step lasts (Zhao et
al. 2023, by torch's ``fully_shard``). Both take the steps that one process would take with the same
batch, but for rounding.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Literal, final

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from hvae_core.common.errors import ConfigError

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
Strategy = Literal["ddp", "fsdp"]
"""Whether several processes each keep the whole model or share it."""

_STARTED_BY = ("SLURM_JOB_ID", "TORCHELASTIC_RUN_ID", "MASTER_ADDR")
"""What whoever starts the processes of several machines sets, at least one of them."""


@final
class Sharded(DDPStrategy):
    """Processes that share the weights among them."""

    def setup_module(self, module: nn.Module) -> Any:
        """Keep this process's share of every weight."""
        mesh = init_device_mesh(self.root_device.type, (self.world_size,))
        return fully_shard(module, mesh=mesh)


def make_fabric(
    *,
    accelerator: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    strategy: Strategy = "ddp",
    precision: Precision = "32-true",
) -> Fabric:
    """The devices to train on: ``devices`` on each of ``nodes`` machines split the recipe's batch.

    Raises ``ConfigError`` where they are not there.
    """
    several = devices * nodes > 1
    _check(strategy, several=several, nodes=nodes, precision=precision)
    way: Any = "auto" if not several else Sharded() if strategy == "fsdp" else "ddp"
    try:
        return Fabric(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            precision=precision,
            strategy=way,
        )
    except (RuntimeError, ValueError) as exc:
        raise ConfigError(
            f"{devices} device(s) of kind {accelerator} with precision {precision} cannot be had "
            "on this machine; try --accelerator cpu."
        ) from exc


def _check(strategy: Strategy, *, several: bool, nodes: int, precision: Precision) -> None:
    if strategy == "fsdp" and not several:
        raise ConfigError(
            "--strategy fsdp shares the weights among several processes, and this run has one; "
            "name more with --devices or --num-nodes, or leave it out."
        )
    if strategy == "fsdp" and precision == "16-mixed":
        raise ConfigError(
            "--strategy fsdp trains in 32-true or bf16-mixed, not in 16-mixed; choose one of them."
        )
    if nodes > 1 and not any(name in os.environ for name in _STARTED_BY):
        raise ConfigError(
            f"{nodes} machines must know where the first of them is: start the same command on "
            "each with MASTER_ADDR (the first machine's address), MASTER_PORT and NODE_RANK (0, "
            "1, ...) set, or let torchrun or SLURM start it."
        )


def meet(fabric: Fabric) -> None:
    """Start the other processes, or wait for them; raises ``ConfigError`` where they don't come."""
    try:
        fabric.launch()
    except (torch.distributed.DistError, ValueError, OSError) as exc:
        place = ":".join(os.environ.get(name, "?") for name in ("MASTER_ADDR", "MASTER_PORT"))
        raise ConfigError(
            f"The {fabric.world_size} processes of this run did not meet at {place}; check that "
            "MASTER_ADDR and MASTER_PORT are the same and can be reached on every machine, and "
            "that each has a NODE_RANK of its own."
        ) from exc


def set_up(
    fabric: Fabric, module: nn.Module, model: nn.Module, *, optimizer: torch.optim.Optimizer
) -> tuple[Any, Any]:
    """Module and optimiser as ``fabric`` runs them; the optimiser's weights are ``model``'s."""
    if not isinstance(fabric.strategy, Sharded):
        return fabric.setup(module, optimizer)
    wrapped = fabric.setup_module(module)
    # The shares are other objects than the weights that the optimiser was made for.
    optimizer.param_groups[0]["params"] = list(model.parameters())
    return wrapped, fabric.setup_optimizers(optimizer)


def whole(value: Tensor) -> Tensor:
    """All of a tensor of which processes keep shares; every process must ask."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def local(value: Tensor) -> Tensor:
    """This process's share of a tensor, in the same place of memory."""
    return value.to_local() if isinstance(value, DTensor) else value


def shared_as(value: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, which every process has, as shares where ``like`` is kept so."""
    if not isinstance(like, DTensor) or value.shape != like.shape:
        return value
    mesh, placements = like.device_mesh, like.placements
    there = value.to(like.device)
    return distribute_tensor(there, mesh, placements, src_data_rank=None)


def like_all(values: Mapping[str, Tensor], models: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``shared_as`` by name; names that the model does not have stay as they are."""
    return {name: shared_as(value, models.get(name, value)) for name, value in values.items()}


def gather(share: Tensor, like: Tensor) -> Tensor:
    """All of a tensor from this process's share of it, laid out as ``like``."""
    if not isinstance(like, DTensor):
        return share
    made = DTensor.from_local(
        share, like.device_mesh, like.placements, shape=like.shape, stride=like.stride()
    )
    return whole(made)


def agreed(fabric: Fabric, epoch: Callable[[], int]) -> None:
    """Hold against each other the epochs at which processes go on, as each finds its own.

    Raises what finding it raises, and ``ConfigError`` where another process finds a different one
    or cannot: then none goes on, where those that could would wait for the others.
    """
    failed: Exception | None = None
    here = -1
    try:
        here = epoch()
    except ConfigError as exc:
        failed = exc
    if fabric.world_size > 1:
        found: Any = fabric.all_gather(torch.tensor(here, device=fabric.device))
        if failed is None and (found != here).any():
            raise ConfigError(
                "The processes of this run do not find the same state of it: "
                f"{', '.join(_place(int(n)) for n in found.flatten())}. The folder of the run must "
                "be one that all machines share."
            )
    if failed is not None:
        raise failed


def _place(epoch: int) -> str:
    return "nothing that can be read" if epoch < 0 else f"epoch {epoch}"
