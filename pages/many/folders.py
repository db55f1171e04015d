"""Folders of many scored images, as the page opens them: from their summaries alone."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from hvae_core.common.errors import ConfigError
from hvae_core.common.far import Folder
from hvae_core.common.progress import Progress, silent
from hvae_core.detection.many.columns import job_of
from hvae_core.detection.many.fitted import incomparable, kept_fitted
from hvae_core.detection.many.layout import SUMMARY, Job
from hvae_core.detection.many.reference import HELD_OUT, held_out, kept_held_out
from hvae_core.detection.many.sketch import Sketch
from hvae_core.detection.many.summarise import is_whole, summarised
from hvae_core.detection.many.summary import FolderSummary, keep, stored
from pages.shared import jobs, ui


@dataclass(frozen=True, eq=False)
class Opened:
    """A folder with its job and summary; ``whole`` says that every part is in the summary."""

    folder: Folder
    job: Job
    summary: FolderSummary
    whole: bool


@dataclass(frozen=True, eq=False)
class Measure:
    """What images are held against: a title, and the ranks of every score."""

    title: str
    sketches: dict[str, Sketch]


def summarise_folder(given: str, *, progress: Progress = silent) -> None:
    """Make the summary of a folder, in a worker. Raises ``DataError`` where it cannot be kept."""
    folder = Folder.of(given)
    keep(folder, summarised(folder, progress))


def score_held_out(given: str, *, progress: Progress = silent) -> None:
    """Score the held-out images of a folder's model, in a worker."""
    held_out(Folder.of(given), progress=progress)


def opened(given: str) -> Opened | None:
    """A folder that someone named; None where its summary is yet to be made, which is offered."""
    folder = Folder.of(given)
    job = job_of(folder)
    summary = _summary(given, folder.state(SUMMARY), job)
    whole = summary is not None and is_whole(folder, summary)
    if not whole:
        name = jobs.name_of("summary", folder.root)
        more = "not yet read" if summary is None else "more parts than were read"
        note = ui.plain(f"{given}: {more}.")
        if jobs.asked(name, "Reading the parts", "Read all parts", note=note):
            jobs.submit(name, name, summarise_folder, given)
            st.rerun()
    return None if summary is None else Opened(folder, job, summary, whole)


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={Job: repr})
def _summary(given: str, state: str, job: Job) -> FolderSummary | None:
    """A stored summary, kept while its file is as it was."""
    return stored(Folder.of(given), job) if state else None


def against_folder(shown: Opened, given: str) -> Measure | None:
    """The images of another folder as the measure. Raises ``ConfigError`` for another model's."""
    other = opened(given)
    if other is None:
        return None
    if other.job.digest != shown.job.digest or other.job.settings != shown.job.settings:
        raise ConfigError(
            f"{given} was scored by another model or under other settings, so its scores cannot be "
            "a measure here; score it in the same way."
        )
    # A summary leaves out the images to which the densities of its own folder are fitted.
    not_alike = incomparable(kept_fitted(shown.folder), kept_fitted(other.folder))
    sketches = {
        key: one.sketch
        for key, one in other.summary.scores.items()
        if one.n and key not in not_alike
    }
    return Measure(other.job.source, sketches)


def against_held_out(shown: Opened) -> Measure | None:
    """The model's held-out images as the measure; None where they are yet to be scored."""
    held = kept_held_out(shown.folder, shown.job)
    if held is not None:
        return Measure(held.title, {key: Sketch.of(held.measure(key)) for key in held.scores})
    name = jobs.name_of("held-out", shown.folder.root, HELD_OUT)
    note = ui.plain(
        f"The held-out images of {shown.job.model}, by which a threshold is placed, are not yet "
        "scored."
    )
    if jobs.asked(name, "Scoring held-out images", "Score held-out images", note=note):
        jobs.submit(name, name, score_held_out, shown.folder.given)
        st.rerun()
    return None
