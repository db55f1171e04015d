"""Sets that are not on this machine and can be fetched: a button each, then the progress.

Nothing is offered on a public server, which fetches nothing for its visitors.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from hvae_core.common.deployment import public
from hvae_core.data.worlds import World, download_set
from pages.shared import jobs
from pages.shared.state import Context


def of_sidebar(world: World, data_root: str | None) -> None:
    """Offer every absent set of a world."""
    absent = _absent(world, data_root)
    if absent:
        st.caption("Not on this machine; a click downloads a set from the Hugging Face hub:")
    for name in absent:
        if _running(world, name):
            st.caption(f"{world.spec(name).title} is being downloaded: see the end of the page.")
        else:
            _button(world, name, "sidebar")


def of_page(ctx: Context) -> None:
    """At the end of a page: what is being downloaded, and the chosen sets that are absent."""
    world, absent = ctx.world, _absent(ctx.world, ctx.data_root)
    for name in absent:
        jobs.going_on(_job(world, name), f"Downloading {world.spec(name).title}")
    waiting = [
        name
        for name in absent
        if name in (ctx.in_name, *ctx.out_names) and not _running(world, name)
    ]
    if waiting:
        st.caption("Images of these sets are not on this machine; the Hugging Face hub has them:")
        with st.container(horizontal=True):
            for name in waiting:
                _button(world, name, "page")


def _absent(world: World, data_root: str | None) -> list[str]:
    if public():
        return []
    return [
        spec.name
        for spec in world.sets
        if world.downloadable(spec.name) and not world.available(spec.name, data_root)
    ]


def _job(world: World, name: str) -> str:
    return f"download-{world.key}-{name}"


def _running(world: World, name: str) -> bool:
    job = jobs.current(_job(world, name))
    return job is not None and job.active


def _button(world: World, name: str, place: str) -> None:
    """A button that starts the download; ``place`` tells those of two places apart."""
    job = _job(world, name)
    title = f"Download {world.spec(name).title}"
    if st.button(title, key=f"{job}-{place}", icon=":material/download:"):
        # The world goes with one set alone: a visitor's own images are none of the job's.
        one = replace(world, sets=(world.spec(name),))
        jobs.submit(job, job, download_set, one, name)
        st.rerun()
