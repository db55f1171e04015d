"""The near end of a job: a thread that drives one worker process, kept warm between jobs."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from hvae_core.common.errors import JobError
from hvae_core.common.jobs.job import Job

GRACE_SECONDS = 2.0
IDLE_SECONDS = 900.0
_POLL_SECONDS = 0.05
_log = logging.getLogger(__name__)


class WorkerProcess:
    """One process and the thread that drives it; only that thread touches process and socket.

    ``memory`` is how many bytes a job may add to what the process has; 0 sets no bound.
    """

    def __init__(self, on_idle: Callable[[WorkerProcess], None], memory: int = 0) -> None:
        self._on_idle = on_idle
        self._memory = memory
        self._inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._closing = False
        self._count = 0  # calls so far: the number by which a cancel names its call
        self._thread = threading.Thread(target=self._serve, daemon=True, name="strata-job")
        self._thread.start()

    def give(self, job: Job) -> None:
        """Run ``job`` next; ``on_idle`` is called when it is over."""
        self._inbox.put(job)

    def close(self) -> None:
        """End the process at once, whatever it does, and the thread."""
        self._closing = True
        self._inbox.put(None)
        self._thread.join(GRACE_SECONDS + 1.0)

    def _serve(self) -> None:
        while True:
            try:
                job = self._inbox.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                self._stop()  # gives its memory back; the next job starts a new process
                continue
            if job is None:
                self._stop()
                return
            try:
                self._run(job)
            except Exception:
                _log.exception("the worker of a background job was lost")
                self._stop()
                job.fail(JobError("The background process could not be reached. Please try again."))
            del job  # while it waits for the next, the thread must not hold the last one's result
            self._on_idle(self)

    def _run(self, job: Job) -> None:
        request = job.start()
        if request is None:
            return
        connection = self._connected()
        self._count += 1
        try:
            connection.send_bytes(pickle.dumps((self._count, request)))
            self._follow(job, connection)
        except (EOFError, OSError):
            code = self._stop(patience=GRACE_SECONDS)
            _log.error("the worker of %s ended with code %s", job.function, code)
            job.fail(JobError(_ending_sentence(code)))

    def _follow(self, job: Job, connection: Connection) -> None:
        """Take the worker's messages until the call is over, or cancel it and see to its end."""
        deadline: float | None = None
        while True:
            if connection.poll(_POLL_SECONDS):
                kind, value = pickle.loads(connection.recv_bytes())
                if kind != "progress":
                    _settle(job, kind, value)
                    return
                job.report(*value)
            elif deadline is None and not job.active:
                connection.send_bytes(pickle.dumps((self._count, None)))
                deadline = time.monotonic() + GRACE_SECONDS
            if self._closing or (deadline is not None and time.monotonic() > deadline):
                self._stop()
                return

    def _connected(self) -> Connection:
        if self._process is not None and self._process.poll() is not None:
            self._stop()  # ended between two jobs, by whatever hand
        if self._connection is None:
            near, far = multiprocessing.Pipe()
            paths = [os.path.abspath(path) for path in sys.path]
            with far:
                words = ["hvae_core.common.jobs.worker", str(far.fileno()), str(self._memory)]
                self._process = subprocess.Popen(
                    # -P: the worker finds modules where this process does, and nowhere else.
                    [sys.executable, "-P", "-m", *words],
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                    stdin=subprocess.DEVNULL,
                    pass_fds=[far.fileno()],
                    start_new_session=True,
                )
            self._connection = near
        return self._connection

    def _stop(self, patience: float = 0.0) -> int | None:
        """End the process with all it started; return its own exit code, awaited ``patience`` s."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if connection is not None:
            connection.close()
        if process is None:
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
        code = process.returncode
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return code


def _settle(job: Job, kind: str, value: Any) -> None:
    if kind == "done":
        job.finish(value)
    elif kind == "cancelled":
        job.cancel()
    elif kind == "refused":
        error_type, sentence = value
        job.fail(error_type(sentence))
    else:
        _log.error("%s failed:\n%s", job.function, value)
        job.fail(
            JobError(
                "This could not be computed because of a fault in the program, "
                "whose details are in the server's log."
            )
        )


def _ending_sentence(code: int | None) -> str:
    if code == -signal.SIGKILL:
        return (
            "The background process was stopped by the system, most often for want of memory. "
            "Try fewer images or samples."
        )
    return "The background process ended unexpectedly; the server's log says more. Try again."
