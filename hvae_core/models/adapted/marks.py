"""The four marks that a network of one's own carries: ``latent``, ``infer``, ``prior``, ``image``.

Outside Strata a mark does what stood in its place: a draw of q, or the likelihood itself, so that a
marked network trains as before. While Strata runs the network, whoever runs it answers instead: it
chooses q or p at every mark, gives the noise, and collects the terms of the bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.distributions import Distribution

from hvae_core.common.errors import ModelError
from hvae_core.models.distributions import Gaussian, Likelihood

Given = Any
"""What a mark is given as q or p: a ``torch.distributions.Distribution``, or a ``Gaussian``."""
L = TypeVar("L", bound="Distribution | Likelihood")


class Listener(Protocol):
    """Who answers the marks while a network runs."""

    def latent(self, name: str, q: Given, p: Given) -> Tensor:
        """z of a layer whose q and p are known at once."""

    def infer(self, name: str, q: Given) -> Tensor:
        """z on the way up: what the next layer sees."""

    def prior(self, name: str, p: Given) -> Tensor:
        """z on the way down: what the decoder sees."""

    def image(self, likelihood: Any) -> None:
        """p(x | z)."""


_LISTENING: ContextVar[Listener | None] = ContextVar("strata_listening", default=None)
_INFERRED: ContextVar[dict[str, Tensor] | None] = ContextVar("strata_inferred", default=None)
"""What ``infer`` gave outside Strata and ``prior`` has not asked for yet, by name."""


@contextmanager
def heard(listener: Listener) -> Iterator[None]:
    """Let a listener answer the marks inside the block; blocks may stand in each other."""
    token = _LISTENING.set(listener)
    try:
        yield
    finally:
        _LISTENING.reset(token)


def latent(name: str, q: Given, p: Given) -> Tensor:
    """Mark a latent layer whose q(z | x, .) and p(z | .) are known at once (HVK Eq. 5).

    It stands where ``q.rsample()`` stood and outside Strata does the same. ``q`` and ``p`` are
    ``torch.distributions`` with the images on their first axis. Raises ``ModelError`` for a q
    without a reparameterised draw.
    """
    listener = _LISTENING.get()
    return drawn(name, q) if listener is None else listener.latent(name, q, p)


def infer(name: str, q: Given) -> Tensor:
    """Mark q(z | .) of a layer on the way up (HVK 3.2); what it gives the next layer reads.

    Outside Strata this is ``q.rsample()``. ``prior`` of the same name goes with it.
    """
    listener = _LISTENING.get()
    if listener is not None:
        return listener.infer(name, q)
    z = drawn(name, q)
    inferred = _INFERRED.get()
    if inferred is None:
        _INFERRED.set(inferred := {})
    inferred[name] = z
    return z


def prior(name: str, p: Given) -> Tensor:
    """Mark p(z | .) of a layer on the way down (HVK 3.2); what it gives the decoder reads.

    Outside Strata this is the z that ``infer`` of the same name gave last, once; where none was
    inferred, as when one samples, a draw of p.
    """
    listener = _LISTENING.get()
    if listener is not None:
        return listener.prior(name, p)
    inferred = _INFERRED.get()
    z = None if inferred is None else inferred.pop(name, None)
    return drawn(name, p) if z is None else z


def image(likelihood: L) -> L:
    """Mark p(x | z), a ``torch.distributions.Distribution`` over x or a ``Likelihood`` of Strata.

    It is given back as it is.
    """
    listener = _LISTENING.get()
    if listener is not None:
        listener.image(likelihood)
    return likelihood


def drawn(name: str, law: Given) -> Tensor:
    """A reparameterised draw; ``ModelError`` where there is none."""
    if isinstance(law, Gaussian):
        return law.sample(torch.randn_like(law.mean))
    check_law(name, law)
    if not law.has_rsample:
        raise ModelError(unable(name, law))
    z: Tensor = law.rsample()
    return z


def check_law(name: str, law: Given) -> None:
    """Raise ``ModelError`` for what is no distribution."""
    if not isinstance(law, Distribution | Gaussian):
        raise ModelError(
            f"The latent {name} is given a {type(law).__name__} where a distribution belongs; "
            "give one of torch.distributions, such as Normal(mean, std)."
        )


def unable(name: str, law: Given) -> str:
    """Why a latent cannot be drawn from a distribution."""
    return (
        f"The latent {name} has the distribution {type(law).__name__}, of which torch has no "
        "reparameterised draw (rsample); take a continuous one, such as Normal, or for classes "
        "RelaxedOneHotCategorical."
    )
