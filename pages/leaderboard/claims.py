"""The words above the leaderboard: which of the rows shown leads, and what the rows are."""

from __future__ import annotations

from collections.abc import Sequence

from hvae_core.common.words import MINUS, area, interval
from hvae_core.detection.leaderboard.entries import Joined
from hvae_core.detection.leaderboard.rows import Board, Standing
from hvae_core.figures import symbol_text

MANY = 10
"""Rows that no test tells from the first, from which on none of them is called the best."""
SHIFTED = (
    "These images show what the model was trained on, changed. There is nothing to find in them: "
    "the first row reacts least. AUROC here is max(AUROC, 1 − AUROC), 0.5 for a score that does "
    "not see the change."
)
AMONG = f" among scores never certainly worse than {MINUS}L"


def kept(board: Board, *, only: bool) -> list[int]:
    """Places of the rows shown, from 0; ``only`` those certainly worse than -L on no set."""
    return [
        place
        for place, row in enumerate(board.standings)
        if not only or not (row.worst and row.worst.worse_on)
    ]


def name_of(row: Standing) -> str:
    """A row in words: its score and checkpoint."""
    own = " (own)" if row.entry.own else ""
    return f"{score_of(row)} under “{row.entry.title}”{own}"


def score_of(row: Standing) -> str:
    """What a row is of, in words: the symbol, or the name where the symbol runs into its index."""
    score = row.entry.score
    if isinstance(score, Joined):
        return "The verdict"
    return score.name if score.family == "kl" else symbol_text(score.symbol)


def claim(
    board: Board, shown: Sequence[int], world: str, *, alone: bool, dead: bool = False
) -> str:
    """The title, of the rows at the places ``shown``; ``alone`` where all are of one checkpoint.

    It says of which rows it is where some are left out, and of a ``dead`` layer that it is one.
    """
    if not shown:
        return f"Every score is certainly worse than {MINUS}L on a near or far set of {world}"
    rows = [board.standings[place] for place in shown]
    first = rows[0]
    who = score_of(first) if alone else name_of(first)
    if dead:
        who = who.replace(score_of(first), f"{score_of(first)}, a dead layer,", 1)
    told = interval(first.area, first.low, first.high)
    among = AMONG if len(rows) < len(board.standings) else ""
    if board.suite == "shifted":
        return f"{who} reacts least to changed images of {world}{among}: {told}"
    where = f"on the {board.suite} sets of {world}{among}: AUROC"
    # Each row is tested against the first of all: where this one is left out, none is called level.
    tested = first is board.standings[0]
    level = sum(row.level_with_first for row in rows) if tested else 0
    if level >= MANY:
        return f"{level + 1} scores are tied {where} up to {area(first.area)}"
    return f"{who} {'is best' if tested and not level else 'leads'} {where} {told}"


def look_for(board: Board, shown: Sequence[int]) -> str:
    """What a row is, which rows are shown, and what the bars are."""
    told = [SHIFTED] if board.suite == "shifted" else []
    told.append("Each row is one score of one checkpoint, the best first.")
    if len(shown) < len(board.standings):
        told.append(
            f"Shown are {len(shown):,} of {len(board.standings):,} rows: the scores that are "
            f"certainly worse than {MINUS}L on no near or far set."
        )
    level = sum(board.standings[place].level_with_first for place in shown)
    if 0 in shown:
        with_first = {0: "", 1: " and the row that no test tells from it"}.get(
            level, f" and the {level} rows that no test tells from it"
        )
        told.append(f"Blue is the first row{with_first}; grey rows are behind.")
        return " ".join(told)
    first = board.standings[0]
    told.append(
        f"{name_of(first)}, at {area(first.area)} the first of all rows, is left out; each row is "
        "tested against this first row."
    )
    blue = {0: "", 1: "Blue is the row that no test tells from the first; "}.get(
        level, f"Blue are the {level} rows that no test tells from the first; "
    )
    told.append(f"{blue}grey rows are behind." if blue else "Grey rows are behind the first.")
    return " ".join(told)
