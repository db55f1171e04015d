"""Pictures kept ready are those that the redraw then brings, and nobody else's."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from pages.shared import ready, serve
from tests.pages.conftest import Start, alive


def strip(app: AppTest) -> dict[str, Any]:
    """What the browser is told of the big picture of Reconstructions."""
    parts = (part.proto for part in app.main.get("bidi_component"))
    told = [json.loads(part.json) for part in parts if part.id.endswith("r_strip_A")]
    found: dict[str, Any] = told[0]
    return found


def test_what_is_kept_ready_is_what_the_redraw_shows(start: Start) -> None:
    app = alive(start("reconstructions", r_skipped="sample"))
    client = TestClient(Starlette(routes=ready.ROUTES))
    ways = strip(app)["ready"]
    early = {(one["control"], one["value"]): client.get(one["src"]).content for one in ways}
    assert {control for control, _ in early} == {"r_k", "r_temp", "r_draw_next"}
    seen = {strip(app)["src"]}
    for control, value in (("r_k", 2), ("r_temp", 1.1), ("r_draw_next", None)):
        before = {slider.key: slider.value for slider in app.slider}
        if value is None:
            app.button(control).click()
        else:
            app.slider(control).set_value(value)
        told = strip(alive(app.run()))
        assert b64decode(told["src"].partition(",")[2]) == early[control, value]
        assert told["src"] not in seen
        assert told["says"] == {slider.key: slider.value for slider in app.slider}
        seen.add(told["src"])
        if value is not None:
            app.slider(control).set_value(before[control])
            alive(app.run())


def test_an_address_that_nobody_gave_shows_nothing() -> None:
    client = TestClient(Starlette(routes=ready.ROUTES))
    told = client.get("_strata/ready/guessed/0")
    assert (told.status_code, told.content) == (204, b"")


def test_own_addresses_begin_where_the_app_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page under /strata/ asks below it, as its pictures' addresses are relative to the page."""
    monkeypatch.setattr(serve.st, "get_option", {"server.baseUrlPath": "strata/"}.get)
    client = TestClient(Starlette(routes=serve.begun(serve.ROUTES)))
    assert client.get("/strata/_strata/ready/guessed/0").status_code == 204
    assert client.get("/_strata/ready/guessed/0").status_code == 404
