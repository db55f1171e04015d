"""What the leaderboard page reads: boards from results at hand, kept without their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from hvae_core.common.cache import cache_dir
from hvae_core.data.worlds import Suite, World
from hvae_core.detection.leaderboard import own
from hvae_core.detection.leaderboard.entries import Entry, Model, board_sets, entries_of
from hvae_core.detection.leaderboard.rows import Board
from hvae_core.detection.leaderboard.standings import boards
from hvae_core.evaluation.sets import Sets
from pages.leaderboard.silent import Key, Silent, dead_layers, silent
from pages.shared import models
from pages.shared.state import Context
from pages.shared.store import SHOWN_LIMIT, Handle

_NOTHING = np.zeros(0)


@dataclass(frozen=True, eq=False)
class Shown:
    """What a world's leaderboard is of, before any row is ranked.

    ``titles`` are those of the checkpoints that have rows, by digest, and ``evaluated`` the sets
    that some of them has results of; ``own`` are the digests of those that the user added.
    ``choosable`` are the names, by digest, of those that other pages can show, ``handles`` what is
    known of them.
    """

    key: tuple[Any, ...]
    sets: Sets
    titles: dict[str, str]
    evaluated: frozenset[str]
    own: frozenset[str]
    choosable: dict[str, str]
    handles: tuple[Handle, ...]
    silent: Mapping[Key, Silent]
    """The rows that are the KL of a dead layer."""

    @property
    def world(self) -> World:
        """The world with its shifted sets."""
        return self.sets.world


def shown(ctx: Context) -> Shown:
    """What the leaderboard of the sidebar's world is of."""
    world = ctx.choices or ctx.world
    background = ctx.background.digest if ctx.background else ""
    handles = [h for h in models.choosable(world).values() if h.digest != background]
    sets = board_sets(Sets(world, ctx.data_root, SHOWN_LIMIT))
    digests = tuple(sorted(handle.digest for handle in handles))
    key = (world.key, digests, str(ctx.data_root), SHOWN_LIMIT, _state())
    titles, evaluated, added, dead = _rated(key, handles, sets)
    names = {handle.digest: handle.name for handle in handles}
    return Shown(key, sets, titles, evaluated, added, names, tuple(handles), dead)


def ranked(of: Shown, suite: Suite, checkpoint: str) -> Board:
    """The board of one suite; of the scores of one checkpoint where one is named."""
    return _board(of.key, suite, checkpoint, of.handles, of.sets)


def _state() -> tuple[float, ...]:
    """What changes whenever a result or a row is added."""
    folders = (cache_dir() / "evaluations", own.folder())
    return tuple(folder.stat().st_mtime if folder.is_dir() else 0.0 for folder in folders)


@st.cache_resource(max_entries=24, show_spinner=False)
def _rated(
    key: tuple[Any, ...], _handles: Sequence[Handle], _sets: Sets
) -> tuple[dict[str, str], frozenset[str], frozenset[str], dict[Key, Silent]]:
    """Titles by digest, sets that some entry has results of, digests that the user added, and KLs
    of dead layers.

    Small, and kept longer than the scores themselves.
    """
    entries = _entries(key, _handles, _sets)
    evaluated = frozenset(name for entry in entries for name in entry.values)
    titles = {entry.digest: entry.title for entry in entries}
    added = frozenset(entry.digest for entry in entries if entry.own)
    return titles, evaluated, added, silent(entries, dead_layers(_handles, _sets))


@st.cache_resource(max_entries=48, show_spinner=False)
def _board(
    key: tuple[Any, ...],
    suite: Suite,
    checkpoint: str,
    _handles: Sequence[Handle],
    _sets: Sets,
) -> Board:
    entries = _entries(key, _handles, _sets)
    chosen = [entry for entry in entries if checkpoint in ("", entry.digest)]
    return _slim(boards(chosen, _sets.world, [suite])[0])


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
