"""Who runs the parts: this process, processes beside it, or a cluster, behind one interface.

``Executor`` is as much of ``concurrent.futures`` as is needed, so that the client of a cluster fits
it. A worker that dies takes no other part with it: its error is one that ``died`` knows.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from typing import Any, Protocol, TypeVar, final

from hvae_core.common.progress import Cancelled

T = TypeVar("T", covariant=True)


class Pending(Protocol[T]):
    """A call that was submitted, as ``concurrent.futures.Future``."""

    def done(self) -> bool:
        """Whether it has ended."""

    def result(self) -> T:
        """What it returned; raises what it raised."""

    def cancel(self) -> bool:
        """Take it back where it has not begun."""


class Executor(Protocol):
    """Runs calls somewhere else, or here."""

    @property
    def here(self) -> bool:
        """Whether calls run in this very process."""

    @property
    def room(self) -> int:
        """How many calls may be under way at once."""

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Pending[Any]:
        """Begin a call."""

    def wait(self, pending: Collection[Pending[Any]], timeout: float) -> None:
        """Return as soon as one of the calls has ended, or after ``timeout`` seconds."""

    def died(self, error: BaseException) -> bool:
        """Whether this error of a call says that its worker is gone."""

    def close(self, *, now: bool) -> None:
        """Let the workers go; ``now`` stops what they are at."""


@final
class Here:
    """Calls run in this process, one after another, when they are submitted."""

    here = True
    room = 1

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Pending[Any]:
        """Run the call; what it raises is raised by ``result``, but for an interruption."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args))
        except Cancelled:
            raise
        except Exception as error:
            future.set_exception(error)
        return future

    def wait(self, pending: Collection[Pending[Any]], timeout: float) -> None:
        """Return: all have ended."""

    def died(self, error: BaseException) -> bool:
        """Nobody dies here without everyone."""
        return False

    def close(self, *, now: bool) -> None:
        """Do nothing: no worker is kept."""


@final
class Processes:
    """Calls run in processes of this machine, one at a time in each.

    Every process is a pool of its own: one that is killed breaks no other's call.
    """

    here = False

    def __init__(self, workers: int) -> None:
        self.room = workers
        self._idle: list[_Process] = []
        self._busy: dict[Future[Any], _Process] = {}

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Pending[Any]:
        """Begin a call in a process that is idle, or in a new one."""
        self._settle()
        process = self._idle.pop() if self._idle else _Process()
        try:
            future = process.pool.submit(function, *args)
        except BrokenProcessPool:  # it was killed while it had nothing to do
            process = _Process()
            future = process.pool.submit(function, *args)
        self._busy[future] = process
        return future

    def wait(self, pending: Collection[Pending[Any]], timeout: float) -> None:
        """Return as soon as one of the calls has ended, or after ``timeout`` seconds."""
        wait(list(self._busy), timeout, return_when=FIRST_COMPLETED)

    def died(self, error: BaseException) -> bool:
        """Whether a process ended under a call."""
        return isinstance(error, BrokenProcessPool)

    def close(self, *, now: bool) -> None:
        """Let the processes go; ``now`` ends them as they are."""
        for process in [*self._idle, *self._busy.values()]:
            process.close(now=now)
        self._idle, self._busy = [], {}

    def _settle(self) -> None:
        """Take back the processes whose call has ended; those that died are not used again."""
        for future in [future for future in self._busy if future.done()]:
            process = self._busy.pop(future)
            broken = future.exception() is not None and self.died(future.exception())  # type: ignore[arg-type]
            if broken:
                process.close(now=True)
            else:
                self._idle.append(process)


class _Process:
    """One process that runs one call after another."""

    def __init__(self) -> None:
        # Not forked: threads of torch do not survive that.
        context = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(1, mp_context=context, initializer=_begin)
        self._id = self.pool.submit(os.getpid)

    def close(self, *, now: bool) -> None:
        if now and self._id.done() and self._id.exception() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._id.result(), signal.SIGTERM)
        self.pool.shutdown(wait=not now, cancel_futures=True)


def _begin() -> None:
    """What a process does first: Ctrl-C is its parent's to handle, and it ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)
