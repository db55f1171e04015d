"""The leaderboard page: its claim is the first row's, and its ways lead on."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import Any

import numpy as np

from hvae_core.common.words import interval
from hvae_core.detection.leaderboard.entries import VERDICT, Entry
from hvae_core.detection.leaderboard.rows import Board, Standing, Worst
from hvae_core.figures import LIGHT
from hvae_core.figures.interval_bars import interval_bars
from hvae_core.scores import get_score
from pages.leaderboard import claims, silent, tables
from tests.pages.conftest import LIMIT, Start, alive, text


def test_rows_of_a_suite(start: Start) -> None:
    app = alive(start("leaderboard", lb_suite="far"))
    rows, by_set = app.dataframe[0].value, app.dataframe[1].value
    best, *others = rows["AUROC"]
    level = rows["Against first, p"].str.startswith("tied").sum()
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


def test_files_and_program_hold_the_rows_shown(start: Start) -> None:
    app = alive(start("leaderboard", lb_suite="far", lb_never="true"))
    (code, _) = [panel.code for _, panel in app.session_state["panels"].panels if panel.code]
    assert "if not (row.worst and row.worst.worse_on)" in code.python and not code.command
    board = three()
    kept = claims.kept(board, only=True)
    assert [row["place"] for row in board.to_dict(kept)["rows"]] == [2]
    assert list(tables.numbers(board, kept)["place"]) == [2]
    assert list(tables.numbers(board, range(3))["score"]) == ["verdict", "llr_1", "elbo"]
    assert [row["place"] for row in board.to_dict()["rows"]] == [1, 2, 3]


def test_bars_stand_on_one_axis() -> None:
    """From 0 to 1 on 112 units that begin at 4; what lies beyond stands at the end."""
    pictures = interval_bars(
        [(0.25, 0.5, 0.75), (0.9, 1.2, 1.3)], LIGHT, span=(0.0, 1.0), strong=[True, False]
    )
    first, second = (b64decode(picture.partition(",")[2]).decode() for picture in pictures)
    assert 'x="32.00" y="7" width="56.00"' in first and 'x1="60.00"' in first
    assert second.count('x1="116.00"') == 2 and LIGHT.in_color not in second


def standing(score: str, area: float, p: float | None, *, worse: bool, title: str) -> Standing:
    """A row with an interval of 0.01 on either side, certainly worse than -L on one set or none."""
    rated = VERDICT if score == VERDICT.key else get_score(score, 3)
    return Standing(
        Entry("model", title, title, rated, np.zeros(0), {}, {}), area, area - 0.01, area + 0.01,
        rank=1, rate=0, p_value=p, by_set={},
        worst=Worst(-0.1, -0.2, -0.05, "a", worse_on=("a",) if worse else (), sets=2),
    )  # fmt: skip


TITLE = "Glyphs, vampPrior of 50, LVAE"


def three(suite: Any = "near", p: float = 0.5, *, first_worse: bool = True) -> Board:
    """The first row, one that ``p`` tells from it or not, and one that is level and worse."""
    rows = (
        standing(VERDICT.key, 0.9, None, worse=first_worse, title=TITLE),
        standing("llr_1", 0.8, p, worse=False, title="Glyphs, Plain"),
        standing("elbo", 0.7, 0.5, worse=True, title="Glyphs, Plain"),
    )
    return Board(suite, ("a",), rows)


def said(board: Board, *, only: bool, alone: bool = False) -> tuple[str, str]:
    kept = claims.kept(board, only=only)
    return claims.claim(board, kept, "Glyphs", alone=alone), claims.look_for(board, kept)


def test_title_and_sentence_are_of_the_rows_shown() -> None:
    title, sentence = said(three(), only=True)
    among = "among scores never certainly worse than −L"
    assert title == (
        f"LLR>1 under “Glyphs, Plain” leads on the near sets of Glyphs {among}: "
        "AUROC 0.800 [0.790, 0.810]"
    )
    assert "Shown are 1 of 3 rows" in sentence
    left_out = f"The verdict under “{TITLE}”, at 0.900 the first of all rows, is left out"
    assert left_out in sentence and "Blue is the row that no test tells from the first" in sentence
    _, behind = said(three(p=0.01), only=True)
    assert (
        left_out in behind and "Grey rows are behind the first." in behind and "Blue" not in behind
    )
    title, _ = said(three("shifted"), only=True, alone=True)
    assert title.startswith(f"LLR>1 reacts least to changed images of Glyphs {among}: ")


def test_the_first_row_is_best_of_those_shown_alone() -> None:
    """A row that is level with it but left out takes no title from it."""
    board = three(p=0.01, first_worse=False)
    title, sentence = said(board, only=True)
    assert title.startswith(f"The verdict under “{TITLE}” is best on the near sets of Glyphs among")
    assert "Shown are 2 of 3 rows" in sentence and "Blue is the first row; grey" in sentence
    title, sentence = said(board, only=False)
    assert title == (
        f"The verdict under “{TITLE}” leads on the near sets of Glyphs: AUROC 0.900 [0.890, 0.910]"
    )
    assert "Shown" not in sentence and "the first row and the row that no test" in sentence
    many = Board("near", ("a",), (*board.standings[:2], *board.standings[2:] * claims.MANY))
    assert said(many, only=False)[0].startswith("11 scores are tied on the near sets of Glyphs: ")
    assert "is best" in said(many, only=True)[0]


def test_a_row_of_ones_own_is_marked_behind_its_title() -> None:
    row = standing("elbo", 0.9, None, worse=False, title=TITLE)
    assert claims.name_of(replace(row, entry=replace(row.entry, own=True))) == (
        f"−L under “{TITLE}” (own)"
    )


def test_a_dead_layer_among_the_first_is_called_one() -> None:
    """With its nats; where it reacts to a set after all, no word says that it reacts to none."""
    board = three()
    dead, full, other = (replace(board.standings[0].entry, score=s, digest=d) for s, d in (
        (get_score("kl_z3", 3, ("z1", "z2", "z3")), "a"),
        (get_score("kl_z1", 3, ("z1", "z2", "z3")), "a"),
        (get_score("elbo", 3), "a"),
    ))  # fmt: skip
    quiet = replace(dead, inside=np.full(4, 0.02), values={"lower": np.full(4, 0.03)})
    loud = replace(full, inside=np.full(4, 5.0), values={"lower": np.full(4, 9.0)})
    dead_ones = {("a", "kl_z3"), ("b", "kl_z1")}
    known = silent.silent([quiet, loud, replace(other, inside=np.zeros(4))], dead_ones)
    assert list(known) == [("a", "kl_z3")]
    first, *rest = board.standings
    board = replace(board, sets=("lower",), standings=(replace(first, entry=quiet), *rest))
    titles = {"lower": "Lower-case letters"}
    told = silent.note(board, [0, 1, 2], known, titles)
    assert told.startswith("The row at place 1 is the KL of z3, a dead layer: 0.0200 nats on")
    assert "at most 0.0300 nats on a set (Lower-case letters)" in told
    assert not silent.note(board, [1, 2], known, titles)
    shifted = silent.note(replace(board, suite="shifted"), [0], known, titles)
    assert "reacts least comes first" in shifted and "reacts least" not in told
    awake = {("a", "kl_z3"): replace(known["a", "kl_z3"], by_set={"lower": 21.0})}
    assert "reacts least" not in silent.note(replace(board, suite="shifted"), [0], awake, titles)
    assert "z3 is dead" in silent.in_words(board.standings[0], known["a", "kl_z3"], board, titles)
    claim = claims.claim(board, [0, 1, 2], "Glyphs", alone=True, dead=True)
    assert claim.startswith("KL of layer z3, a dead layer,")
