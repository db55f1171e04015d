"""The app beside a notebook: its models and its world are the kernel's, which computes with them.

What reads such a model runs in the kernel, which is asked by ``hvae_core.common.link``; all else is
as in any other app.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from hvae_core.common import link, own_models
from hvae_core.data.worlds import World
from hvae_core.data.worlds import worlds as built_in

if TYPE_CHECKING:
    from hvae_core.models import HierarchicalVAE
    from hvae_core.notebook import Shown


def begin() -> None:
    """End this process when the kernel has: its end closes what is read here."""
    if link.linked():
        threading.Thread(target=_watch, daemon=True, name="strata-kernel").start()


def _watch() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


@cache
def _shown() -> Shown | None:
    """What the kernel shows, with its models made known to this process by their paths."""
    if not link.linked():
        return None
    from hvae_core.checkpoint import Checkpoint, named

    shown: Shown = link.shown()
    for key, about in shown.models.items():
        # The weights are in the kernel alone: nothing here reads the model of this one.
        absent = cast("HierarchicalVAE", None)
        named.provide(key, Checkpoint(**vars(about), model=absent))
    return shown


def worlds() -> dict[str, World]:
    """The worlds by key: first the notebook's own, or the world its model was trained on."""
    shown, every = _shown(), built_in()
    if shown is None:
        return every
    if shown.world is not None:
        return {shown.world.key: shown.world, **every}
    return {shown.start: every[shown.start], **every}


def holds(path: str) -> bool:
    """Whether the model of this path is the kernel's."""
    return path in _paths()


@cache
def _paths() -> frozenset[str]:
    shown = _shown()
    if shown is None:
        return frozenset()
    return frozenset(str(own_models.path_of(key)) for key in shown.models)


def ask(
    function: Callable[..., Any], path: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """``function(model, *args, **kwargs)`` with the kernel's model of that path."""
    return link.ask(function, [link.ModelAt(path), *args], kwargs)
