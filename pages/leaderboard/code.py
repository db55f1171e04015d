"""The programs behind the tables of the leaderboard page."""

from __future__ import annotations

from hvae_core.data.worlds import Suite
from hvae_core.detection.leaderboard.rows import Standing
from pages.leaderboard.boards import Shown
from pages.shared import program
from pages.shared.program import Code, text
from pages.shared.state import Context


def rows(ctx: Context, shown: Shown, suite: Suite, chosen: str, *, only: bool) -> Code:
    """Every row of a suite; of the checkpoint with the digest ``chosen`` alone where one is.

    ``only`` those certainly worse than -L on no set, which the command line does not choose.
    """
    return program.code(
        ctx,
        f"The leaderboard of {shown.world.title}, {suite} sets",
        *_board(ctx, shown, suite, chosen),
        "rows = [",
        "    [place, row.entry.title, row.entry.score.key, row.area, row.low, row.high]",
        "    + [row.rank, row.rate, row.caught and row.caught.value]",
        "    + [row.spectrum and row.spectrum.value]",
        "    for place, row in enumerate(board.standings, start=1)",
        *(["    if not (row.worst and row.worst.worse_on)"] if only else []),
        "]",
        'names = ["place", "checkpoint", "score", "AUROC", "low", "high"]',
        'names += ["mean rank", "rate", "caught", "full spectrum"]',
        "table = pd.DataFrame(rows, columns=names)",
        uses=["import pandas as pd", *_USES, *_own_uses(shown, chosen)],
        shows="print(table)",
        command="" if only else _command(shown, suite, chosen),
    )


def one_row(ctx: Context, shown: Shown, suite: Suite, chosen: str, *, row: Standing) -> Code:
    """One row set by set."""
    found = f"({text(row.entry.digest)}, {text(row.entry.score.key)})"
    return program.code(
        ctx,
        f"{row.entry.score.key} of {row.entry.title} on every {suite} set of {shown.world.title}",
        *_board(ctx, shown, suite, chosen),
        f"wanted = {found}",
        "row = next(",
        "    one for one in board.standings if (one.entry.digest, one.entry.score.key) == wanted",
        ")",
        "rows = [",
        "    [name, one.auroc, one.low, one.high, one.rate, one.caught]",
        "    for name, one in row.by_set.items()",
        "]",
        'table = pd.DataFrame(rows, columns=["set", "AUROC", "low", "high", "rate", "caught"])',
        uses=["import pandas as pd", *_USES, *_own_uses(shown, chosen)],
        shows="print(table)",
        command=_command(shown, suite, chosen),
    )


_USES = (
    "from hvae_core.detection.leaderboard.entries import Model, board_sets, entries_of",
    "from hvae_core.detection.leaderboard.standings import boards",
    "from hvae_core.evaluation.sets import Sets",
)


def _own_uses(shown: Shown, chosen: str) -> list[str]:
    own = _own(shown, chosen)
    return ["from hvae_core.detection.leaderboard.own import own_entries"] if own else []


def _own(shown: Shown, chosen: str) -> bool:
    """Whether rows stand there that somebody added."""
    return chosen in shown.own if chosen else bool(shown.own)


def _board(ctx: Context, shown: Shown, suite: Suite, chosen: str) -> list[str]:
    """Lines that make ``board``."""
    handles = [one for one in shown.handles if chosen in ("", one.digest)]
    key = text(shown.world.key)
    return [
        program.named(handles),
        f"sets = board_sets(Sets(hv.worlds()[{key}]))",
        "entries, _ = entries_of([Model(model, title) for title, model in models], sets)",
        *(
            ["known = {model.digest for _, model in models}",
             f"entries += [one for one in own_entries({key}) if one.digest not in known]",
             *([f"entries = [one for one in entries if one.digest == {text(chosen)}]"]
               if chosen else [])]
            if _own(shown, chosen) else []
        ),
        f"(board,) = boards(entries, sets.world, [{text(suite)}])",
    ]  # fmt: skip


def _command(shown: Shown, suite: Suite, chosen: str) -> str:
    names = [program.name_of(one) for one in shown.handles if chosen == one.digest]
    return program.command(
        "leaderboard", *names, "--world", shown.world.key, "--suite", suite, "--rows", "0"
    )
