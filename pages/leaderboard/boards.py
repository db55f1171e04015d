"""What the leaderboard page reads: boards from results at hand, kept without their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from hvae_core.common.cache import cache_dir
from hvae_core.data.suites import SUITES
from hvae_core.data.worlds import Suite, World
from hvae_core.detection.leaderboard import own
from hvae_core.detection.leaderboard.entries import Entry, Model, board_sets, entries_of
from hvae_core.detection.leaderboard.rows import Board
from hvae_core.detection.leaderboard.standings import boards
from hvae_core.evaluation.sets import Sets
from pages.shared import models
from pages.shared.state import Context
from pages.shared.store import SHOWN_LIMIT, Handle

_NOTHING = np.zeros(0)


@dataclass(frozen=True, eq=False)
class Shown:
    """The boards of a world by suite, and the titles of the checkpoints that have rows by digest.

    ``choosable`` are the names, by digest, of those that other pages can show, ``handles`` what is
    known of them.
    """

    world: World
    boards: dict[Suite, Board]
    titles: dict[str, str]
    choosable: dict[str, str]
    handles: tuple[Handle, ...]


def shown(ctx: Context, checkpoint: str) -> Shown:
    """The boards of the sidebar's world; of the scores of one checkpoint where one is named."""
    world = ctx.choices or ctx.world
    background = ctx.background.digest if ctx.background else ""
    handles = [h for h in models.choosable(world).values() if h.digest != background]
    sets = board_sets(Sets(world, ctx.data_root, SHOWN_LIMIT))
    digests = tuple(sorted(handle.digest for handle in handles))
    key = (world.key, digests, str(ctx.data_root), SHOWN_LIMIT, _state())
    of_suites, titles = _boards(key, checkpoint, handles, sets)
    names = {handle.digest: handle.name for handle in handles}
    return Shown(sets.world, of_suites, titles, names, tuple(handles))


def _state() -> tuple[float, ...]:
    """What changes whenever a result or a row is added."""
    folders = (cache_dir() / "evaluations", own.folder())
    return tuple(folder.stat().st_mtime if folder.is_dir() else 0.0 for folder in folders)


@st.cache_resource(max_entries=24, show_spinner=False)
def _boards(
    key: tuple[Any, ...], checkpoint: str, _handles: Sequence[Handle], _sets: Sets
) -> tuple[dict[Suite, Board], dict[str, str]]:
    entries = _entries(key, _handles, _sets)
    chosen = [entry for entry in entries if checkpoint in ("", entry.digest)]
    found = boards(chosen, _sets.world, list(SUITES))
    return {board.suite: _slim(board) for board in found}, {e.digest: e.title for e in entries}


@st.cache_resource(max_entries=2, show_spinner=False)
def _entries(key: tuple[Any, ...], _handles: Sequence[Handle], _sets: Sets) -> list[Entry]:
    """Every score of every image: some ten megabytes, so that only the last worlds are kept."""
    found, _ = entries_of([Model(handle, handle.title) for handle in _handles], _sets)
    known = {handle.digest for handle in _handles}
    return [*found, *(e for e in own.own_entries(_sets.world.key) if e.digest not in known)]


def _slim(board: Board) -> Board:
    rows = (
        replace(row, entry=replace(row.entry, inside=_NOTHING, values={}))
        for row in board.standings
    )
    return replace(board, standings=tuple(rows))
