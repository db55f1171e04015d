"""Rows of a study's tables: what they are of, and why one is empty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hvae_core.detection.set_result import SetResult
from hvae_core.studies.members import Member, Subject
from hvae_core.studies.spec import TableSpec
from hvae_core.studies.table import Column, Figure, Row

NO_IMAGES = "images not on this machine"
MODEL, SET = {"model": "model"}, {"set": "set"}
TOP = "top"
"""In the place of k: all levels but the last skipped, whatever their number (INF Table 6)."""
Made = tuple[Mapping[str, str], Sequence[Column], Sequence[Row]]
"""Titles of the label columns, columns of figures, rows."""


def row_of(subject: Subject, reason: str = "", **more: tuple[str, str]) -> Row:
    """A row of a model; further keys come with their labels."""
    keys = {"model": subject.name} | {key: value for key, (value, _) in more.items()}
    labels = {"model": subject.title} | {key: label for key, (_, label) in more.items()}
    return Row(keys, labels, checkpoints=subject.digests, reason=subject.reason or reason)


def filled(row: Row, figures: Mapping[str, Figure]) -> Row:
    """The row with its figures."""
    return Row(row.keys, row.labels, figures, checkpoints=row.checkpoints)


def shown_sets(subject: Subject, spec: TableSpec, *, inside: bool) -> Iterator[tuple[str, str]]:
    """Names and titles of a model's sets that a table shows, in the order in which it names them.

    Where it names none, the in-distribution set comes first, then the others as in their world.
    """
    known = ((subject.inside,) if inside else ()) + subject.outside
    for name in dict.fromkeys(spec.sets or known):
        if name in known:
            yield name, subject.titles.get(name, name)


def reason_of(subject: Subject, name: str) -> str:
    """Why a set has no figures under any checkpoint of a model."""
    reasons = [m.missing[name] for m in subject.members if name in m.missing]
    return reasons[0] if reasons else ""


def because(row: Row, why: str) -> Row:
    """The row without figures, for its own reason or this one."""
    return Row(row.keys, row.labels, {}, checkpoints=row.checkpoints, reason=row.reason or why)


def result_of(member: Member, set_name: str) -> SetResult | None:
    """What a checkpoint says of a set; None where it has not seen it."""
    if member.report is None:
        return None
    return next((r for r in member.report.results if r.name == set_name), None)
