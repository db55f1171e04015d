"""The map of many points: the bytes that its script reads, what comes back, and its pictures."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from streamlit.testing.v1 import AppTest

from hvae_core.figures import LIGHT
from pages.latents import cloud
from pages.latents.points import Points, row_of
from pages.shared import album, current


def points(n: int = 5) -> Points:
    return Points(
        "d",
        np.zeros((n, 2), np.float32),
        np.arange(n) % 2,
        set_names=("in", "out"),
        indices=np.arange(n) + 70_000,
        classes=("b", "", "a", "b", "ü")[:n],
        files=("",) * n,
    )


def shown(**more: Any) -> cloud.Shown:
    coords = np.arange(10, dtype=np.float32).reshape(5, 2)
    return cloud.Shown(coords, "p", ("x", "y"), ("In", "Out"), "set", "A map", **more)


def unpacked(block: bytes) -> dict[str, Any]:
    """What the script makes of the bytes: a head, and arrays where the head says."""
    length = int.from_bytes(block[:4], "little")
    head = json.loads(block[4 : 4 + length])
    for name, kind, start, count in head["arrays"]:
        assert start % 8 == 0
        head[name] = np.frombuffer(block, f"<{kind}", count, start)
    return head


def test_the_bytes_hold_every_array() -> None:
    look = shown(groups=points().sets, names=("In", "Out"), colors=("#000000", "#FFFFFF"))
    found = unpacked(cloud.packed(points(), look, LIGHT, address=None))
    np.testing.assert_array_equal(found["xy"], np.arange(10))
    np.testing.assert_array_equal(found["groups"], [0, 1, 0, 1, 0])
    np.testing.assert_array_equal(found["indices"], np.arange(5) + 70_000)
    assert [found["classes"][label] for label in found["labels"]] == ["b", "", "a", "b", "ü"]
    assert found["palette"] == ["#000000", "#FFFFFF"]
    assert "files" not in found and found["album"] is None


def test_the_ring_is_round_the_current_image_where_it_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ctx: Any = None
    for spot, row in ((("out", 70_003), 3), (("out", 70_002), None), (("else", 70_003), None)):
        monkeypatch.setattr(current, "now", lambda _, spot=spot: spot)
        assert row_of(ctx, points()) == row
    found = cloud.packed(points(), shown(values=np.ones(5)), LIGHT, address=None, current=3)
    assert unpacked(found)["current"] == 3


def test_a_score_becomes_a_place_on_the_scale() -> None:
    values = np.array([-1.0, 0.0, 1.0, np.nan, np.inf], np.float32)
    found = unpacked(cloud.packed(points(), shown(values=values, title="LLR"), LIGHT, address=None))
    share = found["values"]
    assert np.isfinite(share).all() and share.min() >= 0 and share.max() <= 1
    assert share[0] < share[1] < share[2] == share[4]
    np.testing.assert_array_equal(found["raw"], values)
    assert found["scale"]["title"] == "LLR" and len(found["palette"]) == 64


@pytest.mark.parametrize(
    ("state", "rows"),
    [
        ({"picked": {"points": "d", "rows": [3, 1, 3]}}, [1, 3]),
        ({"picked": {"points": "other", "rows": [1]}}, []),
        ({"picked": {"points": "d", "rows": [5, -1, "1", 1.0, True, None]}}, []),
        ({"picked": {"points": "d", "rows": "12"}}, []),
        ({"picked": [1]}, []),
        (None, []),
    ],
)
def test_what_a_browser_says_is_not_trusted(state: Any, rows: list[int]) -> None:
    assert cloud.rows_of(state, points()) == rows


def asked(address: str, rows: str) -> Response:
    token = address.rpartition("/")[2]
    scope = {"type": "http", "query_string": f"rows={rows}".encode(), "headers": []}
    return album.answer(Request(scope | {"path_params": {"token": token}}))


def test_pictures_are_had_by_their_address_alone() -> None:
    address = album.address(
        "test", 40, lambda rows: np.uint8(rows)[:, None, None, None] + np.zeros((1, 1, 2, 3), "u1")
    )
    assert album.address("test", 40, lambda rows: rows) == address
    sheet = np.asarray(Image.open(io.BytesIO(bytes(asked(address, "7,39,0").body))).convert("L"))
    assert sheet.shape == (2, 9)
    assert sheet[0, ::3].tolist() == [7, 39, 0]
    assert asked(address, ",".join(["1"] * album.MOST)).status_code == 200
    for rows in ("40", "-1", "x", "", "1,", ",".join(["1"] * (album.MOST + 1))):
        assert asked(address, rows).status_code == 404
    assert asked("_strata/pictures/guess", "1").status_code == 404


def test_old_albums_are_let_go() -> None:
    first = album.address("first", 1, lambda rows: np.zeros((len(rows), 1, 1, 1), np.uint8))
    assert asked(first, "0").status_code == 200
    for i in range(8):
        album.address(f"later {i}", 1, lambda rows: rows)
    assert asked(first, "0").status_code == 404


def test_the_page_on_which_frames_are_counted_draws_its_map() -> None:
    maps_page = Path(__file__).parents[1] / "benchmarks" / "map_page.py"
    test = AppTest.from_file(maps_page, default_timeout=60)
    test.query_params["n"] = str(cloud.ABOVE + 1)
    test.run()
    assert not test.exception
    assert test.markdown[-1].value == "taken `0`"
