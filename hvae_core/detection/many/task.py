"""One part of a large source: read, put through the model, scored, written as one file.

A task is a value that travels to any process; whichever runs it, and however often, writes the same
figures. A process keeps the model and the open source of the last job that it worked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import CheckpointError, DataError, ScoreError
from hvae_core.common.far import Folder
from hvae_core.common.plain import plain
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet
from hvae_core.data.stream import Read, Source, Stream
from hvae_core.detection.many.layout import Part, write_part
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
from hvae_core.scores import Material, Score, get_score
from hvae_core.scores.assemble import needed
from hvae_core.scores.material import Reference
from hvae_core.scores.measures.measure import PART_IMAGES
from hvae_core.scores.own import own_score

if TYPE_CHECKING:
    from hvae_core.models import HierarchicalVAE

CAN = frozenset({"reference", "held_out", "latents", "gradient"})
"""What scores may need beside bounds, where images are scored part by part."""


@dataclass(frozen=True)
class Task:
    """What is done to every part of a source; the number of the part is given beside it.

    ``model`` is a name, a path or the bytes of a checkpoint, ``digest`` that of its file; scores
    are keys, ``own`` those of the user's own as FILE.py:FUNCTION. ``reference`` are statistics of
    training images, where a score compares with them, ``held_out`` what densities are fitted to,
    where a score has one. ``contents`` is the digest of the source, which every worker must find
    the same.
    """

    source: Source
    model: str | bytes
    digest: str
    settings: EvalSettings
    scores: tuple[str, ...]
    own: tuple[str, ...]
    part_images: int
    out: str
    device: str = "cpu"
    compiling: Literal["auto", "off", "full"] = "auto"
    contents: str = ""
    reference: Reference | None = field(default=None, compare=False, repr=False)
    held_out: Material | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Done:
    """What became of a part: how many images it has, and how many of them have no figures."""

    number: int
    images: int
    failed: int


def run_part(task: Task, number: int, progress: Progress = silent) -> Done:
    """Read, score and write one part of a source; called in any process."""
    return _worker(task).run(number, progress)


class Worker:
    """A model and an open source, ready for any part of a job."""

    def __init__(self, task: Task, progress: Progress = silent) -> None:
        from hvae_core.detection.judging import judging
        from hvae_core.evaluation.compute import scorer_of
        from hvae_core.evaluation.replay import compile_scoring

        known = judging(task.model)
        if known.digest != task.digest:
            raise CheckpointError(
                f"The model {plain(known.name)} is another file (sha256 {known.digest[:16]}) than "
                f"the job began with ({task.digest[:16]}); name the first one, or a new folder."
            )
        self.task = task
        compile_scoring(task.compiling)
        self.scorer = scorer_of(known.model.to(task.device), task.settings)
        self.model: HierarchicalVAE = self.scorer.model
        self.scores = (
            *(get_score(key, self.model.n_levels, known.names) for key in task.scores),
            *map(own_score, task.own),
        )
        self.stream = self._opened(progress)
        if task.contents not in ("", self.stream.contents):
            raise DataError(
                f"{self.stream.title} holds other files here than where the job began; give every "
                "worker the same ones."
            )
        self.folder = Folder.of(task.out)
        self._reader = ThreadPoolExecutor(1, "reader")
        self._coming: tuple[int, Future[Read]] | None = None

    def _opened(self, progress: Progress) -> Stream:
        source = self.task.source
        return _open.pop(source) if source in _open else Stream(source, progress)

    def run(self, number: int, progress: Progress = silent) -> Done:
        """Read, score and write one part."""
        from hvae_core.models.threads import one_thread

        with one_thread():  # as every worker does: so that all give the same bits
            part = self.part(number, progress)
        write_part(self.folder, number, part)
        failed = sum(error is not None for error in part.errors)
        return Done(number, len(part), failed)

    def part(self, number: int, progress: Progress = silent) -> Part:
        """The figures of one part, whose file is not written."""
        read = self._read(number)
        good = np.array([error is None for error in read.errors], dtype=bool)
        bounds = np.full((len(read), self.model.n_levels), np.nan)
        columns = np.full((len(read), len(self.scores)), np.nan)
        digests = np.zeros(len(read), np.uint64)
        if good.any():
            evaluation = self._evaluation(read.images, progress)
            bounds[good] = evaluation.table.bound
            columns[good] = self._columns(read.images, evaluation)
            digests[good] = np.array(read.images.image_digests(), np.uint64)
        wrong = good & ~np.isfinite(np.column_stack([bounds, columns])).all(axis=1)
        bounds[wrong], columns[wrong] = np.nan, np.nan
        return Part(
            rows=read.rows,
            files=read.files,
            labels=_class_names(read, self.stream.class_names),
            digests=digests,
            errors=[
                "The model gives no finite figure for this image." if is_wrong else error
                for error, is_wrong in zip(read.errors, wrong, strict=True)
            ],
            bounds=bounds,
            scores={score.key: columns[:, i] for i, score in enumerate(self.scores)},
        )

    def _read(self, number: int) -> Read:
        """A part of the source; a worker with a card of its own begins to read the next one.

        Workers of a processor leave that to each other: they take turns with the parts.
        """
        if self._coming is not None and self._coming[0] == number:
            read = self._coming[1].result()
        else:
            read = self._reader.submit(self._part_of_source, number).result()
        self._coming = None
        if self.task.device != "cpu" and self._begin(number + 1) < len(self.stream):
            self._coming = number + 1, self._reader.submit(self._part_of_source, number + 1)
        return read

    def _begin(self, number: int) -> int:
        return number * self.task.part_images

    def _part_of_source(self, number: int) -> Read:
        read = self.stream.read(self._begin(number), self._begin(number + 1))
        read.images.image_digests()
        return read

    def _evaluation(self, images: ImageSet, progress: Progress) -> Evaluation:
        from hvae_core.evaluation.compute import evaluate_once

        return evaluate_once(self.scorer, self.task.digest, images, progress=progress)

    def _columns(self, images: ImageSet, evaluation: Evaluation) -> Floats:
        material = Material.of(evaluation, reference=self.task.reference)
        _, measures = needed(self.scores)
        values: dict[str, Any] = {}
        for measure in measures:
            model = self.model if measure.of else None
            digests = images.image_digests()
            some = [
                measure.function(
                    model,
                    images.images[start : start + PART_IMAGES],
                    digests[start : start + PART_IMAGES],
                    measure.settings,
                )
                for start in range(0, len(images), PART_IMAGES)
            ]
            values[measure.name] = np.concatenate(some).astype(np.float64)
        material = replace(material, measures=values, held_out=self.task.held_out)
        return np.stack([score(material) for score in self.scores], axis=1)


def check_scores(scores: Sequence[Score]) -> None:
    """Raise ``ScoreError`` for scores that read more than an image, its model and a reference."""
    for score in scores:
        needs, measures = needed([score])
        lacking = sorted(needs - CAN)
        lacking += [measure.of for measure in measures if measure.of not in ("", "checkpoint")]
        if lacking:
            raise ScoreError(
                f"The score {score.key} needs more than the model and a reference ({lacking[0]}), "
                "which is not at hand part by part; leave it out, or use `evaluate`."
            )


_kept: list[Worker] = []
_open: dict[Source, Stream] = {}


def keep_open(stream: Stream) -> None:
    """Let the next worker of this process read from a stream that is open already."""
    _open.clear()
    _open[stream.source] = stream


def _worker(task: Task) -> Worker:
    """The worker of this process, a new one where the last one was of another job."""
    if not _kept or _kept[0].task != task:
        _kept.clear()
        _kept.append(Worker(task))
    return _kept[0]


def _class_names(read: Read, names: tuple[str, ...]) -> list[str | None]:
    return [names[label] if label >= 0 else None for label in read.labels.tolist()]
