"""Progress of parts is that of the whole."""

from __future__ import annotations

from hvae_core.common.progress import part


def test_parts_of_parts_add_up() -> None:
    told: list[tuple[float, str]] = []
    whole = part(lambda fraction, message: told.append((fraction, message)), 1, 4, where="2 of 4")
    whole(0.5, "half")
    part(whole, 2, 3)(1.0, "last")
    whole(7.0, "too much")  # a part never runs into the next one
    assert told == [(0.375, "half (2 of 4)"), (0.5, "last (2 of 4)"), (0.5, "too much (2 of 4)")]
