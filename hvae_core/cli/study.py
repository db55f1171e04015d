"""``study``: models x sets x scores x seeds by a TOML file, into tables and one page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from hvae_core.cli import show
from hvae_core.cli.options import DataOptions, Json, kept, option, whole
from hvae_core.common.errors import ConfigError
from hvae_core.common.files import make_folder, named_path, written

if TYPE_CHECKING:
    from hvae_core.studies.run import Place
    from hvae_core.studies.spec import StudySpec
    from hvae_core.studies.table import Figure, Table


@kept("Finished epochs and evaluations are kept; the same command continues from there.")
def study(
    file: Annotated[str, option("the study: a .toml file, or the name of one that ships")],
    /,
    *,
    out: Annotated[str | None, option("folder of the tables (studies/NAME)", "DIR")] = None,
    runs: Annotated[
        tuple[str, ...],
        option(
            "folder of runs DIR/s<seed>/<preset>/; the first one takes new runs, several may be "
            "given (default: runs/NAME)",
            "DIR",
        ),
    ] = (),
    limit: Annotated[int | None, whole(0, "images of each set at most; 0 for all")] = None,
    samples: Annotated[int | None, whole(1, "draws of every bound", "S")] = None,
    no_train: Annotated[bool, option("leave out what is not trained yet, and say so")] = False,
    dry_run: Annotated[bool, option("say what would be trained and computed, and stop")] = False,
    data: DataOptions = DataOptions(),
    as_json: Json = False,
) -> None:
    """Tables and a page of many models, sets, scores and seeds, by a TOML file.

    Train what is missing, evaluate, and write tables with the papers' printed figures beside them,
    a sentence where they differ much, and one page that opens offline.

    Examples:
      python -m hvae_core study glyphs
          from stored results alone, in seconds
      python -m hvae_core study inf-fashion-5 --data-root ~/images --dry-run
          what would be trained and computed, and for how long
      python -m hvae_core study inf-fashion-5 --data-root ~/images --limit 200
      python -m hvae_core study mine.toml --no-train --runs ~/runs

    A study names models (a checkpoint, or a preset with seeds), sets, scores and tables. Presets
    that are not trained yet are trained first, into DIR/s<seed>/<preset>/ (DIR: --runs, else
    runs/NAME); after Ctrl-C the same command continues. Evaluations come from stored results, from
    the cache, or are computed. Every table is written to studies/NAME/ (--out) as CSV and Markdown,
    and all of them, with charts, to report.html, one file that needs no network. assets/studies/
    has those of the papers' tables; their printed figures stand in a column of their own. A short
    one:

      title = "Two models on Glyphs"
      sets = ["lower", "digits"]
      [settings]
      limit = 500
      [[models]]
      checkpoint = "glyphs-hvae3-elbo"
      [[models]]
      preset = "glyphs-hvae3-freebits"
      seeds = [0, 1, 2]
      [[tables]]
      kind = "detection"     # grid, collapse, bits, layers, families, units, remedies, stability,
                             # samplers, compression, attacks
      key = "detection"
      title = "Lower case and digits against capital letters"
      scores = ["elbo", "llr_1"]
    """
    from hvae_core.config.family import counted
    from hvae_core.studies.make import make_table, settings
    from hvae_core.studies.run import Place, gather_all, train_missing
    from hvae_core.studies.spec import read_study

    data.check_steps()
    spec = _changed(read_study(file), limit, samples)
    folders = tuple(named_path(path, ConfigError) for path in runs or [Path("runs") / _name(spec)])
    place = Place(folders, data.data_root, data.download)
    if dry_run:
        _announce(spec, place, as_json=as_json, train=not no_train)
        return
    with show.progress_bar() as bar:
        if not no_train:
            train_missing(spec, place, bar, say=bar.line)
        subjects = gather_all(spec, place, bar, say=bar.line)
        about = _about(spec, file, limit=limit, samples=samples)
        tables = [
            replace(
                make_table(spec, table, subjects, place=place, bar=bar),
                about=about | settings(table, spec.settings.seed),
            )
            for table in spec.tables
        ]
    folder = named_path(out or Path("studies") / _name(spec), ConfigError)
    paths = write(folder, spec, tables)
    if as_json:
        show.as_json({"folder": str(folder), "tables": [_plain(table) for table in tables]})
        return
    for table in tables:
        _print(table)
    show.say(f"{paths[-1]}: {counted(len(tables), 'table')}, beside it as CSV and Markdown")


def _changed(study: StudySpec, limit: int | None, samples: int | None) -> StudySpec:
    """The study with settings from the command line."""
    settings = study.settings
    if limit is not None:
        settings = replace(settings, limit=limit)
    if samples is not None:
        settings = replace(settings, samples=samples, partial_samples=samples)
    return replace(study, settings=settings)


def _name(study: StudySpec) -> str:
    assert study.name is not None  # reading fills it in
    return study.name


def _about(
    study: StudySpec, file: str, *, limit: int | None, samples: int | None
) -> dict[str, str]:
    """What every table says of itself: date, machine, settings, and the command that makes it."""
    from hvae_core.common.machine import cores, processor

    s = study.settings
    images = f"at most {s.limit:,} images a set" if s.limit else "all images"
    options = "".join(
        f" --{name} {value}"
        for name, value in (("limit", limit), ("samples", samples))
        if value is not None
    )
    draws = s.evaluation
    others = {m.samples for m in study.models} - {None, s.samples}
    own = [
        f" (S = {n} for {'; '.join(m.title or m.name for m in study.models if m.samples == n)})"
        for n in sorted(filter(None, others))
    ]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "settings": f"{images}, S = {draws.samples} and {draws.partial_samples} for k > 0"
        f"{''.join(own)}, skipped layers pass a {draws.skipped} down and a {draws.up} up, "
        f"seed {draws.seed}",
        "hardware": f"{processor()}, {cores()} cores",
        "command": f"python -m hvae_core study {_shown(file)}{options}",
    }


def _shown(file: str) -> str:
    """A path as a table may show it: from here, or the name alone, no folders of this machine."""
    path = named_path(file, ConfigError).resolve()
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.name


def write(folder: Path, study: StudySpec, tables: Sequence[Table]) -> list[Path]:
    """Write every table as CSV and Markdown, and the page; the paths, the page's last."""
    from hvae_core.studies.page import page
    from hvae_core.studies.table import as_csv, markdown

    texts = {}
    for table in tables:
        texts[f"{table.key}.csv"] = as_csv(table)
        texts[f"{table.key}.md"] = markdown(table)
    texts["report.html"] = page(study, tables)
    make_folder(folder, ConfigError)
    for name, text in texts.items():
        with written(folder / name, ConfigError) as draft:
            draft.write_text(text, "utf-8", errors="replace", newline="")
    return [folder / name for name in texts]


