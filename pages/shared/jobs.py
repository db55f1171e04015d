"""Long work on a page: offered with one button, shown with time left and Cancel, then there.

A job's name holds all that its result depends on: what runs or failed for one choice is not shown
under the next. What was left running so is named where another job has to wait for it.

Jobs belong to the visitor, not to the tab: after a reload their bars are there again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from hvae_core.common import fingerprint, link
from hvae_core.common.deployment import MAX_JOBS, job_memory, public
from hvae_core.common.errors import DataError, HVAEError, JobError
from hvae_core.common.jobs import Job, JobTable
from hvae_core.common.jobs.job import owner_of
from hvae_core.common.progress import Cancelled
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.evaluation.lookup import lookup
from hvae_core.evaluation.sets import Sets
from pages.shared import kernel, ui
from pages.shared.state import Context
from pages.shared.store import Handle
from pages.shared.visitor import Presence, session, visitor

PATIENCE = 60.0
"""Seconds that a job goes on without a tab of its visitor's, unless it is to be kept running."""
OUT_OF_SIGHT = 3.0
"""Seconds after which a job that is not drawn again stands on no page of the visitor's."""
_SWEEP_SECONDS = 10.0
_log = logging.getLogger(__name__)
KEEP = "Go on when I close the page"


class _Shared:
    """The jobs of all visitors, who is there, and what each job is doing, in words."""

    def __init__(self) -> None:
        self.table = JobTable(memory=job_memory())
        self.presence = Presence()
        self.drawn: dict[str, tuple[str, float]] = {}
        """What a job does and when it was last drawn, by its full name."""
        self._closing = threading.Event()
        threading.Thread(target=self._sweep, daemon=True, name="strata-sweep").start()

    def close(self) -> None:
        """End the jobs and the watch over them."""
        self._closing.set()
        self.table.close()

    def _sweep(self) -> None:
        while not self._closing.wait(_SWEEP_SECONDS):
            try:
                self.table.sweep(self.presence.here, PATIENCE)
            except Exception:
                _log.exception("the watch over left jobs stumbled; it goes on")
            for name in [*self.drawn]:
                if self.table.current(name) is None:
                    self.drawn.pop(name, None)


@st.cache_resource(show_spinner=False, on_release=lambda shared: shared.close())
def _shared() -> _Shared:
    return _Shared()


def _table() -> JobTable:
    return _shared().table


def attend() -> None:
    """Note that the visitor is here; their jobs go on for as long as a tab of theirs is open."""
    _shared().presence.note(visitor(), session())


def _full(name: str) -> str:
    """The name of this visitor's own job of a name."""
    return f"{visitor()}:{name}"


def name_of(kind: str, *parts: object) -> str:
    """The name of the job of a kind ("attack") that depends on these parts and nothing else."""
    return f"{kind}-{fingerprint.digest(*parts)[:16]}"


def submit(name: str, digest: str, function: Callable[..., Any], *args: Any) -> Job:
    """Start ``function(*args, progress=...)`` in a worker, under a name of this visitor's own.

    Raises ``JobError`` for one job too many of a visitor of a public server.
    """
    table, full = _table(), _full(name)
    if public() and len(table.active(owner_of(full))) >= MAX_JOBS:
        raise JobError(
            f"You have {MAX_JOBS} jobs waiting or running; cancel one, or wait until one is done."
        )
    # What is done is read from the cache: who asks for it again has found it gone from there.
    table.forget(digest)
    if any(isinstance(each, str) and kernel.holds(each) for each in args):
        job = table.submit(full, digest, link.job_there, function, args)
    else:
        job = table.submit(full, digest, function, *args)
    if st.session_state.get(f"keep-{name}"):
        job.kept.add(full)
    return job


def current(name: str) -> Job | None:
    """The visitor's last job of that name."""
    return _table().current(_full(name))


def cancel(name: str) -> None:
    """Let go of the visitor's job of that name."""
    _table().cancel(_full(name))


def going_on(name: str, doing: str) -> bool:
    """Whether a job runs or waits: then its progress is drawn, else why it failed the last time."""
    job = current(name)
    if job is None or not job.active:
        if job is not None and job.status == "failed":
            try:
                job.result()
            except Cancelled:
                pass
            except HVAEError as error:
                st.error(ui.plain(str(error)), icon=":material/error:")
        return False
    _show(name, job, doing)
    return True


def _show(name: str, job: Job, doing: str) -> None:
    """Draw a running job: bar, time left, Cancel; the page runs again when it ends."""
    full = _full(name)

    @st.fragment(run_every=0.5)
    def bar() -> None:
        if not job.active:
            st.rerun()
        _shared().drawn[full] = (doing, time.monotonic())
        fraction, message, left = job.progress
        wait = f", about {seconds(left)} left" if left is not None else ""
        if job.status == "waiting":
            message = _waits_for(job)
        row = st.container(horizontal=True, vertical_alignment="bottom")
        row.progress(fraction, text=f"{_said(doing, message)}{wait}")
        row.checkbox(
            KEEP,
            value=full in job.kept,
            key=f"kept-{name}",
            on_change=_turn,
            args=(job, full),
        )
        if row.button("Cancel", key=f"cancel-{name}"):
            cancel(name)
            st.rerun()
        if job.status == "waiting":
            _left_running(name)

    bar()


