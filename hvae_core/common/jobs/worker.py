"""The far end of a job: ``python -m hvae_core.common.jobs.worker FD MEMORY`` runs calls in turn.

Not ``multiprocessing``: its children import the parent's ``__main__`` again, which under Streamlit
is the page that happens to run. Requests and replies are pickles on a socket that only this
process and its parent hold; when it closes, the parent is gone and the worker ends. MEMORY is how
many bytes a call may add to what the process has; 0 leaves that to the machine.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import pickle
import queue
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hvae_core.common.errors import HVAEError, JobError
from hvae_core.common.jobs.job import Call
from hvae_core.common.progress import Cancelled

_NICENESS = 5
_REPORT_SECONDS = 0.1


class Worker:
    """Runs calls in the main thread while a second thread listens for cancel and the end."""

    def __init__(self, connection: Connection, memory: int = 0) -> None:
        self._connection = connection
        self._memory = memory
        self._calls: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        self._cancelled = -1
        self._reported = 0.0

    def serve(self) -> None:
        """Run one call after another, for as long as the parent lives."""
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            reply = self._run(*self._calls.get())
            with contextlib.suppress(OSError):  # the parent is gone; the listener ends us
                self._connection.send_bytes(reply)

    def _listen(self) -> None:
        try:
            while True:
                number, request = pickle.loads(self._connection.recv_bytes())
                if request is None:
                    self._cancelled = number
                else:
                    self._calls.put((number, request))
        finally:
            _end_group()

    def _run(self, number: int, request: bytes) -> bytes:
        self._reported = 0.0
        progress = functools.partial(self._progress, number)
        try:
            call: Call = pickle.loads(request)
            fn: Any = importlib.import_module(call.module)
            for name in call.qualname.split("."):
                fn = getattr(fn, name)
            with bounded(self._memory):
                return pickle.dumps(("done", fn(*call.args, progress=progress, **call.kwargs)))
        except MemoryError:
            sentence = "This needs more memory than there is for one job; try less of it at once."
            return pickle.dumps(("refused", (JobError, sentence)))
        except Cancelled:
            return pickle.dumps(("cancelled", None))
        except HVAEError as error:
            return pickle.dumps(("refused", (type(error), str(error))))
        except BaseException:  # SystemExit too: a call must not end the worker silently
            return pickle.dumps(("broken", traceback.format_exc()))

    def _progress(self, number: int, fraction: float, message: str) -> None:
        if self._cancelled == number:
            raise Cancelled
        now = time.monotonic()
        if now - self._reported >= _REPORT_SECONDS or fraction >= 1.0:
            self._reported = now
            self._connection.send_bytes(pickle.dumps(("progress", (float(fraction), str(message)))))


@contextlib.contextmanager
def bounded(memory: int) -> Iterator[None]:
    """Let this process take so many bytes of address space more, and no more; 0 sets no bound.

    What goes beyond raises ``MemoryError``. Where the system does not tell how much the process has
    (macOS), there is no bound either.
    """
    told = Path("/proc/self/statm")
    if not memory or not told.exists():
        yield
        return
    has = int(told.read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = has + memory if hard == resource.RLIM_INFINITY else min(has + memory, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _end_group() -> None:
    """End this process at once, with every process that a call may have started."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def main() -> None:
    """Serve the socket whose file number is the first argument; the second is the memory."""
    number, memory = int(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(number, False)
    if memory:  # Arrow's own pool would reserve a gigabyte before it reads a byte
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the app, which then ends us
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)  # pages stay quick while jobs use every core
    Worker(Connection(number), memory).serve()


if __name__ == "__main__":
    main()
