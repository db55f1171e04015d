"""How much of the server's memory visitors' own sets may take: each visitor's, and all together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import streamlit as st

from hvae_core.common.deployment import ALL_SETS, MAX_SETS, MIB, memory_limit
from hvae_core.common.errors import DataError
from pages.shared.visitor import connected

_LINGERS = 180.0
"""Seconds for which the server may hold what a session had after it has ended."""


class Ledger:
    """Number and bytes of the sets that each session of each visitor holds."""

    def __init__(self, alive: Callable[[str], bool] = connected) -> None:
        self._alive = alive
        self._held: dict[str, dict[str, tuple[int, int, float]]] = {}
        self._lock = threading.Lock()

    def take(self, owner: str, session: str, number: int, *, size: int) -> None:
        """Note what a session will hold; ``DataError`` if that is too much, and nothing is noted.

        What the visitor's other tabs hold counts as well.
        """
        with self._lock:
            self._forget()
            others = [held for one, held in self._held.get(owner, {}).items() if one != session]
            if number + sum(count for count, _, _ in others) > MAX_SETS:
                raise DataError(
                    f"You have {MAX_SETS} sets here already, which is the most; "
                    "reload the page to be rid of them, and add fewer."
                )
            if size + sum(held for _, held, _ in others) > memory_limit():
                raise DataError(
                    f"Your sets would take more than {memory_limit() // MIB} MiB together; "
                    "choose fewer images, or reload the page to be rid of the others."
                )
            if size + self._of_all_but(owner, session) > ALL_SETS:
                raise DataError("The server holds as many sets as it can; try again later.")
            self._held.setdefault(owner, {})[session] = (number, size, time.monotonic())

    def _of_all_but(self, owner: str, session: str) -> int:
        every = [(one, *held) for one, of in self._held.items() for held in of.items()]
        return sum(held[1] for one, tab, held in every if (one, tab) != (owner, session))

    def _forget(self) -> None:
        """Drop the sessions that have ended and whose memory is free again."""
        now = time.monotonic()
        for owner, sessions in [*self._held.items()]:
            for session, (count, size, seen) in [*sessions.items()]:
                if self._alive(session):
                    sessions[session] = (count, size, now)
                elif now - seen > _LINGERS:
                    del sessions[session]
            if not sessions:
                del self._held[owner]


@st.cache_resource(show_spinner=False)
def ledger() -> Ledger:
    """The ledger of this server."""
    return Ledger()
