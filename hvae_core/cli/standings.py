"""The tables of ``leaderboard``: the rows of a board, and below them what they rest on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.text import Text

from hvae_core.cli import show
from hvae_core.common.words import p_value

if TYPE_CHECKING:
    from hvae_core.data import World
    from hvae_core.detection.leaderboard.rows import Board, Mean, Spectrum, Standing, Worst


def by_spectrum(board: Board) -> Board:
    """The board in the order of full-spectrum AUROCs; rows that have none are left out."""
    known = [(row.spectrum.value, row) for row in board.standings if row.spectrum is not None]
    ranked = sorted(known, key=lambda one: -one[0])
    return replace(board, standings=tuple(row for _, row in ranked))


def table(world: World, board: Board, most: int, *, full_spectrum: bool = False) -> None:
    """One table of a world's board, its first rows; 0 for all.

    With ``full_spectrum`` its tests are shown in place of the plain ones, of a board in its order.
    """
    from hvae_core.data.suites import SUITES, suite_sets

    shifted = board.suite == "shifted"
    titles = {spec.name: spec.title for spec in world.sets}
    absent = [s.title for s in suite_sets(world, board.suite) if s.name not in board.sets]
    standings = board.standings
    if not standings:
        lacking, what = absent, ""
        if full_spectrum:
            lacking, what = [s.title for s in suite_sets(world, "shifted")], " of changed images"
        show.say(f"{world.title}, {board.suite}: no results{what} yet ({', '.join(lacking)}).\n")
        return
    # The first so many, and of each checkpoint of the user's own its best.
    own = {row.entry.digest: row for row in reversed(standings) if row.entry.own}
    rows = [
        [str(place), *_row(row, titles, shifted=shifted, full_spectrum=full_spectrum)]
        for place, row in enumerate(standings, start=1)
        if not most or place <= most or row is own.get(row.entry.digest)
    ]
    area = "reaction, 95 % interval" if shifted else "AUROC, 95 % interval"
    rates = ("flagged at 5 %",) if shifted else ("FPR95", "caught at 5 %", "full spectrum")
    heads = ("", "checkpoint", "score", area, "rank", *rates, "p, Holm", "least against -L")
    tested = [_tested(row, full_spectrum=full_spectrum) for row in standings]
    level = sum(one.level_with_first for one in tested)
    judged = [one.worst for one in tested if one.worst]
    never = sum(not worst.worse_on for worst in judged)
    changed = "; ".join(titles[name] for name in board.shifted)
    caption = [
        f"Means over {'; '.join(titles[name] for name in board.sets)}.",
        f"No results: {'; '.join(absent)}." if absent else "",
        f"In-distribution too in the full spectrum: {changed}." if changed else "",
        "Order, p and the last column are of the full spectrum." if full_spectrum else "",
        f"{len(standings)} rows; no test tells {level} of them from the first; {never} of "
        f"{len(judged)} are on no set certainly worse than -L.",
    ]
    title = f"{world.title}, {board.suite}: {SUITES[board.suite]}"
    show.table(title, heads, rows, left=3, caption=" ".join(filter(None, caption)))


def _tested(row: Standing, *, full_spectrum: bool) -> Standing | Spectrum:
    """What has the tests that are shown."""
    return row.spectrum if full_spectrum and row.spectrum else row


def _row(
    row: Standing, titles: dict[str, str], *, shifted: bool, full_spectrum: bool
) -> list[str | Text]:
    tested = _tested(row, full_spectrum=full_spectrum)
    p = tested.p_value
    style = "bold" if p is None or tested.level_with_first else ""
    plain, spectrum = ("", style) if full_spectrum else (style, "")
    means = [Text(_mean(row.caught, share=True)), Text(_mean(row.spectrum), spectrum)]
    return [
        row.entry.model + (" (own)" if row.entry.own else ""),
        row.entry.score.key,
        Text(f"{row.area:.3f} [{row.low:.3f}, {row.high:.3f}]", plain),
        f"{row.rank:.1f}",
        f"{100 * row.rate:.1f} %",
        *([] if shifted else means),
        Text("" if p is None else p_value(p), style),
        _against(tested.worst, titles),
    ]


def _mean(mean: Mean | None, *, share: bool = False) -> str:
    if mean is None:
        return "-"
    ends = (mean.value, mean.low, mean.high)
    value, low, high = (f"{100 * of:.1f}" if share else f"{of:.3f}" for of in ends)
    return f"{value} [{low}, {high}]" + " %" * share


def _against(worst: Worst | None, titles: dict[str, str]) -> str:
    if worst is None:
        return ""
    said = f"{worst.difference:+.3f} {titles[worst.set_name]}"
    return said + (f", worse on {len(worst.worse_on)} of {worst.sets}" if worst.worse_on else "")
