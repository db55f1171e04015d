"""The table of background jobs: one job a digest, one current job a name, a few processes."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from typing import Any

from hvae_core.common.errors import JobError
from hvae_core.common.jobs.job import Call, Job, owner_of
from hvae_core.common.jobs.process import WorkerProcess
from hvae_core.common.jobs.turns import Turns

MAX_JOBS = 64


class JobTable:
    """Jobs by digest, run by at most ``workers`` processes that stay warm between jobs.

    One table serves the whole app. A name says whose work a job is and what ("ann:t-SNE"): a new
    job takes its name from the older one, which is cancelled unless another name still wants it.
    Owners take turns: who has many jobs waiting does not keep another from the next free process.
    Processes are started by the first jobs, not by the table, and end with it or with the app. A
    job may take ``memory`` bytes beyond what its process has; 0 sets no bound.
    """

    def __init__(self, workers: int = 2, memory: int = 0) -> None:
        self._workers = workers
        self._memory = memory
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}  # in the order of their last submission
        self._waiting: list[Job] = []
        self._turns = Turns()
        self._gone: dict[str, float] = {}  # since when an owner has not been there
        self._idle: list[WorkerProcess] = []
        self._all: list[WorkerProcess] = []
        self._closed = False
        atexit.register(self.close)

    def submit(
        self, name: str, digest: str, fn: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Job:
        """Run ``fn(*args, progress=..., **kwargs)`` in a worker, or return the job that does.

        ``fn`` is importable and takes the keyword ``progress``; arguments and result are pickled.
        ``digest`` names the work by its content: a job of the same digest that waits, runs or is
        done is returned as it is; one that failed or was cancelled is run again.
        """
        call = Call.of(fn, args, kwargs)
        with self._lock:
            if self._closed:
                raise JobError("The app is closing; start it again to compute this.")
            job = self._jobs.pop(digest, None)
            if job is None or job.status in ("failed", "cancelled"):
                self._make_room()
                job = Job(name, digest, call)
                self._waiting.append(job)
            self._jobs[digest] = job
            self._hand_over(name, job)
            self._dispatch()
        return job

    def forget(self, digest: str) -> None:
        """Let the job of this digest, if it is done, be run again when it is submitted again."""
        with self._lock:
            job = self._jobs.get(digest)
            if job is not None and job.status == "done":
                del self._jobs[digest]

    def get(self, digest: str) -> Job | None:
        """The job of this digest, whatever its status."""
        with self._lock:
            return self._jobs.get(digest)

    def current(self, name: str) -> Job | None:
        """The job that was submitted last under this name."""
        with self._lock:
            return next((job for job in self._jobs.values() if name in job.names), None)

    def cancel(self, name: str) -> None:
        """Let go of the job of this name, and cancel it unless another name still wants it."""
        with self._lock:
            self._hand_over(name, None)

    def drop(self, name: str) -> None:
        """Let go of the job of this name; where no other wants it nothing of it stays."""
        with self._lock:
            self._hand_over(name, None)
            self._jobs = {digest: job for digest, job in self._jobs.items() if job.names}

    def active(self, owner: str) -> list[Job]:
        """The jobs of an owner that wait or run."""
        with self._lock:
            return [job for job in self._jobs.values() if job.active and owner in job.owners]

    def before(self, job: Job) -> list[Job]:
        """The jobs that a waiting one waits for: what runs, then what has its turn earlier."""
        with self._lock:
            under_way = self._under_way()
            order = self._turns.order([one for one in self._waiting if one.active], under_way)
            return under_way + order[: order.index(job)] if job in order else []

    def sweep(self, present: Callable[[str], bool], patience: float) -> None:
        """Let go of the names of owners who have not been present for ``patience`` seconds.

        A name that is kept stays until its job has ended; of what has ended nothing stays.
        """
        now = time.monotonic()
        with self._lock:
            owners = {owner for job in self._jobs.values() for owner in job.owners}
            away = {owner for owner in owners if not present(owner)}
            self._gone = {owner: self._gone.get(owner, now) for owner in away}
            left = {owner for owner, since in self._gone.items() if now - since >= patience}
            for digest, job in [*self._jobs.items()]:
                for name in [*job.names]:
                    if owner_of(name) in left and not (job.active and name in job.kept):
                        job.names.discard(name)
                if not job.names:
                    job.cancel()
                    del self._jobs[digest]

    def close(self) -> None:
        """Cancel everything and end the processes; the table takes no more jobs."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            for job in self._jobs.values():
                job.cancel()
            workers, self._all, self._idle = self._all, [], []
        for worker in workers:
            worker.close()
        atexit.unregister(self.close)

    def _hand_over(self, name: str, heir: Job | None) -> None:
        for job in self._jobs.values():
            if job is not heir and name in job.names:
                job.names.discard(name)
                if not job.names:
                    job.cancel()
        if heir is not None:
            heir.names.add(name)

    def _make_room(self) -> None:
        """Forget the oldest ended jobs beyond the bound; refuse when all are still active."""
        for digest in [digest for digest, job in self._jobs.items() if not job.active]:
            if len(self._jobs) < MAX_JOBS:
                return
            del self._jobs[digest]
        if len(self._jobs) >= MAX_JOBS:
            raise JobError("Too much is being computed already; cancel something or wait for it.")

    def _dispatch(self) -> None:
        self._waiting = [job for job in self._waiting if job.active]
        while self._waiting and (self._idle or len(self._all) < self._workers):
            if not self._idle:
                worker = WorkerProcess(self._worker_idle, self._memory)
                self._all.append(worker)
                self._idle.append(worker)
            job = self._turns.order(self._waiting, self._under_way())[0]
            self._turns.take(job)
            self._waiting.remove(job)
            self._idle.pop().give(job)  # the last used is the warmest

    def _under_way(self) -> list[Job]:
        """The jobs that a process has, or has been given."""
        return [job for job in self._jobs.values() if job.active and job not in self._waiting]

    def _worker_idle(self, worker: WorkerProcess) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(worker)
                self._dispatch()
