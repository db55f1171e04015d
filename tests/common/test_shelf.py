"""The shelf: what it finds again, for whom, for how long, and how much it holds."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from hvae_core.common import shelf
from hvae_core.common.shelf import EVERYONE, Kept


def thing(data: bytes, by: str = "me", title: str = "Ünïcode *.png") -> Kept:
    return Kept(hashlib.sha256(data).hexdigest(), title, by, data)


ONE = thing(b"one\n\0two")


def found(owner: str, kept: Kept) -> bool:
    return shelf.find((owner,), "pictures", kept.digest[:16]) is not None


def test_a_thing_is_found_whole_by_the_start_of_its_digest() -> None:
    assert shelf.keep("me", "pictures", ONE)
    for digits in (12, 16, 64):
        assert shelf.find(("other", "me"), "pictures", ONE.digest[:digits]) == ONE
    assert shelf.find(("me",), "sets", ONE.digest) is None


@pytest.mark.parametrize("start", ["", "0", ONE.digest[:11], "*" * 16, "../" * 6, "G" * 16])
def test_no_other_word_finds_anything(start: str) -> None:
    shelf.keep("me", "pictures", ONE)
    assert shelf.find(("me",), "pictures", start) is None


def test_nobody_finds_what_is_anothers_unless_it_is_for_everyone() -> None:
    shelf.keep("me", "pictures", ONE)
    assert not found("you", ONE)
    shelf.keep(EVERYONE, "pictures", ONE)
    assert shelf.find(("you", EVERYONE), "pictures", ONE.digest) == ONE
    shelf.drop(EVERYONE, "pictures", ONE.digest)
    assert shelf.find(("you", EVERYONE), "pictures", ONE.digest) is None


def test_a_damaged_thing_is_not_there() -> None:
    shelf.keep("me", "pictures", ONE)
    for damage in (b"", b"{}\n", b"[1]\nx", b"\xff\xfe\n"):
        (shelf.folder("me", "pictures") / ONE.digest).write_bytes(damage)
        assert not found("me", ONE)


@pytest.mark.parametrize("owner", ["", "..", "a/b", "x" * 65])
def test_an_owner_is_no_path(owner: str) -> None:
    with pytest.raises(ValueError, match="not a place"):
        shelf.folder(owner, "pictures")


def aged(owner: str, seconds: float) -> None:
    place = shelf.folder(owner, "pictures").parent
    os.utime(place, (time.time() - seconds,) * 2)


def test_a_visitors_things_go_a_day_after_the_last_visit_and_those_for_everyone_stay() -> None:
    for owner in ("gone", "here", EVERYONE):
        shelf.keep(owner, "pictures", ONE)
    for owner in ("gone", "here", EVERYONE):
        aged(owner, shelf.DAY + 60)
    aged("here", shelf.DAY - 60)
    shelf.prune()
    assert [found(owner, ONE) for owner in ("gone", "here", EVERYONE)] == [False, True, True]


def test_who_comes_back_after_a_day_finds_nothing_and_within_it_all() -> None:
    for owner in ("late", "soon"):
        shelf.keep(owner, "pictures", ONE)
    aged("late", shelf.DAY + 60)
    aged("soon", shelf.DAY - 60)
    for owner in ("late", "soon"):
        shelf.seen(owner)
        shelf.prune()
    assert not found("late", ONE) and found("soon", ONE)
    assert time.time() - shelf.folder("soon", "x").parent.stat().st_mtime < 600


def test_number_and_bytes_are_bounded_and_the_longest_unused_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    things = [thing(bytes([i]) * 1000) for i in range(5)]
    monkeypatch.setattr(shelf, "FILES", 3)
    for age, kept in enumerate(things[:3]):
        shelf.keep("me", "pictures", kept)
        path = shelf.folder("me", "pictures") / kept.digest
        os.utime(path, (time.time() - 100 + age,) * 2)
    assert found("me", things[0])  # used now
    shelf.keep("me", "pictures", things[3])
    assert [found("me", kept) for kept in things[:4]] == [True, False, True, True]
    monkeypatch.setattr(shelf, "BYTES", 1500)
    shelf.keep("me", "pictures", things[4])
    assert [found("me", kept) for kept in things] == [False, False, False, False, True]


def test_all_visitors_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "ALL_BYTES", 1500)
    for owner in ("a", "b"):
        shelf.keep(owner, "pictures", thing(b"x" * 1000))
    assert [found(owner, thing(b"x" * 1000)) for owner in ("a", "b")] == [False, True]


def test_a_folder_that_refuses_costs_the_link_alone(cache_folder: Path) -> None:
    cache_folder.mkdir()
    (cache_folder / "visitors").write_text("in the way")
    assert not shelf.keep("me", "pictures", ONE)
    assert not found("me", ONE)
    shelf.prune()