def _print(table: Table) -> None:
    from hvae_core.studies.table import cells, header

    rows = [cells(table, row) for row in table.rows]
    show.table(table.title, header(table), rows, left=len(table.shown_heads))
    for remark in table.remarks:
        show.say(f"- {remark}")
    if table.remarks:
        show.say()


def _plain(table: Table) -> dict[str, Any]:
    """A table for programs; a figure that is not a number is None."""
    rows = [
        {
            **row.keys,
            "figures": {
                column.key: _figure(row.figures[column.key], column.factor)
                for column in table.columns
                if column.key in row.figures
            },
            "printed": dict(row.printed),
            "missing": row.reason,
            "checkpoints": list(row.checkpoints),
        }
        for row in table.rows
    ]
    plain = {"key": table.key, "kind": table.kind, "title": table.title, "rows": rows}
    return plain | {"remarks": list(table.remarks), "about": dict(table.about)}


def _figure(figure: Figure, factor: float) -> dict[str, float | None]:
    return {
        name: None if value is None or math.isnan(value) else value * factor
        for name, value in asdict(figure).items()
    }


def _announce(study: StudySpec, place: Place, *, train: bool, as_json: bool) -> None:
    """What a run would train and compute, and how long the training takes."""
    from hvae_core.studies.find import in_words, left_out, to_train, wanted
    from hvae_core.studies.run import evaluations_left

    missing = to_train(study, place.runs) if train else ()
    left, total = evaluations_left(study, place)
    if as_json:
        runs = [
            {"preset": run.model.preset, "seed": run.seed, "epochs": run.epochs - run.done,
             "seconds": None if math.isnan(run.seconds) else run.seconds}
            for run in missing
        ]  # fmt: skip
        show.as_json({"train": runs, "evaluations": total, "to_compute": left})
        return
    found = wanted(study, place.runs)
    for sentence in left_out(found):
        show.note(sentence)
    rows = [(run.what, "here", "-") for run in found if run.path is not None]
    rows += [
        (run.what, f"to train, {run.epochs - run.done} epochs", in_words(run.seconds))
        for run in missing
    ]
    if not train:
        rows += [(r.what, r.absent, "-") for r in found if r.path is None]
    show.table(f"Checkpoints of {_name(study)}", ("checkpoint", "state", "training"), rows, left=3)
    if missing:
        known = [run.seconds for run in missing if not math.isnan(run.seconds)]
        time = in_words(sum(known)) if known else in_words(math.nan)
        rest = f" for {len(known)} of them" if 0 < len(known) < len(missing) else ""
        show.say(f"Training: {len(missing)} runs; time by recorded speed{rest}: {time}.")
    show.say(f"Evaluations: {left} of {total} to compute, the others are here.")
