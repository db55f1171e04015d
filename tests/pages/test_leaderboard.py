"""The leaderboard page: its claim is the first row's, and its ways lead on."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from hvae_core.common.words import interval
from hvae_core.figures import LIGHT
from hvae_core.figures.interval_bars import interval_bars
from tests.pages.conftest import LIMIT, Start, alive, text


def test_rows_of_a_suite(start: Start) -> None:
    app = alive(start("leaderboard", lb_suite="far"))
    rows, by_set = app.dataframe[0].value, app.dataframe[1].value
    best, *others = rows["AUROC"]
    level = rows["Against first, p"].str.startswith("level").sum()
    assert (best in app.title[0].value) == (level < 10)
    assert [float(area.split()[0]) for area in others] == sorted(
        (float(area.split()[0]) for area in others), reverse=True
    )
    assert "Means over Punctuation and signs" in text(app)  # of the tiny world's far sets alone
    assert list(by_set["Set"]) == ["Punctuation and signs"]
    made = [panel.code for _, panel in app.session_state["panels"].panels if panel.code]
    for code, shown in zip(made, (rows, by_set), strict=True):
        found: dict[str, Any] = {}
        sets = 'Sets(hv.worlds()["glyphs"]'  # those of the tests are small
        program = code.python.replace(sets, f"{sets}, None, {LIMIT}")
        exec(compile(program, "leaderboard", "exec"), found)
        told = found["table"][["AUROC", "low", "high"]].itertuples(index=False, name=None)
        assert [interval(*row) for row in told] == list(shown["AUROC"])


def test_bars_stand_on_one_axis() -> None:
    """From 0 to 1 on 112 units that begin at 4; what lies beyond stands at the end."""
    pictures = interval_bars(
        [(0.25, 0.5, 0.75), (0.9, 1.2, 1.3)], LIGHT, span=(0.0, 1.0), strong=[True, False]
    )
    first, second = (b64decode(picture.partition(",")[2]).decode() for picture in pictures)
    assert 'x="32.00" y="7" width="56.00"' in first and 'x1="60.00"' in first
    assert 'x1="116.00"' in second and LIGHT.in_color not in second
