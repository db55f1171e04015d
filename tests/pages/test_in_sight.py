"""Charts wait for a width: Streamlit's script of them is served with one sign more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient

from pages.shared.in_sight import Patient, patient

FOLDER = Path(streamlit.__file__).parent / "static" / "static" / "js"
(SCRIPT,) = FOLDER.glob("PlotlyChart.*.js")
"""That of this version; should another be named or built otherwise, these tests say so."""


def client(folder: Path) -> Any:
    return TestClient(
        Patient(Starlette(routes=[Mount("/static/js", StaticFiles(directory=folder))]))
    )


def test_the_script_of_this_version_waits_for_a_width() -> None:
    before = SCRIPT.read_bytes()
    after = patient(before)
    assert len(after) == len(before) + 2
    at = next(i for i, (old, new) in enumerate(zip(before, after, strict=False)) if old != new)
    assert after == before[:at] + b">0" + before[at:]
    assert before[:at].endswith(b"return " + before[at - 1 : at])


def test_it_travels_whole_with_its_size_also_to_who_asks_for_a_part() -> None:
    for headers in ({}, {"range": "bytes=0-9"}):
        answer = client(FOLDER).get(f"/static/js/{SCRIPT.name}", headers=headers)
        assert answer.status_code == 200
        assert answer.content == patient(SCRIPT.read_bytes())
        assert int(answer.headers["content-length"]) == len(answer.content)


def test_what_a_browser_has_stays_with_it_and_other_scripts_go_as_they_are(tmp_path: Path) -> None:
    other = b"{width:t}=E(k);return t?1:2"
    (tmp_path / "Other.abc.js").write_bytes(other)
    (tmp_path / "PlotlyChart.abc.js").write_bytes(b"of another version")
    served = client(tmp_path)
    assert served.get("/static/js/Other.abc.js").content == other
    first = served.get("/static/js/PlotlyChart.abc.js")
    assert first.content == b"of another version"
    again = served.get(
        "/static/js/PlotlyChart.abc.js", headers={"if-none-match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
