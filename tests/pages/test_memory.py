"""The session of a tab that was closed ends in time, also on a server that nobody visits."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit import runtime
from streamlit.runtime import media_file_manager
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
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


def test_a_file_that_a_click_made_waits_for_its_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_file_manager, "MediaFileMetadata", None)
    memory.keep_made_files()
    files = MediaFileManager(MemoryMediaFileStorage("/media"))
    offer = files.add_deferred(lambda: b"a,b", "text/csv", "1.2", file_name="a.csv")
    made = files.execute_deferred(offer).rpartition("/")[2]

    def redrawn(times: int) -> bool:
        for _ in range(times):
            files.remove_orphaned_files()
        return files.read_file(made) is not None

    assert redrawn(9)
    monkeypatch.setattr(memory, "_FETCHED", -1.0)
    assert redrawn(1) and not redrawn(1)


def test_memory_can_be_given_back_on_any_system() -> None:
    memory.share_heaps()
    memory.give_back()


def test_what_has_lived_is_set_aside_and_still_freed() -> None:
    class Part:
        pass

    part = Part()
    part.itself = part  # type: ignore[attr-defined]
    seen = weakref.ref(part)
    aside = memory.SetAside(longest=-1.0)
    gc.callbacks.append(aside)
    try:
        gc.collect()
        assert gc.get_freeze_count() > 1000
        del part
        gc.collect()
        assert seen() is not None
        memory.look_through()
        assert seen() is None
    finally:
        gc.callbacks.remove(aside)
        gc.unfreeze()
