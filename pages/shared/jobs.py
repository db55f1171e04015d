"""Long work on a page: offered with one button, shown with time left and Cancel, then there.

A job's name holds all that its result depends on: what runs or failed for one choice is not shown
under the next. What was left running so is named where another job has to wait for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from hvae_core.common import fingerprint
from hvae_core.common.errors import HVAEError
from hvae_core.common.jobs import Job, JobTable
from hvae_core.common.progress import Cancelled
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.evaluation.lookup import lookup
from hvae_core.evaluation.sets import Sets
from pages.shared import ui
from pages.shared.state import Context
from pages.shared.store import Handle

_DRAWN = "jobs_drawn"
"""In the session's state: what each job does, and when it was last drawn, by its name."""
OUT_OF_SIGHT = 3.0
"""Seconds after which a job that is not drawn again stands on no page of the session."""


@st.cache_resource(show_spinner=False, on_release=lambda table: table.close())
def _table() -> JobTable:
    return JobTable()


def name_of(kind: str, *parts: object) -> str:
    """The name of the job of a kind ("attack") that depends on these parts and nothing else."""
    return f"{kind}-{fingerprint.digest(*parts)[:16]}"


def submit(name: str, digest: str, function: Callable[..., Any], *args: Any) -> Job:
    """Start ``function(*args, progress=...)`` in a worker, under a name of this session's own."""
    table = _table()
    # What is done is read from the cache: who asks for it again has found it gone from there.
    table.forget(digest)
    return table.submit(f"{_session()}:{name}", digest, function, *args)


def current(name: str) -> Job | None:
    """The session's last job of that name."""
    return _table().current(f"{_session()}:{name}")


def cancel(name: str) -> None:
    """Let go of the session's job of that name."""
    _table().cancel(f"{_session()}:{name}")


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
                st.error(str(error), icon=":material/error:")
        return False
    _show(name, job, doing)
    return True


def _show(name: str, job: Job, doing: str) -> None:
    """Draw a running job: bar, time left, Cancel; the page runs again when it ends."""

    @st.fragment(run_every=0.5)
    def bar() -> None:
        if not job.active:
            st.rerun()
        st.session_state.setdefault(_DRAWN, {})[name] = (doing, time.monotonic())
        fraction, message, left = job.progress
        wait = f", about {_seconds(left)} left" if left is not None else ""
        row = st.container(horizontal=True, vertical_alignment="bottom")
        row.progress(fraction, text=f"{doing}: {message}{wait}")
        if row.button("Cancel", key=f"cancel-{name}"):
            cancel(name)
            st.rerun()
        if job.status == "waiting":
            _left_running(name)

    bar()


def _left_running(name: str) -> None:
    """Jobs of choices that were left while they ran, which a waiting one waits for."""
    for other, (doing, seen) in st.session_state[_DRAWN].items():
        job = current(other)
        if job is None or job.status != "running" or time.monotonic() - seen < OUT_OF_SIGHT:
            continue
        row = st.container(horizontal=True, vertical_alignment="bottom")
        row.caption(f"Still running for an earlier choice: {doing}")
        if row.button("Cancel", key=f"cancel-{other}-before-{name}"):
            cancel(other)
            st.rerun()


def asked(name: str, doing: str, words: str, note: str = "") -> bool:
    """Whether the reader now asks for a job: ``note`` and its button, or its progress instead."""
    if going_on(name, doing):
        return False
    if note:
        st.info(note, icon=":material/hourglass_empty:")
    return st.button(words, key=f"go-{name}")


def evaluations(
    ctx: Context, handle: Handle, set_names: Sequence[str], *, name_missing: bool = True
) -> dict[str, Evaluation]:
    """Finished evaluations of the sets that have one; the others are offered to be computed.

    Sets whose images are not on this machine are named in one line with what to do, unless
    ``name_missing`` is off, as for a second model.
    """
    done: dict[str, Evaluation] = {}
    waiting: dict[str, str] = {}  # the digest of its pixels by the set's name
    missing: list[str] = []
    for name in set_names:
        answer = lookup(handle, ctx.sets, name)
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
    if missing and name_missing:
        names = ", ".join(ctx.title(name) for name in missing)
        ui.missing_images(f"Not shown, because the images are not on this machine: {names}.")
    return done


def _offer(ctx: Context, handle: Handle, waiting: Sequence[str], key: str) -> None:
    """One button that evaluates the sets one after another, then their progress."""
    name = f"evaluate-{handle.digest[:12]}"
    titles = ", ".join(ctx.title(set_name) for set_name in waiting)
    note = f"{titles}: not yet evaluated under {handle.title}."
    words = f"Evaluate {len(waiting)} set{'s' * (len(waiting) > 1)}"
    if asked(name, f"Evaluating {handle.title}", words, note=note):
        from hvae_core.evaluation.compute import evaluate_sets

        # The worker reads the images: it knows no session, so the sets go without its memory.
        sets = Sets(ctx.world, ctx.data_root, ctx.sets.limit)
        submit(name, key, evaluate_sets, handle.path, sets, list(waiting))
        st.rerun()


def _session() -> str:
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    running = get_script_run_ctx()
    return running.session_id if running else "test"


def _seconds(left: float) -> str:
    return f"{left:.0f} s" if left < 90 else f"{left / 60:.0f} min"
