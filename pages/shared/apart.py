"""What visitors bring is opened in a process apart: a file that bursts takes no page with it.

On a public server that process has a bounded memory and a bounded time, and its own queue: who
opens a picture does not wait for another's training. On one's own machine files are opened here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import streamlit as st

from hvae_core.common.deployment import READ_MEMORY, READ_SECONDS, public
from hvae_core.common.errors import JobError
from hvae_core.common.jobs import JobTable
from hvae_core.common.jobs.job import call
from pages.shared.visitor import visitor

P = ParamSpec("P")
R = TypeVar("R")


@st.cache_resource(show_spinner=False, on_release=lambda table: table.close())
def _readers() -> JobTable:
    return JobTable(workers=2, memory=READ_MEMORY)


def opened(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What an importable function gives; raises what it raises.

    Raises ``JobError`` where that takes too long or too much memory.
    """
    if not public():
        return function(*args, **kwargs)
    table, name = _readers(), secrets.token_hex(16)
    job = table.submit(f"{visitor()}:{name}", name, call, function, args, dict(kwargs))
    try:
        with st.spinner("Reading the file"):
            if not job.wait(READ_SECONDS):
                raise JobError(
                    f"Reading this file took more than {READ_SECONDS:.0f} seconds; "
                    "choose a smaller one."
                )
        result: R = job.result()
        return result
    finally:
        table.drop(f"{visitor()}:{name}")
