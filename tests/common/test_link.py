"""Calls of the app to the kernel: what they give, what they raise, who is answered."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from multiprocessing import AuthenticationError
from typing import Any

import numpy as np
import pytest

from hvae_core.common import link
from hvae_core.common.errors import DataError, JobError
from hvae_core.common.link import Answerer, ModelAt
from hvae_core.common.progress import Cancelled
from hvae_core.data.image_set import ImageSet, describe_shape, shared_note
from hvae_core.data.load import array_images
from hvae_core.evaluation.compute import evaluate_batch, evaluate_sets
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.models import HierarchicalVAE
from hvae_core.probes.reconstruct import reconstruct
from tests.small import tiny_model, tiny_set


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answerer]:
    model = tiny_model().eval().requires_grad_(False)
    answerer = Answerer({"models": ["mine"]}, {"mine": model}.__getitem__)
    monkeypatch.setenv(link.PLACE, answerer.place)
    yield answerer
    answerer.close()


def test_it_tells_what_it_shows(kernel: Answerer) -> None:
    assert link.linked()
    assert link.shown() == {"models": ["mine"]}


def test_a_model_there_computes_what_it_would_here(kernel: Answerer) -> None:
    model, images = tiny_model().eval(), tiny_set(3)
    digests = images.image_digests()
    there = link.ask(reconstruct, [ModelAt("mine"), images.images, digests], {"seed": 3})
    here = reconstruct(model, images.images, digests, seed=3)
    np.testing.assert_array_equal(there.means, here.means)
    np.testing.assert_array_equal(there.nll, here.nll)
    settings = {"settings": EvalSettings(samples=2)}
    bounds, means = link.ask(evaluate_batch, [ModelAt("mine"), images.images, digests], settings)
    expected, expected_means = evaluate_batch(model, images.images, digests, **settings)
    for one, other in zip(bounds, expected, strict=True):
        np.testing.assert_array_equal(one.bound, other.bound)
    for one, other in zip(means, expected_means, strict=True):
        np.testing.assert_array_equal(one, other)


def test_errors_come_back_as_what_they_are(kernel: Answerer) -> None:
    with pytest.raises(DataError, match="values from -1"):
        link.ask(array_images, [np.full((1, 4, 4), -1.0)], {})
    with pytest.raises(JobError, match="could not do this .TypeError"):
        link.ask(describe_shape, [1, 2, 3], {})


def slow(seconds: float, *, progress: Any) -> int:
    """Reports until it is cancelled, or for so long."""
    for step in range(int(seconds * 100)):
        progress(step / seconds / 100, "slowly")
        time.sleep(0.01)
    return 5


@pytest.fixture
def slow_there(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A job of the program's that takes as long as its argument says; what it came to."""
    ended: list[int] = []

    def job(seconds: float, *, progress: Any) -> int:
        try:
            ended.append(slow(seconds, progress=progress))
        except Cancelled:
            ended.append(-1)
            raise
        return ended[-1]

    # The name that travels is that of a function of the program.
    job.__module__, job.__qualname__ = evaluate_sets.__module__, evaluate_sets.__qualname__
    monkeypatch.setattr("hvae_core.evaluation.compute.evaluate_sets", job)
    return ended


def test_a_job_reports_and_ends(kernel: Answerer, slow_there: list[int]) -> None:
    seen: list[tuple[float, str]] = []
    answer = link.job_there(evaluate_sets, [0.1], progress=lambda *told: seen.append(told))
    assert answer == 5
    assert {words for _, words in seen} >= {"slowly"}


def test_a_job_that_is_cancelled_ends_there_too(kernel: Answerer, slow_there: list[int]) -> None:
    def stop(fraction: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        link.job_there(evaluate_sets, [60.0], progress=stop)
    for _ in range(1000):
        if slow_there:
            break
        time.sleep(0.01)
    assert slow_there == [-1]


def test_who_does_not_know_the_token_is_not_answered(
    kernel: Answerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = kernel.place.split()[0]
    monkeypatch.setenv(link.PLACE, f"{port} {'0' * 64}")
    with pytest.raises(JobError, match="does not answer") as refused:
        link.shown()
    assert isinstance(refused.value.__cause__, AuthenticationError | OSError | EOFError)
    with socket.create_connection(("127.0.0.1", int(port))) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
    monkeypatch.setenv(link.PLACE, kernel.place)
    assert link.shown()


def test_a_silent_caller_keeps_nobody_waiting(kernel: Answerer) -> None:
    with socket.create_connection(("127.0.0.1", int(kernel.place.split()[0]))):
        assert link.shown()


def test_a_kernel_that_is_gone_is_said(kernel: Answerer, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel.close()
    with pytest.raises(JobError, match=r"run hv\.show again"):
        link.shown()
    monkeypatch.setenv(link.PLACE, "")
    with pytest.raises(JobError, match=r"run hv\.show again"):
        link.shown()
    assert not link.linked()


def test_lines_that_are_open_end_with_the_kernel(kernel: Answerer) -> None:
    """A line closed by two threads is an exception of one, which pytest makes this test's."""
    port = int(os.environ[link.PLACE].split()[0])
    callers = [socket.create_connection((link.HOST, port)) for _ in range(40)]
    for caller in callers:
        assert caller.recv(4)  # the challenge
    kernel.close()
    for caller in callers:
        caller.settimeout(10)
        with caller, contextlib.suppress(ConnectionError):
            while caller.recv(4096):
                pass
    deadline = time.monotonic() + 10
    while kernel._open and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not kernel._open


def test_many_calls_at_once_are_all_answered(kernel: Answerer) -> None:
    images = [tiny_set(2 + i) for i in range(6)]
    found: dict[int, Any] = {}

    def call(i: int) -> None:
        found[i] = link.ask(shared_note, [images[i], images[i]], {})

    threads = [threading.Thread(target=call, args=(i,)) for i in range(len(images))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, one in enumerate(images):
        assert isinstance(one, ImageSet)
        assert found[i] == shared_note(one, one)


def test_models_stay_where_they_are(kernel: Answerer) -> None:
    assert isinstance(tiny_model(), HierarchicalVAE)
    with pytest.raises(TypeError, match="cannot go to another process"):
        link.ask(reconstruct, [tiny_model()], {})