def _said(doing: str, message: str) -> str:
    """What a job does and how far it is, each word once."""
    return doing if message.casefold() in doing.casefold() else f"{doing}: {message}"


def _turn(job: Job, full: str) -> None:
    """Keep a job that was not kept, or the other way round."""
    (job.kept.discard if full in job.kept else job.kept.add)(full)


def _waits_for(job: Job) -> str:
    """What a waiting job waits for: "waits for 3 other jobs, 2 of them yours"."""
    before = _table().before(job)
    if not before:
        return "about to start"
    mine = sum(visitor() in one.owners for one in before)
    if len(before) == 1:
        return "waits for another job" + (" of yours" if mine else "")
    whose = f", {mine} of them yours" if mine else ""
    return f"waits for {len(before)} other jobs{whose if mine < len(before) else ' of yours'}"


def _left_running(name: str) -> None:
    """Jobs of choices that were left while they ran, which a waiting one waits for."""
    mine = visitor()
    for other, (doing, seen) in [*_shared().drawn.items()]:
        job = _table().current(other)
        if owner_of(other) != mine or job is None or job.status != "running":
            continue
        if time.monotonic() - seen < OUT_OF_SIGHT:
            continue
        row = st.container(horizontal=True, vertical_alignment="bottom")
        row.caption(f"Still running for an earlier choice: {doing}")
        if row.button("Cancel", key=f"cancel-{other}-before-{name}"):
            _table().cancel(other)
            st.rerun()


def asked(name: str, doing: str, words: str, note: str = "") -> bool:
    """Whether the reader now asks for a job: ``note`` and its button, or its progress instead."""
    if going_on(name, doing):
        return False
    if note:
        st.info(note, icon=":material/hourglass_empty:")
    row = st.container(horizontal=True, vertical_alignment="center")
    pressed = row.button(words, key=f"go-{name}")
    row.checkbox(
        KEEP,
        key=f"keep-{name}",
        help="Without this the job is cancelled a minute after you close the page.",
    )
    return pressed


def evaluations(
    ctx: Context, handle: Handle, set_names: Sequence[str], *, name_missing: bool = True
) -> dict[str, Evaluation]:
    """Finished evaluations of the sets that have one; the others are offered to be computed.

    Sets whose images are not on this machine are named in one line with what to do; with
    ``name_missing`` off, as for a second model, those alone that model A has, so that no line
    stands twice. Those whose files are damaged are told once too.
    """
    done: dict[str, Evaluation] = {}
    waiting: dict[str, str] = {}  # the digest of its pixels by the set's name
    missing: list[str] = []
    for name in set_names:
        try:
            answer = lookup(handle, ctx.sets, name)
        except DataError as error:  # a damaged file of one set; the others live
            if name_missing:
                st.error(ui.plain(str(error)), icon=":material/error:")
            continue
        if answer.evaluation is not None:
            done[name] = answer.evaluation
        elif answer.missing:
            missing.append(name)
        else:
            waiting[name] = answer.pixels
    if waiting:
        _offer(
            ctx,
            handle,
            list(waiting),
            key=fingerprint.digest(handle.digest, list(waiting.values())),
        )
    who = "" if name_missing else f" under {ctx.letter(handle)} ({handle.title})"
    if not name_missing:
        missing = [name for name in missing if ctx.evaluation(ctx.a, name) is not None]
    if missing:
        names = ui.plain(", ".join(ctx.title(name) for name in missing))
        ui.missing_images(
            f"Not shown{ui.plain(who)}, because the images are not on this machine: {names}."
        )
    return done


def _offer(ctx: Context, handle: Handle, waiting: Sequence[str], key: str) -> None:
    """One button that evaluates the sets one after another, then their progress."""
    name = f"evaluate-{handle.digest[:12]}"
    titles = ", ".join(ctx.title(set_name) for set_name in waiting)
    note = ui.plain(f"{titles}: not yet evaluated under {handle.title}.")
    words = f"Evaluate {len(waiting)} set{'s' * (len(waiting) > 1)}"
    if asked(name, f"Evaluating {handle.title}", words, note=note):
        from hvae_core.evaluation.compute import evaluate_sets

        # The worker reads the images: it knows no session, so the sets go without its memory.
        sets = Sets(ctx.world, ctx.data_root, ctx.sets.limit)
        submit(name, key, evaluate_sets, handle.path, sets, list(waiting))
        st.rerun()


def seconds(left: float) -> str:
    """A time in words, as those of running jobs: "40 s", "3 min"."""
    return f"{left:.0f} s" if left < 90 else f"{left / 60:.0f} min"
