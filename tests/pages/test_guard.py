"""What the server refuses before Streamlit sees it."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from pages.shared import guard
from pages.shared.guard import Guard
from tests.coroutines import run


def answer(path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str]]:
    """Status and headers of the answer to a request."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": pairs}
    run(Guard(app)(scope, None, send))  # type: ignore[arg-type]
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], told


@pytest.mark.parametrize(
    "path", ["/_stcore/metrics", "/base/_stcore/metrics", "/_stcore/agent/mcp"]
)
def test_closed_addresses_are_not_found(path: str) -> None:
    assert answer(path)[0] == 404


def test_pages_may_ask_no_other_host() -> None:
    status, told = answer("/ood")
    assert status == 200
    sources = told["content-security-policy"].replace(";", " ").split()
    assert not [one for one in sources if "//" in one or "*" in one or one in ("https:", "http:")]


@pytest.mark.parametrize("gone", [True, False])
def test_a_tab_that_was_closed_is_no_error_and_others_are(gone: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        with contextlib.suppress(OSError):
            await send({"type": "websocket.send", "text": "a page"})
        raise RuntimeError('Cannot call "send" once a close message has been sent.')

    async def send(message: Any) -> None:
        if gone:
            raise OSError("the browser has gone")

    with contextlib.nullcontext() if gone else pytest.raises(RuntimeError, match="Cannot call"):
        run(Guard(app)({"type": "websocket", "path": "/_stcore/stream"}, None, send))  # type: ignore[arg-type]


def test_a_session_holds_so_many_uploaded_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/_stcore/upload_file/me/one"
    monkeypatch.setattr(guard, "held", lambda session: {"me": 70, "other": 10}[session])
    monkeypatch.setattr(guard, "upload_limit", lambda: 100)
    assert answer(path, "PUT", content_length="31")[0] == 200  # the user's own machine
    monkeypatch.setenv("STRATA_PUBLIC", "1")
    assert answer(path, "PUT", content_length="30")[0] == 200
    assert answer(path, "PUT", content_length="31")[0] == 413
    assert answer(path, "PUT")[0] == 413  # nobody knows how much will come
    assert answer("/_stcore/upload_file/other/one", "PUT", content_length="31")[0] == 200
    assert answer(path, "DELETE")[0] == 200
