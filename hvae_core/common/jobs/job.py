"""One job as its readers see it: status, progress with time left, result or error."""

from __future__ import annotations

import pickle
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from hvae_core.common.errors import HVAEError, JobError
from hvae_core.common.progress import Cancelled, Progress

Status = Literal["waiting", "running", "done", "failed", "cancelled"]
_SETTLING_SECONDS = 1.0


def call(
    function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], *, progress: Progress
) -> Any:
    """``function(*args, **kwargs)`` as a job: for functions that report nothing on their way."""
    return function(*args, **kwargs)


def owner_of(name: str) -> str:
    """Whose work a name is: what stands before its first colon."""
    return name.partition(":")[0]


class JobProgress(NamedTuple):
    """How far a job is: fraction (0 to 1), what it is doing, seconds left (None: not known)."""

    fraction: float
    message: str
    eta_s: float | None


class Call(NamedTuple):
    """What a job runs: a function by its import path, with arguments that can be pickled."""

    module: str
    qualname: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @classmethod
    def of(cls, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """``fn(*args, **kwargs)`` as another process finds it; ``TypeError`` if it cannot."""
        module, qualname = fn.__module__, fn.__qualname__
        # Under Streamlit "__main__" is the page that runs, which a worker must never import.
        if module == "__main__" or "<" in qualname:
            raise TypeError(f"a job's function must be importable, not {module}.{qualname}")
        return cls(module, qualname, args, kwargs)


class Job:
    """One piece of work in another process; read it from any thread, at any time.

    Its fields are written by one thread, which drives the worker, and by ``cancel``.
    """

    def __init__(self, name: str, digest: str, call: Call) -> None:
        self.names = {name}
        self.kept: set[str] = set()
        """The names under which it goes on when nobody is there to see it."""
        self.digest = digest
        self.function = f"{call.module}.{call.qualname}"
        # Pickled here, where the caller still hears of arguments that cannot be.
        self._request: bytes | None = pickle.dumps(call)
        self.status: Status = "waiting"
        self.error: HVAEError | None = None
        self._result: Any = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._report = (0.0, "Waiting")
        self._reports: deque[tuple[float, float]] = deque()  # (time, fraction)
        self._first: float | None = None
        self._last = 0.0
        self._eta: float | None = None

    @property
    def owners(self) -> set[str]:
        """Whose work it is, by the names that want it."""
        return {owner_of(name) for name in [*self.names]}

    @property
    def active(self) -> bool:
        """Whether the job still waits or runs."""
        return self.status in ("waiting", "running")

    @property
    def progress(self) -> JobProgress:
        """The last report; the seconds left count down between reports."""
        fraction, message = self._report
        eta = self._eta
        if eta is None or not self.active:
            return JobProgress(fraction, message, None)
        return JobProgress(fraction, message, max(0.0, eta - (time.monotonic() - self._last)))

    def cancel(self) -> None:
        """End the job: at once for its readers, within a few seconds for its process."""
        self._end("cancelled")

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the job has ended (True) or ``timeout`` seconds have passed (False)."""
        return self._ended.wait(timeout)

    def result(self) -> Any:
        """What the function returned; raises the job's own error, or ``Cancelled``."""
        if self.error is not None:
            raise self.error
        if self.status == "cancelled":
            raise Cancelled
        if self.status != "done":
            raise JobError("This is still being computed; wait for it to end, or cancel it.")
        return self._result

    def start(self) -> bytes | None:
        """Mark the job as running and return its pickled call; None if it was cancelled before."""
        with self._lock:
            if self.status != "waiting":
                return None
            self.status, self._report = "running", (0.0, "Starting")
            return self._request

    def report(self, fraction: float, message: str) -> None:
        """Take one progress report from the worker."""
        now, fraction = time.monotonic(), min(max(fraction, 0.0), 1.0)
        # From the first report on, not from the start: imports and loading are not its pace. And
        # of the later half of this time alone: work that goes on where it was stopped leaps ahead.
        self._first = now if self._first is None else self._first
        self._reports.append((now, fraction))
        half = (self._first + now) / 2
        while len(self._reports) > 1 and self._reports[1][0] <= half:
            self._reports.popleft()
        spent, gained = now - self._reports[0][0], fraction - self._reports[0][1]
        if spent > _SETTLING_SECONDS and gained > 0:
            self._eta = spent * (1.0 - fraction) / gained
        self._last, self._report = now, (fraction, message)

    def finish(self, result: Any) -> None:
        """End the job with its result."""
        self._end("done", result=result)

    def fail(self, error: HVAEError) -> None:
        """End the job with the error its readers will see."""
        self._end("failed", error=error)

    def _end(self, status: Status, *, result: Any = None, error: HVAEError | None = None) -> None:
        with self._lock:
            if not self.active:  # the first ending stands: a cancelled job has no result
                return
            self._result, self.error, self._request = result, error, None
            self.status = status
        self._ended.set()
