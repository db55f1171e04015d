"""While libraries are loaded one visitor's page is drawn, and all others wait."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from pages.shared.warm import Warming

LOADED: list[str] = []
MODULE = """
from tests.pages import test_warm
test_warm.GATES[{name!r}].wait(60)
test_warm.LOADED.append({name!r})
"""
GATES = {name: threading.Event() for name in ("warm_first", "warm_later")}


@pytest.fixture
def warming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warming:
    monkeypatch.setitem(sys.modules, "tests.pages.test_warm", sys.modules[__name__])
    monkeypatch.syspath_prepend(str(tmp_path))
    LOADED.clear()
    for name, gate in GATES.items():
        gate.clear()
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f"{name}.py").write_text(MODULE.format(name=name))
    return Warming(["warm_first", "no_such_library"], ["warm_later"])


def test_the_first_is_drawn_before_the_rest_is_loaded_and_the_others_after(
    warming: Warming,
) -> None:
    drawn: list[tuple[str, list[str]]] = []
    first_is_drawing, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with warming.turn():
            drawn.append(("first", LOADED.copy()))
            first_is_drawing.set()
            go_on.wait(60)

    def other() -> None:
        with warming.turn():
            drawn.append(("other", LOADED.copy()))

    warming.begin()
    one = threading.Thread(target=first)
    one.start()
    assert not first_is_drawing.wait(0.1)
    GATES["warm_first"].set()
    assert first_is_drawing.wait(60)
    others = [threading.Thread(target=other) for _ in range(3)]
    for thread in others:
        thread.start()
    GATES["warm_later"].set()
    others[0].join(0.1)
    assert drawn == [("first", ["warm_first"])] and LOADED == ["warm_first"]
    go_on.set()
    for thread in (one, *others):
        thread.join(60)
    assert drawn[1:] == [("other", ["warm_first", "warm_later"])] * 3


def test_nobody_waits_where_nothing_is_loaded() -> None:
    with Warming(["no_such_library"]).turn():
        pass


def test_a_first_page_that_fails_lets_the_others_go_on(warming: Warming) -> None:
    for gate in GATES.values():
        gate.set()
    warming.begin()
    with pytest.raises(ZeroDivisionError), warming.turn():
        raise ZeroDivisionError
    with warming.turn():
        assert LOADED == ["warm_first", "warm_later"]
