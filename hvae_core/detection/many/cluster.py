"""Parts run on many machines: by the workers of a Dask cluster, named by its scheduler's address.

Every worker has this project and its libraries in the same versions, and sees source, model and
folder under the same names. A part goes to one worker; where that dies, the scheduler gives the
part to another, and one that takes far longer than the others is begun a second time. Both write
the same file, so whichever ends first counts.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Collection
from importlib.metadata import version
from statistics import median
from typing import Any, Protocol, final

from hvae_core.common.errors import ConfigError, HVAEError, JobError
from hvae_core.common.plain import plain
from hvae_core.common.progress import Cancelled

PACKAGES = ("torch", "numpy", "pillow", "pyarrow")
"""Libraries that figures rest on: of one version everywhere."""
SLOW = 3.0
"""A part is begun again when it takes so many times as long as those before it."""
SETTLED = 10.0
"""Seconds in which no part is slow."""
NOBODY = 60.0
"""Seconds without any worker after which the run ends."""
_CONNECT = 20.0
_LOOK = 0.05
_alone = threading.Lock()


class DaskFuture(Protocol):
    """What is asked of a future of ``distributed``."""

    def done(self) -> bool:
        """Whether it has ended."""

    @property
    def status(self) -> str | None:
        """``finished``, ``error``, ``cancelled``, or on its way."""

    def result(self) -> Any:
        """What it returned."""

    def cancel(self) -> Any:
        """Take it back."""


@final
class ClusterCall:
    """One call, begun once, or twice where the first was slow."""

    def __init__(self, first: DaskFuture, again: Callable[[], DaskFuture]) -> None:
        self._futures, self._again = [first], again
        self.began = time.monotonic()

    @property
    def copies(self) -> int:
        """How often it was begun."""
        return len(self._futures)

    def begin_again(self) -> None:
        """Give it to another worker too."""
        self._futures.append(self._again())

    def done(self) -> bool:
        """Whether one has come to its end, or all have failed."""
        return self._finished() is not None or all(future.done() for future in self._futures)

    def result(self) -> Any:
        """What the first to end returned; raises what all raised."""
        ended = self._finished() or self._futures[0]
        return ended.result()

    def cancel(self) -> bool:
        """Take it back."""
        for future in self._futures:
            future.cancel()
        return True

    def _finished(self) -> DaskFuture | None:
        return next((one for one in self._futures if one.status == "finished"), None)


@final
class Cluster:
    """The workers of a cluster, as many calls at once as there are workers.

    Raises ``ConfigError`` where the scheduler cannot be reached, has no worker, or where a worker
    has other versions.
    """

    here = False

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError as exc:
            raise ConfigError(
                "A cluster needs packages that are not here: pip install 'strata-vae[cluster]'."
            ) from exc
        try:
            self._client = Client(address, timeout=_CONNECT, set_as_default=False)
        except (OSError, ValueError, TypeError, TimeoutError) as exc:
            raise ConfigError(
                f"There is no scheduler at {plain(address)}: start one with `dask scheduler` and "
                "give its address, such as tcp://host:8786."
            ) from exc
        self._address = address
        self._calls: list[ClusterCall] = []
        self._seconds: list[float] = []
        self._empty_since: float | None = None
        try:
            self._check_workers()
        except BaseException:
            self._client.close()
            raise

    @property
    def room(self) -> int:
        """One call for every worker; one where none is there at the moment."""
        return max(1, len(self._client.nthreads()))

    def submit(self, function: Callable[..., Any], /, *args: Any) -> ClusterCall:
        """Begin a call on a worker that is free."""

        def begin() -> DaskFuture:
            future: DaskFuture = self._client.submit(
                _one_at_a_time, function, args, os.getcwd(), pure=False
            )
            return future

        call = ClusterCall(begin(), begin)
        self._calls.append(call)
        return call

    def wait(self, pending: Collection[Any], timeout: float) -> None:
        """Return as soon as one of the calls has ended, or after ``timeout`` seconds.

        What is slow is begun again where a worker has nothing to do. Raises ``JobError`` where the
        scheduler is gone, or all workers are for a minute.
        """
        until = time.monotonic() + timeout
        while not any(call.done() for call in pending) and time.monotonic() < until:
            time.sleep(_LOOK)
        now = time.monotonic()
        for call in [call for call in self._calls if call.done()]:
            self._calls.remove(call)
            self._seconds = [*self._seconds[-50:], now - call.began]
        self._check_alive(now)
        self._hurry(now)

    def died(self, error: BaseException) -> bool:
        """Whether every worker that had the call was lost."""
        from distributed import KilledWorker

        return isinstance(error, KilledWorker)

    def close(self, *, now: bool) -> None:
        """Let the cluster go, which others may use; ``now`` takes back what is not done."""
        if now:
            for call in self._calls:
                call.cancel()
        self._client.close()

    def _hurry(self, now: float) -> None:
        """Begin slow calls again, one for each worker that is idle."""
        if not self._seconds:
            return
        idle = self.room - sum(call.copies for call in self._calls)
        bar = max(SETTLED, SLOW * median(self._seconds))
        slow = [call for call in self._calls if call.copies == 1 and now - call.began > bar]
        for call in slow[: max(idle, 0)]:
            call.begin_again()

    def _check_alive(self, now: float) -> None:
        if self._client.status != "running":
            raise JobError(
                f"The scheduler {plain(self._address)} is gone; finished parts are in the folder, "
                "and the same command continues from there."
            )
        if self._client.nthreads():
            self._empty_since = None
            return
        self._empty_since = self._empty_since or now
        if now - self._empty_since > NOBODY:
            raise JobError(
                f"The scheduler {plain(self._address)} has had no worker for {NOBODY:.0f} seconds; "
                "start some with `dask worker`. The same command continues from there."
            )

    def _check_workers(self) -> None:
        """Raise ``ConfigError`` unless there are workers, all with the versions of this machine."""
        try:
            found: dict[str, dict[str, str]] = self._client.run(versions)
        except Exception as exc:  # of any kind, as it was raised over there
            raise ConfigError(
                f"A worker of {plain(self._address)} cannot run this project "
                f"({type(exc).__name__}): install the same version of it for every worker."
            ) from exc
        if not found:
            raise ConfigError(
                f"The scheduler {plain(self._address)} has no worker; start some with `dask "
                "worker`."
            )
        own = versions()
        for worker, theirs in sorted(found.items()):
            for name, one in own.items():
                if theirs.get(name) != one:
                    raise ConfigError(
                        f"The worker {plain(worker)} has {name} {plain(theirs.get(name))} and this "
                        f"machine {one}; figures may differ, so install the same version."
                    )


def versions() -> dict[str, str]:
    """The versions of this project and of what its figures rest on, on this machine."""
    import hvae_core

    return {"hvae_core": hvae_core.__version__} | {name: version(name) for name in PACKAGES}


def _one_at_a_time(function: Callable[..., Any], args: tuple[Any, ...], folder: str) -> Any:
    """A call on a worker, where threads share one model: one after the other.

    It runs in the folder from which it was given, where the worker has that, so that paths mean
    what they meant there. What has no class that the other side knows is told in words.
    """
    with _alone, contextlib.chdir(folder) if os.path.isdir(folder) else contextlib.nullcontext():
        try:
            return function(*args)
        except (HVAEError, Cancelled):
            raise
        except Exception as exc:
            raise JobError(
                f"A worker failed where it should not ({type(exc).__name__}: {plain(exc, 200)})."
            ) from exc
