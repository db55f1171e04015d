"""The far end of a job: ``python -m hvae_core.common.jobs.worker FD`` runs calls one after another.

Not ``multiprocessing``: its children import the parent's ``__main__`` again, which under Streamlit
is the page that happens to run. Requests and replies are pickles on a socket that only this
process and its parent hold; when it closes, the parent is gone and the worker ends.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import pickle
import queue
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

from hvae_core.common.errors import HVAEError
from hvae_core.common.jobs.job import Call
from hvae_core.common.progress import Cancelled

_NICENESS = 5
_REPORT_SECONDS = 0.1


class Worker:
    """Runs calls in the main thread while a second thread listens for cancel and the end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
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
            return pickle.dumps(("done", fn(*call.args, progress=progress, **call.kwargs)))
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


def _end_group() -> None:
    """End this process at once, with every process that a call may have started."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def main() -> None:
    """Serve the socket whose file number is the only argument."""
    number = int(sys.argv[1])
    os.set_inheritable(number, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the app, which then ends us
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)  # pages stay quick while jobs use every core
    Worker(Connection(number)).serve()


if __name__ == "__main__":
    main()
