"""The session of a tab that was closed ends in time, also on a server that nobody visits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from streamlit import runtime
from streamlit.runtime.memory_session_storage import MemorySessionStorage

from pages.shared import memory


def test_left_sessions_are_ended_once_their_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    cleared: list[str] = []

    def stored(storage: MemorySessionStorage, name: str) -> None:
        state = SimpleNamespace(clear=lambda: cleared.append(name))
        session: Any = SimpleNamespace(
            id=name, shutdown=lambda: ended.append(name), session_state=state
        )
        storage.save(SimpleNamespace(session=session))  # type: ignore[arg-type]

    storage = MemorySessionStorage(ttl_seconds=3600)
    server = SimpleNamespace(_session_mgr=SimpleNamespace(_session_storage=storage))
    monkeypatch.setattr(runtime, "get_instance", lambda: server)
    stored(storage, "fresh")
    assert memory.end_left_sessions() == 0 and ended == []
    over = MemorySessionStorage(ttl_seconds=0)
    server._session_mgr._session_storage = over
    stored(over, "left")
    assert memory.end_left_sessions() == 1 and ended == cleared == ["left"]
    assert memory.end_left_sessions() == 0


def test_memory_can_be_given_back_on_any_system() -> None:
    memory.share_heaps()
    memory.give_back()
