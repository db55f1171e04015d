"""Scores of a source that does not fit: every part is a task, done once, by whoever is free.

A part whose file is there is not computed again, so a run that was stopped or killed goes on where
it was. A part that fails is tried again where its worker died, and named at the end; the rest goes
on.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hvae_core.common.errors import DataError, HVAEError
from hvae_core.common.far import Folder, is_far
from hvae_core.common.files import sweep
from hvae_core.common.plain import plain
from hvae_core.common.progress import Progress, silent
from hvae_core.data.stream import Stream
from hvae_core.detection.many.executor import Executor, Here, Pending
from hvae_core.detection.many.layout import PARTS, Job, parts_there, read_job, write_job
from hvae_core.detection.many.task import Done, Task, keep_open, run_part

TRIES = 3
"""How often a part is begun whose worker dies under it."""
HOPELESS = 5
"""Parts that fail before any succeeds: then it is not the parts that are at fault."""
PART_PIXELS = 2**26
PART_IMAGES = 5000
_STEP = 500  # whole parts of an evaluation, so that its batches are those of `evaluate`
_OLD = 3600.0  # seconds: nobody writes one part for so long
_BEAT = 0.5  # seconds between two looks at the clock
_SAME = ("model", "digest", "levels", "source", "settings", "scores", "part_images", "limit",
         "prepare", "contents")  # fmt: skip
_WORDS = {"digest": "file of the model", "contents": "files of the source",
          "part_images": "number of images a part"}  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """What a run left: how many parts and images there are, how many of them it computed now.

    ``failed`` counts images without figures among those computed now; ``lost`` says of parts that
    could not be had why.
    """

    parts: int
    images: int
    computed: int
    failed: int
    seconds: float
    lost: dict[int, str] = field(default_factory=dict)


def part_size(dims: int) -> int:
    """Images of a part: few enough that their pixels take no memory to speak of."""
    return max(_STEP, min(PART_IMAGES, PART_PIXELS // dims) // _STEP * _STEP)


def begin(
    task: Task, *, name: str, levels: int, progress: Progress = silent
) -> tuple[Task, Job, tuple[str, ...]]:
    """Open the source and the folder: the task as every worker is to do it, and the job.

    The folder's first file is written, or is seen to say the same; notes tell what differs. Raises
    ``DataError`` where the folder holds the scores of something else.
    """
    stream = Stream(task.source, progress)
    task = replace(task, contents=stream.contents)
    job = _job_of(task, stream, name=name, levels=levels)
    folder = Folder.of(task.out)
    notes = _agreed(folder, job)
    if not is_far(task.out):  # what writers that were killed left behind
        sweep(Path(folder.path(PARTS)), older=_OLD)
    keep_open(stream)
    return task, job, notes


def _job_of(task: Task, stream: Stream, *, name: str, levels: int) -> Job:
    return Job(
        model=name,
        digest=task.digest,
        levels=levels,
        source=task.source.given,
        settings=asdict(task.settings),
        scores=(*task.scores, *(text.rpartition(":")[2] for text in task.own)),
        part_images=task.part_images,
        limit=task.source.limit,
        prepare=task.source.prepare,
        contents=stream.contents,
        images=len(stream),
        parts=math.ceil(len(stream) / task.part_images),
        class_names=stream.class_names,
        notes=stream.notes,
        versions={package: version(package) for package in ("torch", "numpy", "pillow", "pyarrow")},
    )


def _agreed(folder: Folder, job: Job) -> tuple[str, ...]:
    """Write what the folder holds, or see that it holds just that; notes on what differs."""
    known = read_job(folder)
    if known is None:
        write_job(folder, job)
        return ()
    for name in _SAME:
        before, now = getattr(known, name), getattr(job, name)
        if before != now:
            what = _WORDS.get(name, name)
            raise DataError(
                f"{plain(folder.given)} holds scores of another job: its {what} was "
                f"{_short(before)}, and is now {_short(now)}. Name a new folder, or the same "
                "values."
            )
    return tuple(
        f"{package} is {now} here, and was {known.versions.get(package)} when the folder was begun"
        for package, now in job.versions.items()
        if known.versions.get(package) != now
    )


def run(
    task: Task,
    job: Job,
    *,
    executor: Executor | None = None,
    only: int | None = None,
    progress: Progress = silent,
) -> Summary:
    """Compute the parts of a job that are not there, or ``only`` one of them.

    ``progress`` is called at least every half second where parts run elsewhere, and stops the run
    by raising. Raises ``HVAEError`` where the first parts all fail, with the reason.
    """
    folder = Folder.of(task.out)
    there = set(parts_there(folder))
    numbers = [number for number in range(job.parts or 0) if number not in there]
    if only is not None:
        if not 0 <= only < (job.parts or 0):
            raise DataError(f"There is no part {only}; they go from 0 to {(job.parts or 0) - 1}.")
        numbers = [number for number in numbers if number == only]
    executor = executor or Here()
    state = _State(task, numbers, job, progress)
    now = True
    try:
        state.work(executor)
        now = False
    finally:
        executor.close(now=now)
    return state.summary()


class _State:
    """Which parts wait, which are under way, and what became of the others."""

    def __init__(self, task: Task, numbers: Sequence[int], job: Job, progress: Progress) -> None:
        self.task, self.job, self.progress = task, job, progress
        self.waiting = list(numbers)[::-1]
        self.total = sum(map(self._size, numbers))
        self.pending: dict[Pending[Done], int] = {}
        self.tries: Counter[int] = Counter()
        self.done: list[Done] = []
        self.lost: dict[int, str] = {}
        self.began = time.monotonic()

    def work(self, executor: Executor) -> None:
        """Submit as many parts as there is room for, take what ends, until none is left."""
        while self.waiting or self.pending:
            self._tell()
            while self.waiting and len(self.pending) < executor.room:
                number = self.waiting.pop()
                self.tries[number] += 1
                within = (self._within(number),) if executor.here else ()
                self.pending[executor.submit(run_part, self.task, number, *within)] = number
            executor.wait(list(self.pending), _BEAT)
            for each in [each for each in self.pending if each.done()]:
                self._take(each, self.pending.pop(each), executor)
        self._tell()

    def _take(self, ended: Pending[Done], number: int, executor: Executor) -> None:
        try:
            self.done.append(ended.result())
            return
        except HVAEError as error:
            why = str(error)
        except Exception as error:
            if not executor.died(error):
                raise
            if self.tries[number] < TRIES:
                self.waiting.append(number)
                return
            why = f"its worker died {TRIES} times; perhaps there is not enough memory"
        self.lost[number] = why
        if len(self.lost) >= HOPELESS and not self.done:
            raise DataError(f"The first {HOPELESS} parts all failed. The first: {why}")

    def _size(self, number: int) -> int:
        size = self.job.part_images
        return min(size, (self.job.images or 0) - number * size)

    def _within(self, number: int) -> Progress:
        """The progress inside one part, of this very process."""

        def step(fraction: float, message: str) -> None:
            self._tell(fraction * self._size(number))

        return step

    def _tell(self, more: float = 0.0) -> None:
        count = sum(done.images for done in self.done) + int(more)
        seconds = time.monotonic() - self.began
        pace = f", {count / seconds:,.0f} a second" if count and seconds > 0 else ""
        share = count / self.total if self.total else 1.0
        self.progress(share, f"{count:,} of {self.total:,} images{pace}")

    def summary(self) -> Summary:
        """What there is now."""
        return Summary(
            parts=self.job.parts or 0,
            images=self.job.images or 0,
            computed=sum(done.images for done in self.done),
            failed=sum(done.failed for done in self.done),
            seconds=time.monotonic() - self.began,
            lost=dict(sorted(self.lost.items())),
        )


def _short(value: Any) -> str:
    return plain(value[:12] if isinstance(value, str) and len(value) == 64 else value, 100)
