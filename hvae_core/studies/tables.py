"""The tables of a study, from the evaluations of its models: one function a kind.

Pure arithmetic on finished evaluations; all numbers are those of ``report`` and ``compare``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from hvae_core.common.errors import ScoreError
from hvae_core.detection.report import Report
from hvae_core.scores import get_score
from hvae_core.studies.compare import Line, compare
from hvae_core.studies.detection_tables import better, detection, grid
from hvae_core.studies.members import Subject
from hvae_core.studies.remedy_tables import remedies
from hvae_core.studies.rows import (
    MODEL,
    SET,
    TOP,
    Made,
    filled,
    reason_of,
    result_of,
    row_of,
    shown_sets,
)
from hvae_core.studies.spec import TableSpec
from hvae_core.studies.table import Column, Figure, Table
from hvae_core.studies.training_tables import stability


def make(spec: TableSpec, subjects: Sequence[Subject], sets: tuple[str, ...] = ()) -> Table:
    """The table that ``spec`` asks for (without printed figures), of the models it names.

    ``sets`` are the out-of-distribution sets where the table names none.
    """
    if sets and not spec.sets:
        spec = replace(spec, sets=(*(subject.inside for subject in subjects), *sets))
    chosen = [s for s in subjects if not spec.models or s.name in spec.models]
    heads, columns, rows = _KINDS[spec.kind](spec, chosen)
    if spec.columns and spec.kind != "grid":
        columns = _picked(columns, spec, bool(rows) and any(row.figures for row in rows))
    table = Table(
        spec.key,
        spec.kind,
        spec.title,
        heads=heads,
        columns=tuple(columns),
        rows=tuple(rows),
        source=spec.source,
        note=spec.note,
    )
    return replace(table, best=better(spec)) if spec.kind == "grid" else table


def _picked(columns: Sequence[Column], spec: TableSpec, known_k: bool) -> list[Column]:
    """The columns that a table names; those by k are only known where there are figures."""
    known = {column.key: column for column in columns}
    for key in spec.columns:
        if key not in known and known_k:
            raise ScoreError(f"Table {spec.key} has no column {key}; it has {', '.join(known)}.")
    return [known.get(key, Column(key, key)) for key in spec.columns]


def collapse(spec: TableSpec, subjects: Sequence[Subject]) -> Made:
    """KL, nats a unit and active units by layer on the in-distribution set (INF Table 14)."""
    columns = [
        Column("kl", "KL (nats)"),
        Column("kl_per_unit", "nats a unit", 4),
        Column("share", "share of KL (%)", 1, factor=100.0),
        Column("active", "active units", 0),
        Column("units", "units", 0),
    ]
    rows = []
    for subject in subjects:
        reports = _reports(subject)
        if not reports:
            rows.append(row_of(subject, reason_of(subject, subject.inside), layer=("", "")))
            continue
        for i, name in enumerate(reports[0].names):
            inside = [r.inside for r in reports]
            figures = {
                "kl": Figure.of([r.kl[i] for r in inside]),
                "kl_per_unit": Figure.of([r.kl_per_dim[i] for r in inside]),
                "share": Figure.of([r.kl[i] / (sum(r.kl) or math.nan) for r in inside]),
                "active": Figure.of([float(r.active_units[i]) for r in inside]),
                "units": Figure(float(reports[0].units[i])),
            }
            rows.append(filled(row_of(subject, layer=(str(i + 1), name)), figures))
    return MODEL | {"layer": "layer"}, columns, rows


def _reports(subject: Subject) -> list[Report]:
    return [m.report for m in subject.members if m.report is not None]


def bits(spec: TableSpec, subjects: Sequence[Subject]) -> Made:
    """Bits a dimension of L_>k (at 0 L^S) and of log p(x|z_>k) (HVK Table 1; INF Tables 4, 15)."""
    levels, rows = 0, []
    for subject in subjects:
        for name, title in shown_sets(subject, spec, inside=True):
            results = [r for m in subject.members if (r := result_of(m, name)) is not None]
            row = row_of(subject, reason_of(subject, name), set=(name, title))
            if not results:
                rows.append(row)
                continue
            levels = max(levels, len(results[0].nll_bits))
            # With several draws the best bound on log p(x) is the importance-weighted one (HVK 6).
            figures = {"bound_0": Figure.of([r.iw_bits[0] for r in results])}
            for k in range(len(results[0].nll_bits)):
                if k:
                    figures[f"bound_{k}"] = Figure.of([r.bound_bits[k] for r in results])
                figures[f"nll_{k}"] = Figure.of([r.nll_bits[k] for r in results])
            figures[f"bound_{TOP}"] = Figure.of([r.bound_bits[-1] for r in results])
            rows.append(filled(row, figures))
    asked = [int(key.rpartition("_")[2]) for key in spec.columns if key[-1:].isdigit()]
    levels = max([levels, *(k + 1 for k in asked)])
    columns = [Column("bound_0", "−log p(x) ≤", 3)]
    columns += [Column(f"bound_{k}", f"−L>{k}", 3) for k in range(1, levels)]
    columns += [Column(f"nll_{k}", f"−log p(x|z>{k})", 3) for k in range(levels)]
    if f"bound_{TOP}" in spec.columns:
        columns.append(Column(f"bound_{TOP}", "−L>L−1", 3))
    return MODEL | SET, columns, rows


def layers(spec: TableSpec, subjects: Sequence[Subject]) -> Made:
    """-log p(x|z_>k) and LLR_>k in nats, means by k (INF Table 13)."""
    columns = [Column("nll", "−log p(x|z>k) (nats)"), Column("llr", "LLR>k (nats)")]
    rows = []
    for subject in subjects:
        for name, title in shown_sets(subject, spec, inside=True):
            tables = [m.evaluations[name].table for m in subject.members if name in m.evaluations]
            if not tables:
                rows.append(
                    row_of(subject, reason_of(subject, name), set=(name, title), k=("", ""))
                )
                continue
            for k in range(tables[0].n_levels):
                figures = {"nll": Figure.of([float(t.nll[:, k].mean()) for t in tables])}
                if k:
                    ratio = get_score(f"llr_{k}", tables[0].n_levels)
                    figures["llr"] = Figure.of([float(ratio(t).mean()) for t in tables])
                row = row_of(subject, set=(name, title), k=(str(k), str(k)))
                rows.append(filled(row, figures))
    return MODEL | SET | {"k": "k"}, columns, rows


def families(spec: TableSpec, subjects: Sequence[Subject]) -> Made:
    """Size, likelihood, collapse, activity and speed, by ``compare``."""
    columns = [
        Column("parameters", "parameters", 0),
        Column("layers", "layers", 0),
        Column("seeds", "seeds", 0),
        Column("nll", "NLL (nats)", 1),
        Column("bits", "bits/dim", 3),
        Column("collapsed", "collapsed layers", 1),
        Column("active", "active units", 0),
        Column("units", "units", 0),
        Column("share", "active (%)", 1, factor=100.0),
        Column("step", "ms a step", 0, factor=1000.0),
        Column("epoch", "s an epoch", 0),
    ]
    rows = []
    for subject in subjects:
        found = [
            (m.info, m.evaluations[m.inside]) for m in subject.members if m.inside in m.evaluations
        ]
        row = row_of(subject, reason_of(subject, subject.inside))
        figures = _line(compare(found)[0]) | _epoch(subject) if found else {}
        rows.append(filled(row, figures) if found else row)
    _comparable(subjects)
    return MODEL, columns, rows


def _comparable(subjects: Sequence[Subject]) -> None:
    """Refuse models whose nats do not compare: of other images, settings or kinds of data."""
    found = [
        (m.info, m.evaluations[m.inside])
        for s in subjects
        for m in s.members
        if m.inside in m.evaluations
    ]
    if found:
        compare(found)


def _epoch(subject: Subject) -> dict[str, Figure]:
    """Seconds of the median epoch, where the history has them."""
    times = [m.info.history.get("seconds") for m in subject.members]
    medians = [float(np.median(seconds)) for seconds in times if seconds]
    return {"epoch": Figure.of(medians)} if medians else {}


def _line(line: Line) -> dict[str, Figure]:
    def figure(value: float, deviation: float | None = None) -> Figure:
        return Figure(float(value), deviation)

    active = line.active
    deviation = None if active.deviation is None else active.deviation / line.units
    return {
        "parameters": figure(line.parameters),
        "layers": figure(line.layers),
        "seeds": figure(line.seeds),
        "nll": figure(line.nll.mean, line.nll.deviation),
        "bits": figure(line.bits.mean, line.bits.deviation),
        "collapsed": figure(line.collapsed.mean, line.collapsed.deviation),
        "active": figure(active.mean, active.deviation),
        "units": figure(line.units),
        "share": figure(active.mean / line.units, deviation),
        "step": figure(line.seconds_a_step.mean, line.seconds_a_step.deviation),
    }


def units(spec: TableSpec, subjects: Sequence[Subject]) -> Made:
    """Layers, weights, NLL and the share of active units (DVP Eq. 23; Tables 2, 4, 5)."""
    heads, columns, rows = families(spec, subjects)
    kept = ("layers", "parameters", "seeds", "nll", "bits", "share")
    return heads, [column for column in columns if column.key in kept], rows


_KINDS: dict[str, Callable[[TableSpec, Sequence[Subject]], Made]] = {
    "detection": detection,
    "grid": grid,
    "collapse": collapse,
    "bits": bits,
    "layers": layers,
    "families": families,
    "units": units,
    "remedies": remedies,
    "stability": stability,
}
"""Tables from evaluations and histories alone; others are in ``make``."""
