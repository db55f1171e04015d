"""Who is next: owners of jobs take turns, those with fewer jobs under way first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from hvae_core.common.jobs.job import Job

_REMEMBERED = 1000


class Turns:
    """Remembers when each owner had a turn; not safe from several threads at once."""

    def __init__(self) -> None:
        self._count = 0
        self._last: dict[str, int] = {}  # the number of an owner's last turn

    def order(self, waiting: Sequence[Job], under_way: Iterable[Job]) -> list[Job]:
        """The waiting jobs in the order of their turns, if nothing ends and nothing comes.

        First those of the owner with the fewest jobs under way, then of the one who has waited the
        longest for a turn; an owner's own jobs as they came.
        """
        busy = Counter(owner for job in under_way for owner in job.owners)
        last, count = dict(self._last), self._count
        left, ordered = list(waiting), []
        while left:
            job = min(left, key=lambda one: _rank(one, busy, last))
            left.remove(job)
            ordered.append(job)
            count += 1
            busy.update(job.owners)
            last |= dict.fromkeys(job.owners, count)
        return ordered

    def take(self, job: Job) -> None:
        """Note that a job has its turn now."""
        self._count += 1
        for owner in job.owners:
            self._last.pop(owner, None)  # to the end, so that the oldest are forgotten first
            self._last[owner] = self._count
        while len(self._last) > _REMEMBERED:
            del self._last[next(iter(self._last))]


def _rank(job: Job, busy: Counter[str], last: dict[str, int]) -> tuple[int, int]:
    return min(((busy[owner], last.get(owner, 0)) for owner in job.owners), default=(0, 0))
