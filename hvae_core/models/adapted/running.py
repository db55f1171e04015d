"""A network of a stranger, run as it is: its mode, torch's checks, and what goes wrong in it."""

from __future__ import annotations

import copy
import inspect
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.distributions import Distribution

from hvae_core.common.errors import HVAEError, ModelError
from hvae_core.models.adapted.marks import Listener, heard


def hear(module: nn.Module, listener: Listener, rows: Tensor) -> None:
    """Run a network in eval mode, leave it in its own, and listen to its marks.

    Whatever goes wrong inside it raises ``ModelError``.
    """
    with _unchecked(), heard(listener), _eval_mode(module):
        try:
            module(rows)
        except (HVAEError, MemoryError):
            raise
        except (Exception, SystemExit) as error:
            raise ModelError(
                f"{type(module).__name__} could not run on images of the shape "
                f"{tuple(rows.shape)}: {short(error)}. Mend the network, or give shape= and "
                "prepare= as it takes images."
            ) from error


def copied(module: nn.Module, name: str, memo: dict[int, Any]) -> nn.Module:
    """A copy of a network, which may share what is in ``memo``; ``name`` is what errors call it.

    Raises ``ModelError``.
    """
    # What earlier runs left in it, as torch's older weight_norm does, is kept by value.
    for part in module.modules():
        for value in vars(part).values():
            if isinstance(value, Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
    try:
        return copy.deepcopy(module, memo)
    except Exception as error:
        raise ModelError(
            f"{name} cannot be copied ({short(error)}); a network must keep nothing that "
            "copy.deepcopy refuses, such as results of earlier runs."
        ) from error


def check_call(module: nn.Module) -> None:
    """Raise ``ModelError`` for a ``forward`` that asks for more than the images."""
    try:
        call = inspect.signature(module.forward)
    except (TypeError, ValueError):
        return  # compiled code has none; its run will tell
    try:
        call.bind(None)
    except TypeError as error:
        raise ModelError(
            f"The forward of {type(module).__name__} does not run on images alone "
            f"({str(error) or 'it takes none'}), and images are all that it is given. Give what "
            "else it needs a default, or wrap the network in a module whose forward(x) adds it."
        ) from error


def short(error: BaseException) -> str:
    """What went wrong, and in which line of which file."""
    every = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in every if "site-packages" not in frame.filename]
    last = frames[-1] if frames else None
    at = f", {last.filename.rpartition('/')[2]} line {last.lineno}" if last else ""
    message = " ".join(str(error).split()).rstrip(".") or "no message"
    return f"{type(error).__name__} ({message}){at}"


@contextmanager
def _eval_mode(module: nn.Module) -> Iterator[None]:
    """Every part in eval mode, and afterwards in its own."""
    training = [part for part in module.modules() if part.training]
    for part in training:
        part.training = False
    try:
        yield
    finally:
        for part in training:
            part.training = True


@contextmanager
def counted(weights: Sequence[nn.Parameter]) -> Iterator[None]:
    """Weights that keep track of gradients, and afterwards as they were."""
    kept = [weight.requires_grad for weight in weights]
    for weight in weights:
        weight.requires_grad_(True)
    try:
        yield
    finally:
        for weight, before in zip(weights, kept, strict=True):
            weight.requires_grad_(before)


_LOCK = threading.Lock()
_BEFORE: list[bool] = []
"""Whether torch checked parameters before each of the runs that go on."""


@contextmanager
def _unchecked() -> Iterator[None]:
    """torch's checks of parameters off: they raise where a bound is NaN, and cost a pass."""
    with _LOCK:
        _BEFORE.append(_BEFORE[-1] if _BEFORE else Distribution._validate_args)
        Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        with _LOCK:
            before = _BEFORE.pop()
            if not _BEFORE:
                Distribution.set_default_validate_args(before)
