"""Jobs in real processes: progress, cancel, errors, one a digest, one a name, no one left over."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from hvae_core.common.errors import HVAEError, ImageFileError, JobError
from hvae_core.common.jobs import Job, JobTable
from hvae_core.common.jobs import table as table_module
from hvae_core.common.jobs.job import Call
from hvae_core.common.jobs.turns import Turns
from hvae_core.common.progress import Cancelled
from tests import job_functions as functions

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def table() -> Iterator[JobTable]:
    table = JobTable(workers=2)
    yield table
    table.close()


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        # An orphan that nobody reaps has ended all the same.
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_result_and_end_of_progress(table: JobTable) -> None:
    job = table.submit("sum", "d", functions.add, 2, b=3)
    assert job.wait(60)
    assert (job.status, job.result()) == ("done", 5)
    assert job.progress == (1.0, "added", None)


def test_progress_moves_and_time_left_is_estimated(table: JobTable) -> None:
    job = table.submit("slow", "d", functions.slow, 15, 0.2)
    with pytest.raises(JobError, match="still being computed"):
        job.result()
    until(lambda: job.progress.eta_s is not None)
    fraction, message, eta = job.progress
    assert 0 < fraction < 1
    assert message.startswith("step")
    assert eta is not None
    assert 0 < eta < 30
    assert job.wait(60)
    assert job.result() == "ready"


def test_cancel_ends_a_listening_job_and_keeps_its_process(table: JobTable) -> None:
    first = table.submit("pid", "p1", functions.pid)
    assert first.wait(60)
    job = table.submit("slow", "d", functions.slow, 1000, 0.05)
    until(lambda: job.progress.fraction > 0)
    job.cancel()
    assert job.status == "cancelled"
    with pytest.raises(Cancelled):
        job.result()
    # With its only process busy the next job would have started another one.
    until(lambda: len(table._idle) == len(table._all))
    second = table.submit("pid", "p2", functions.pid)
    assert second.wait(60)
    assert second.result() == first.result()


def test_cancel_stops_a_deaf_job_and_its_children(table: JobTable, tmp_path: Path) -> None:
    job = table.submit("deaf", "d", functions.deaf, str(tmp_path))
    until(lambda: job.progress.message == "deaf")
    child = int((tmp_path / "child").read_text())
    begun = time.monotonic()
    job.cancel()
    until(lambda: gone(child), 20)
    assert time.monotonic() - begun < 10
    after = table.submit("sum", "s", functions.add, 1, 1)
    assert after.wait(60)
    assert after.result() == 2


def test_a_known_error_keeps_type_and_sentence(table: JobTable) -> None:
    job = table.submit("open", "d", functions.refuse)
    assert job.wait(60)
    assert job.status == "failed"
    with pytest.raises(ImageFileError, match="no image; choose another"):
        job.result()


@pytest.mark.parametrize("function", [functions.break_down, functions.unpicklable, functions.leave])
def test_any_other_error_is_one_sentence_and_a_log(
    table: JobTable, caplog: pytest.LogCaptureFixture, function: Callable[..., object]
) -> None:
    with caplog.at_level(logging.ERROR):
        job = table.submit("bad", "d", function)
        assert job.wait(60)
    with pytest.raises(JobError, match="fault in the program") as caught:
        job.result()
    assert "secret" not in str(caught.value)
    assert function.__name__ in caplog.text
    assert "Traceback" in caplog.text


def test_a_killed_worker_is_told_and_replaced(table: JobTable) -> None:
    job = table.submit("die", "d", functions.die)
    assert job.wait(60)
    with pytest.raises(JobError, match="want of memory"):
        job.result()
    again = table.submit("sum", "s", functions.add, 1, 2)
    assert again.wait(60)
    assert again.result() == 3


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no bound on this system")
def test_a_job_takes_so_much_memory_and_its_process_lives_on() -> None:
    table = JobTable(workers=1, memory=64 * 2**20)
    try:
        process = table.submit("pid", "p", functions.pid)
        fits = table.submit("fits", "f", functions.take, 30 * 2**20)
        bomb = table.submit("bomb", "b", functions.take, 70 * 2**20)
        again = table.submit("again", "a", functions.pid)
        assert again.wait(60)
        assert fits.result() == 30 * 2**20
        with pytest.raises(JobError, match="more memory"):
            bomb.result()
        assert again.result() == process.result()
    finally:
        table.close()


def test_one_job_a_digest(table: JobTable) -> None:
    first = table.submit("mine", "d", functions.slow, 3, 0.1)
    assert table.submit("yours", "d", functions.slow, 3, 0.1) is first
    assert first.wait(60)
    assert table.submit("mine", "d", functions.slow, 3, 0.1) is first
    assert table.get("d") is first
    assert table.current("yours") is first


def test_a_forgotten_digest_is_run_again_once_it_is_done(table: JobTable) -> None:
    first = table.submit("open", "d", functions.slow, 3, 0.1)
    table.forget("d")
    assert table.current("open") is first  # it waits or runs
    assert first.wait(60)
    table.forget("d")
    table.forget("unknown")
    second = table.submit("open", "d", functions.add, 1, 1)
    assert second.wait(60)
    assert second is not first and second.result() == 2


def test_a_failed_digest_is_run_again(table: JobTable) -> None:
    first = table.submit("open", "d", functions.refuse)
    assert first.wait(60)
    second = table.submit("open", "d", functions.add, 1, 1)
    assert second is not first
    assert second.wait(60)
    assert second.result() == 2


def test_a_new_job_of_a_name_cancels_the_old_one(table: JobTable) -> None:
    old = table.submit("map", "old", functions.slow, 1000, 0.05)
    new = table.submit("map", "new", functions.add, 1, 1)
    assert old.status == "cancelled"
    assert new.wait(60)
    assert table.current("map") is new


def test_a_job_that_another_name_wants_lives_on(table: JobTable) -> None:
    both = table.submit("mine", "both", functions.slow, 1000, 0.05)
    table.submit("yours", "both", functions.slow, 1000, 0.05)
    table.submit("mine", "other", functions.add, 1, 1)
    assert both.active
    table.cancel("yours")
    assert both.status == "cancelled"


def test_a_third_job_waits_its_turn_and_may_be_cancelled_there(table: JobTable) -> None:
    running = [table.submit(f"n{i}", f"d{i}", functions.slow, 1000, 0.05) for i in range(2)]
    waiting = table.submit("n2", "d2", functions.add, 1, 1)
    dropped = table.submit("n3", "d3", functions.add, 1, 1)
    dropped.cancel()
    until(lambda: all(job.progress.fraction > 0 for job in running))
    assert waiting.status == "waiting"
    running[0].cancel()
    assert waiting.wait(60)
    assert waiting.result() == 2
    assert dropped.status == "cancelled"


def named(*names: str) -> list[Job]:
    return [Job(name, name, Call("m", "f", (), kwargs={})) for name in names]


def test_owners_take_turns() -> None:
    turns = Turns()
    jobs = named("ann:1", "ann:2", "ann:3", "bob:1", "cid:1")
    order = [sorted(job.names)[0] for job in turns.order(jobs, [])]
    assert order == ["ann:1", "bob:1", "cid:1", "ann:2", "ann:3"]
    # Who has a job under way comes after those who have none, whoever came first.
    order = [sorted(job.names)[0] for job in turns.order(jobs[1:], jobs[:1])]
    assert order == ["bob:1", "cid:1", "ann:2", "ann:3"]
    # With nothing under way, after those whose last turn is longer ago.
    turns.take(jobs[3])
    turns.take(jobs[0])
    order = [sorted(job.names)[0] for job in turns.order(named("ann:4", "bob:2", "cid:2"), [])]
    assert order == ["cid:2", "bob:2", "ann:4"]


def test_a_shared_job_has_the_best_turn_of_its_owners() -> None:
    turns = Turns()
    alone, shared = named("ann:1", "ann:2")
    shared.names.add("bob:1")
    assert turns.order([alone, shared], named("ann:0"))[0] is shared


def test_a_waiting_job_knows_what_is_before_it() -> None:
    table = JobTable(workers=1)
    try:
        running = table.submit("ann:1", "a1", functions.slow, 1000, 0.05)
        until(lambda: running.status == "running")
        second = table.submit("ann:2", "a2", functions.slow, 1000, 0.05)
        third = table.submit("bob:1", "b1", functions.add, 1, 1)
        assert table.before(third) == [running]
        assert table.before(second) == [running, third]
        assert table.before(running) == []
        assert table.active("ann") == [running, second]
        running.cancel()
        assert third.wait(60)  # bob's turn comes before the second of ann's
        until(lambda: second.status == "running")
    finally:
        table.close()


def test_who_is_gone_leaves_no_jobs_but_those_to_be_kept(
    table: JobTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(table_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    left, kept, shared = (
        table.submit(f"ann:{name}", name, functions.slow, 1000, 0.05)
        for name in ("left", "kept", "shared")
    )
    kept.kept.add("ann:kept")
    table.submit("bob:shared", "shared", functions.slow, 1000, 0.05)
    here = {"bob"}
    table.sweep(here.__contains__, 60.0)
    now[0] = 50.0
    here.add("ann")  # a reload: the time starts anew
    table.sweep(here.__contains__, 60.0)
    here.remove("ann")
    table.sweep(here.__contains__, 60.0)
    now[0] = 109.0
    table.sweep(here.__contains__, 60.0)
    assert left.active and kept.active and shared.active
    now[0] = 111.0
    table.sweep(here.__contains__, 60.0)
    assert left.status == "cancelled" and table.get("left") is None
    assert kept.active and table.current("ann:kept") is kept
    assert shared.active and shared.owners == {"bob"}
    kept.cancel()
    table.sweep(here.__contains__, 60.0)
    assert table.get("kept") is None  # nothing of it stays in memory


def test_of_a_dropped_job_nothing_stays_in_memory(table: JobTable) -> None:
    job = table.submit("ann:open", "d", functions.add, 1, 1)
    assert job.wait(60)
    until(lambda: len(table._idle) == len(table._all))
    left = weakref.ref(job)
    table.drop("ann:open")
    del job
    until(lambda: gc.collect() >= 0 and left() is None, 10)


def test_the_table_is_bounded(table: JobTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "MAX_JOBS", 3)
    done = table.submit("done", "done", functions.add, 1, 1)
    assert done.wait(60)
    for i in range(3):
        table.submit(f"n{i}", f"d{i}", functions.slow, 1000, 0.05)
    assert table.get("done") is None
    with pytest.raises(JobError, match="Too much"):
        table.submit("n4", "d4", functions.add, 1, 1)


def test_functions_that_no_worker_could_import_are_refused(table: JobTable) -> None:
    with pytest.raises(TypeError, match="importable"):
        table.submit("bad", "d", lambda *, progress: None)
    page = type("Page", (), {"__module__": "__main__", "__qualname__": "run"})
    with pytest.raises(TypeError, match="importable"):
        Call.of(page, (), {})


def test_time_left_counts_from_the_first_report(monkeypatch: pytest.MonkeyPatch) -> None:
    job, now = Job("n", "d", Call("m", "f", (), kwargs={})), [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    job.start()
    now[0] = 130.0  # half a minute of imports says nothing about the pace
    job.report(0.2, "first")
    now[0] = 134.0
    job.report(0.4, "second")
    assert job.progress.eta_s == pytest.approx(12.0)
    now[0] = 137.0
    assert job.progress.eta_s == pytest.approx(9.0)


def test_time_left_is_that_of_the_work_done_now_not_of_what_was_done_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job, now = Job("n", "d", Call("m", "f", (), kwargs={})), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    job.start()
    job.report(0.0, "reading")
    for second in range(1, 11):  # half was done before; now a hundredth a second
        now[0] = float(second)
        job.report(0.5 + second / 100, "epoch")
    assert job.progress.eta_s == pytest.approx(40.0)


def test_closing_is_prompt_and_final(tmp_path: Path) -> None:
    table = JobTable(workers=1)
    job = table.submit("deaf", "d", functions.deaf, str(tmp_path))
    until(lambda: job.progress.message == "deaf")
    begun = time.monotonic()
    table.close()
    assert time.monotonic() - begun < 3.0  # the machine may be busy; the job itself lasts 60 s
    assert job.status == "cancelled"
    until(lambda: gone(int((tmp_path / "child").read_text())), 5)
    with pytest.raises(HVAEError, match="closing"):
        table.submit("sum", "s", functions.add, 1, 1)


@pytest.mark.parametrize("ending", ["sys.exit()", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_workers_end_with_the_app(tmp_path: Path, ending: str) -> None:
    script = f"""
import os, signal, sys, time
from hvae_core.common.jobs import JobTable
from tests import job_functions as functions
table = JobTable()
print(table.submit("pid", "p", functions.pid).wait(60) and table.get("p").result())
job = table.submit("deaf", "d", functions.deaf, {str(tmp_path)!r})
while job.progress.message != "deaf":
    time.sleep(0.01)
sys.stdout.flush()
{ending}
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    worker = int(done.stdout)
    until(lambda: gone(worker), 5)
    until(lambda: gone(int((tmp_path / "child").read_text())), 5)
