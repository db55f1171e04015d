"""Leaderboard: which checkpoint and score tells a world's near, far or shifted sets apart best."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from hvae_core.common.deployment import public
from hvae_core.common.places import COMMAND
from hvae_core.common.words import MINUS
from hvae_core.data.suites import SUITES, suite_sets
from hvae_core.data.worlds import Suite
from hvae_core.detection.leaderboard.entries import Joined
from hvae_core.detection.leaderboard.rows import Board, Standing
from pages.image import batch
from pages.image.subject import VIEWS
from pages.leaderboard import boards, claims, code, silent, tables
from pages.leaderboard.boards import Shown
from pages.ood.models import label
from pages.shared import command, links, panel, saving, ui
from pages.shared.controls import among, one_of, select
from pages.shared.state import colors, context

ctx = context()
EVERY = "every"
SPELLED = ("AUROC", "FPR95", "KL")
HELP = (
    "AUROC is the mean over the sets of the suite. Its 95 % interval is that of DeLong et al. 1988 "
    "for such a mean: the sets share their in-distribution images. FPR95 is the share of "
    "in-distribution images flagged where 95 % of a set are. Caught is the share of a set that is "
    "called out at 5 % false alarms, by held-out images. Each row is tested against the first of "
    "all rows on the same images, with Holm's correction for all rows; which row is first was "
    "chosen on these images too. More of a row stands below, where the row is chosen, and in the "
    f"files. The same figures as `{COMMAND} leaderboard`."
)
NEVER = (
    f"{MINUS}L is the plain likelihood. A score is certainly worse on a set on two conditions: its "
    f"AUROC lies below that of {MINUS}L of the same checkpoint, and a paired test finds p at most "
    "5 % after Holm's correction. All near and far sets are tested."
)


def controls(place: Shown) -> tuple[Suite, str, bool]:
    """The suite, the digest of one checkpoint or "" for all, and whether some rows are left out."""
    with ui.settings(horizontal=True):
        suite = one_of("Suite", list(SUITES), "near", key="lb_suite")
        names = {EVERY: "Every checkpoint", **place.titles}
        among("lb_checkpoint", names)
        chosen = select("Checkpoint", names, key="lb_checkpoint", width=320)
        only = st.toggle(
            f"Only scores that are never certainly worse than {MINUS}L", key="lb_never",
            bind="query-params", help=NEVER,
        )  # fmt: skip
    return suite, "" if chosen == EVERY else chosen, only


def table(
    shown: Shown, board: Board, checkpoint: str, *, kept: Sequence[int], only: bool
) -> Standing:
    """The rows at the places ``kept`` as a table; returns the chosen row, at first the first.

    With ``only`` the heading says how many these are.
    """
    heading = "All rows"
    frame = tables.of_board(board, shown.world, colors())
    if only:
        heading = f"{len(kept):,} of {len(frame):,} rows"
    st.subheader(heading, anchor=False, help=HELP)
    alt = "Scores and checkpoints from the best down, with intervals"
    name, made = (
        f"leaderboard-{board.suite}",
        code.rows(ctx, shown, board.suite, checkpoint, only=only),
    )
    columns = {
        "Place": st.column_config.NumberColumn(width=52),
        "Score": st.column_config.TextColumn(width=72),
        "Checkpoint": st.column_config.TextColumn(width=350),
        tables.BARS: tables.bars_column((row.low for row in board.standings), width=144),
        "AUROC": st.column_config.TextColumn(width=138),
        tables.RATE[board.suite]: st.column_config.NumberColumn(format="%.1f %%", width=70),
        tables.CAUGHT: st.column_config.NumberColumn(format="%.1f %%", width=90),
        tables.AGAINST: st.column_config.TextColumn(width=115),
    }
    panel.shown(name, alt, frame.iloc[kept].drop(columns=tables.BARS), made, columns=columns)
    event = st.dataframe(
        frame.iloc[kept],
        hide_index=True,
        height=min(38 + 35 * max(len(kept), 1), 460),
        key=f"lb_rows_{board.suite}",
        on_select="rerun",
        selection_mode="single-row",
        alt=alt,
        column_config=columns,
    )
    picked = [at for at in event["selection"]["rows"] if at < len(kept)]
    with st.container(horizontal=True):
        saving.csv_button(lambda: tables.numbers(board, kept), name, "Table (CSV)")
        saving.json_button(lambda: json.dumps({board.suite: board.to_dict(kept)}, indent=1), name)
        panel.offer(name, made)
    if told := silent.note(board, kept, shown.silent, {s.name: s.title for s in shown.world.sets}):
        panel.said(ui.plain(told), note=True)
    return board.standings[kept[picked[0]] if picked else (kept or [0])[0]]


def one_row(
    shown: Shown, board: Board, row: Standing, *, titles: dict[str, str], checkpoint: str
) -> None:
    """One row set by set, and the ways to the page that shows it."""
    st.subheader(f"{ui.plain(claims.name_of(row))}, set by set", anchor=False)
    st.caption(
        f"${row.entry.score.symbol}$, {row.entry.score.name} ({row.entry.score.citation}). "
        "A click on the left of a row above chooses it."
    )
    frame = tables.of_row(row, board, titles, colors())
    alt = "The chosen row on every set"
    made = code.one_row(ctx, shown, board.suite, checkpoint, row=row)
    columns = {
        tables.BARS: tables.bars_column((one.low for one in row.by_set.values()), width=144),
        tables.RATE[board.suite]: st.column_config.NumberColumn(format="%.1f %%"),
    }
    panel.shown("leaderboard-row", alt, frame.drop(columns=tables.BARS), made, columns=columns)
    st.dataframe(frame, hide_index=True, alt=alt, column_config=columns)
    shifted = [titles[name] for name in board.shifted]
    st.caption(ui.plain(tables.in_words(row, shifted, titles)))
    if (dead := silent.of_row(row, shown.silent)) is not None:
        st.caption(ui.plain(silent.in_words(row, dead, board, titles)))
    panel.offer("leaderboard-row", made)
    world = ctx.choices or ctx.world
    if row.entry.digest not in shown.choosable:
        st.caption("Open this checkpoint in the sidebar to see it on the other pages.")
        return
    there = {spec.name for spec in world.with_role("out", "control")}
    with st.container(horizontal=True):
        for name in row.by_set:
            if name in there:
                way_on(row, shown.choosable[row.entry.digest], name, titles[name])


def way_on(row: Standing, model: str, name: str, title: str) -> None:
    """A button that opens the page where a row's figures are, on its checkpoint and one set."""
    world = ctx.choices or ctx.world
    outs = f"out_{world.key}"
    chosen = list(dict.fromkeys([*st.session_state.get(outs, ()), name]))
    controls = {links.model_key("a", world): model, outs: chosen}
    if isinstance(row.entry.score, Joined):  # the verdict stands on the page One image
        many = controls | {"i_view": VIEWS[1], batch.KEY: name}
        if st.button(
            f"Judge {ui.plain(title)}", key=f"lb_on_{name}", icon=":material/arrow_forward:",
            type="tertiary", on_click=st.session_state.update, args=(many,),
        ):  # fmt: skip
            there = {"i_view": VIEWS[1], batch.KEY: title}
            st.switch_page("pages/image/page.py", query_params=there)
        return
    controls |= {"o_score": label(row.entry.score), "o_sets": [name]}
    if st.button(
        f"OOD detection: {ui.plain(title)}", key=f"lb_on_{name}", icon=":material/arrow_forward:",
        type="tertiary", on_click=st.session_state.update, args=(controls,),
    ):  # fmt: skip
        # Controls that were drawn before heed the session, the others the address.
        asked = {"o_score": label(row.entry.score), "o_sets": [ui.as_label(title)]}
        st.switch_page("pages/ood/page.py", query_params=asked)


