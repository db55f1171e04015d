"""Scripts travel packed from the second time on, and unpack to what they were."""

from __future__ import annotations

import gzip
import time
from pathlib import Path
from typing import Any

import pytest
import streamlit
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from pages.shared.address import PAGE, TOLD, Address
from pages.shared.early import Early
from pages.shared.packed import LEAST, Packed

TEXT = b"let x = 1;\n" * (LEAST // 8)


@pytest.fixture
def client() -> Any:
    def answer(request: Any) -> Response:
        if "if-none-match" in request.headers:
            return Response(status_code=304)
        name = request.path_params["name"]
        kept = {"cache-control": "immutable", "etag": '"one"'}
        return Response(b"few" if name == "few.js" else TEXT, headers=kept)

    app = Starlette(routes=[Route("/{folder}/{name}", answer)])
    return TestClient(Packed(app, later=0.0))


def raw(client: Any, path: str, **headers: str) -> tuple[Any, bytes]:
    with client.stream("GET", path, headers=headers) as response:
        return response, b"".join(response.iter_raw())


def later(client: Any, path: str) -> tuple[Any, bytes]:
    """The answer once the script is packed; the last one where it never is."""
    for _ in range(100):
        response, body = raw(client, path)
        if "content-encoding" in response.headers:
            break
        time.sleep(0.01)
    return response, body


def test_a_script_is_packed_once_and_unpacks_to_itself(client: Any) -> None:
    assert raw(client, "/static/a.js")[1] == TEXT
    response, body = later(client, "/static/a.js")
    assert len(body) == int(response.headers["content-length"]) < len(TEXT) / 3
    assert gzip.decompress(body) == TEXT
    assert response.headers["cache-control"] == "immutable"
    assert response.headers["etag"] == 'W/"one"'
    assert "accept-encoding" in response.headers["vary"].lower()


def test_who_cannot_unpack_asks_for_a_part_or_has_it_gets_no_packed_bytes(client: Any) -> None:
    later(client, "/static/a.js")
    for headers in ({"accept-encoding": "identity"}, {"range": "bytes=0-9"}):
        assert raw(client, "/static/a.js", **headers)[1] == TEXT
    response, body = raw(client, "/static/a.js", **{"if-none-match": '"one"'})
    assert (response.status_code, body) == (304, b"")


@pytest.mark.parametrize("path", ["/media/a.js", "/static/a.woff2", "/static/few.js"])
def test_what_is_small_or_no_script_goes_as_it_is(client: Any, path: str) -> None:
    raw(client, path)
    time.sleep(0.05)
    assert "content-encoding" not in raw(client, path)[0].headers


def test_a_page_names_plotlys_script_in_its_headers() -> None:
    async def answer(request: Any) -> Response:
        return Response(b"<html>", media_type=f"text/{request.path_params['kind']}")

    client = TestClient(Early(Starlette(routes=[Route("/{kind}", answer)])))
    link = client.get("/html").headers["link"]
    name = link[link.index("<") + 1 : link.index(">")]
    scripts = Path(streamlit.__file__).parent / "static"
    assert link.endswith("; rel=modulepreload; crossorigin") and (scripts / name).is_file()
    assert "link" not in client.get("/plain").headers


def test_a_page_says_where_the_app_begins_and_a_report_of_the_same_length_stays_as_made() -> None:
    page = PAGE.read_bytes()
    report = page.replace(b"Streamlit", b"a report.", 1)

    async def answer(request: Any) -> Response:
        body = page if request.url.path == "/ood" else report
        return Response(body, media_type="text/html", headers={"etag": '"one"'})

    client = TestClient(Address(Starlette(routes=[Route("/{name}", answer)])))
    for encodings, fewer in (("gzip", True), ("identity", False)):
        asked = {"accept": "text/html", "accept-encoding": encodings}
        told, kept = (client.get(path, headers=asked) for path in ("/ood", "/report"))
        assert told.content == page.replace(b"</head>", TOLD + b"</head>") != page
        assert (int(told.headers["content-length"]) < len(page)) == fewer
        assert "etag" not in told.headers
        assert kept.content == report and kept.headers["etag"] == '"one"'
