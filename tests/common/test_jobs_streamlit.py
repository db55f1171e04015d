"""Jobs under a real Streamlit server, whose ``__main__`` is the page: no worker may run it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server import serve

PAGE = """
from pathlib import Path
import streamlit as st
from hvae_core.common.jobs import JobTable
from tests import job_functions as functions

with Path({runs!r}).open("a") as file:
    file.write(__name__ + "\\n")

@st.cache_resource
def jobs():
    return JobTable()

table = jobs()
where = table.submit("where", "where", functions.main_file)
slow = table.submit("slow", "slow", functions.slow, 1000, 0.1)

@st.fragment(run_every=0.5)
def watch():
    if where.status == "done":
        st.text(f"main is {{where.result()}}")
    st.progress(slow.progress.fraction, slow.progress.message)
    st.text(f"slow is {{slow.status}}")
    if st.button("Cancel"):
        slow.cancel()

watch()
"""


@pytest.fixture
def page(tmp_path: Path) -> Iterator[str]:
    """The address of a fresh server that shows ``PAGE``."""
    app = tmp_path / "page.py"
    app.write_text(PAGE.format(runs=str(tmp_path / "runs")))
    with serve(app, plain=True, HOME=str(tmp_path)) as address:
        yield address


@pytest.mark.browser
def test_a_worker_never_runs_the_page(page: str, browser: Any, tmp_path: Path) -> None:
    tab = browser.new_page()
    tab.goto(page)
    tab.get_by_text("main is").wait_for(timeout=60_000)
    main = tab.get_by_text("main is").inner_text()
    tab.get_by_text("step ").wait_for(timeout=60_000)
    tab.get_by_text("Cancel").click()
    tab.get_by_text("slow is cancelled").wait_for(timeout=30_000)
    tab.close()
    assert main.endswith("worker.py")
    assert set((tmp_path / "runs").read_text().split()) == {"__main__"}