def about(shown: Shown, titles: dict[str, str]) -> None:
    """Which sets stand in which suite and why, and how a checkpoint enters."""
    with st.expander("Which sets are near, far and shifted"):
        rows = [
            {"Suite": suite, "Set": titles[spec.name], "Why": spec.why,
             "Results": "yes" if spec.name in shown.evaluated else "not yet"}
            for suite in SUITES for spec in suite_sets(shown.world, suite)
        ]  # fmt: skip
        ui.table(pd.DataFrame(rows), "leaderboard-sets", "The sets of each suite")
        st.caption(
            "Near sets hold other classes in images like the world's own, far sets images of "
            "another kind; shifted ones show the world's own classes, changed (OpenOOD, Yang et "
            "al. 2022, Zhang et al. 2023)."
        )
    if not public():
        with st.expander("Enter a checkpoint of your own"):
            st.markdown("It is evaluated once on every set, and its row stands here from then on:")
            command.draw(f"{COMMAND} leaderboard --add FILE --world {shown.world.key}", "add")
            st.caption("FILE is a checkpoint, or FILE.py:NAME a network of your own.")


def empty(shown: Shown, suite: Suite) -> None:
    """The page where no checkpoint has results of the suite."""
    names = "; ".join(spec.title for spec in suite_sets(shown.world, suite))
    ui.header(
        f"No results yet on the {suite} sets of {ui.plain(shown.world.title)}",
        f"These sets are not evaluated: {ui.plain(names)}.",
    )
    if not public():
        st.markdown("This evaluates them once, some minutes for each set and checkpoint:")
        words = f"{COMMAND} leaderboard --world {shown.world.key} --suite {suite} --evaluate"
        command.draw(words, "evaluate")


head, sheet, body = st.container(), st.container(), st.container()
with body, st.spinner("Reading the stored results"):
    shown = boards.shown(ctx)
with sheet:
    suite, checkpoint, only = controls(shown)
with body, st.spinner("Ranking the scores"):
    board = boards.ranked(shown, suite, checkpoint)
kept = claims.kept(board, only=only)
titles = {spec.name: spec.title for spec in shown.world.sets}
with head:
    if board.standings:
        dead = bool(kept) and silent.of_row(board.standings[kept[0]], shown.silent) is not None
        title = claims.claim(board, kept, shown.world.title, alone=bool(checkpoint), dead=dead)
        ui.header(ui.plain(title), ui.plain(claims.look_for(board, kept)), spelled=SPELLED)
        absent = [
            spec.title for spec in suite_sets(shown.world, suite) if spec.name not in board.sets
        ]
        over = "; ".join(titles[name] for name in board.sets)
        lacking = f" Not evaluated yet: {'; '.join(absent)}." if absent else ""
        panel.said(ui.plain(f"Means over {over}.{lacking}"), "Sets", note=True)
    else:
        empty(shown, suite)
with body:
    if board.standings:
        with ui.in_place():
            row = table(shown, board, checkpoint, kept=kept, only=only)
            one_row(shown, board, row, titles=titles, checkpoint=checkpoint)
    with ui.in_place():
        about(shown, titles)
