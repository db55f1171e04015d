"""The Lab: train a small hierarchy while you look, make a layer die, and bring it back."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.components.v2 import component

from hvae_core.checkpoint.library import own_checkpoints
from hvae_core.common import fingerprint
from hvae_core.common.deployment import MAX_CHECKPOINTS, public
from hvae_core.common.errors import CheckpointError
from hvae_core.config.lab import lab_presets
from hvae_core.training.lab.frame import look
from pages.lab import code, runs, stream, view, words
from pages.lab.knobs import PROBLEM, panel, tell
from pages.lab.runs import A, B, Run
from pages.shared import jobs, links, models, saving, ui
from pages.shared.state import colors
from pages.shared.visitor import visitor

PRESETS = lab_presets()
SPEEDS = {0: "as fast as it can", 100: "100 steps a second", 10: "10 steps a second"}
EVERY = 1.0  # seconds between two titles; the pictures move by themselves
KEEP = "keep-lab"
palette = colors()
_HERE = Path(__file__).parent
_mount = component(
    "strata_lab",
    js=(_HERE / "moving.js").read_text("utf-8"),
    css=(_HERE / "moving.css").read_text("utf-8"),
)


def _begin_chosen() -> None:
    if st.session_state["lab_preset"] in PRESETS:
        tell(runs.begin_preset, PRESETS[st.session_state["lab_preset"]])


def _play(all_runs: list[Run], playing: bool) -> None:
    for run in all_runs:
        tell(runs.change, run, playing=playing)


def _one_step(all_runs: list[Run]) -> None:
    for run in all_runs:
        tell(runs.change, run, playing=False, until=run.step + 1)


def _again(all_runs: list[Run]) -> None:
    for run in all_runs:
        tell(runs.again, run)


def _beside(run: Run) -> None:
    """A second run of the same seed and knobs, or none."""
    if st.session_state["lab_two"]:
        tell(runs.again, run)
        first = runs.find(A)
        if first is not None:
            tell(runs.begin, B, first.control)
    else:
        tell(runs.end, B)


def _pace(all_runs: list[Run]) -> None:
    for run in all_runs:
        tell(runs.change, run, pace=st.session_state["lab_pace"])


def _dot(all_runs: list[Run]) -> None:
    at = (float(st.session_state["lab_row"]), float(st.session_state["lab_column"]))
    for run in all_runs:
        tell(runs.change, run, dot=at)


def _mark(run: Run) -> str:
    """What stands in the address for this run: a page that is reloaded goes on with it."""
    return fingerprint.digest("lab-run", str(run.folder))[:12]


def current() -> list[Run]:
    """The visitor's runs; before the first there is one of a single step that waits for Play."""
    asked, known = links.arrived("preset"), runs.find(A)
    first = next(iter(PRESETS))
    reloaded = known is not None and links.arrived("run") == _mark(known)
    if asked in PRESETS and not reloaded:
        tell(runs.begin_preset, PRESETS[asked])
        links.absent("preset", "")
    elif asked and asked not in PRESETS:
        links.absent("preset", f"There is no preset {asked[:40]}; choose one of the list.")
    if runs.find(A) is None:
        tell(runs.begin_preset, PRESETS[first], playing=False, until=1)
    found = [run for run in map(runs.find, (A, B)) if run is not None]
    links.say("preset", found[0].control.preset)
    links.say("run", _mark(found[0]))
    return found


def head_controls(found: list[Run]) -> None:
    """Preset, play, step, reset, speed."""
    a = found[0]
    titles = {name: preset.title for name, preset in PRESETS.items()}
    followed = bool(a.control.run)
    st.session_state["lab_preset"] = a.control.preset if a.control.preset in titles else None
    st.selectbox(
        "Preset", list(titles), format_func=titles.__getitem__, key="lab_preset",
        on_change=_begin_chosen, index=None if followed else 0,
    )  # fmt: skip
    row = st.container(horizontal=True, vertical_alignment="bottom")
    playing = any(run.playing for run in found)
    row.button(
        "Pause" if playing else "Play", key="lab_play", on_click=_play, args=(found, not playing),
        icon=":material/pause:" if playing else ":material/play_arrow:", type="primary",
    )  # fmt: skip
    row.button(
        "One step", key="lab_step", on_click=_one_step, args=(found,), icon=":material/skip_next:",
        disabled=followed,
    )  # fmt: skip
    row.button(
        "Reset", key="lab_reset", on_click=_again, args=(found,), icon=":material/replay:",
        disabled=followed,
    )  # fmt: skip
    st.session_state["lab_pace"] = a.control.pace if a.control.pace in SPEEDS else 0
    row.selectbox(
        "Speed", list(SPEEDS), format_func=SPEEDS.__getitem__, key="lab_pace", on_change=_pace,
        args=(found,), width=190, disabled=followed,
    )  # fmt: skip
    st.session_state["lab_two"] = len(found) > 1
    row.toggle(
        "Two runs, same seed", key="lab_two", on_change=_beside, args=(a,), disabled=followed,
        help="A second run beside the first, from step 0 of both. Its knobs are its own.",
    )  # fmt: skip


def head(found: list[Run]) -> None:
    """The claim, which follows the runs while they go on."""
    active = any(run.active for run in found)

    @st.fragment(run_every=EVERY if active else None)
    def moving() -> None:
        now: list[Run] = []
        with ui.in_place():
            now = [run for run in map(runs.find, (A, B)) if run is not None]
            for run in now:
                look(run.folder)
            ui.header(words.claim(now[0] if now else None), words.subtitle(now))
            st.caption("  \n".join(words.state_line(run) for run in now))
            for run in now:
                _failed(run)
        stopped = active and not any(run.active for run in now)
        if stopped or _acted(now):
            st.rerun()  # the controls show how the runs are set

    moving()


def _acted(now: list[Run]) -> bool:
    """Whether a preset turned knobs since the controls were drawn."""
    acts = [len(run.control.acts) for run in now]
    before = st.session_state.setdefault("lab_acts", acts)
    st.session_state["lab_acts"] = acts
    return bool(before != acts)


def _failed(run: Run) -> None:
    if run.job is not None and run.job.error is not None:
        st.error(ui.plain(str(run.job.error)), icon=":material/error:")


def keeping(a: Run) -> None:
    """Make run A a checkpoint that every page opens."""
    if jobs.going_on(KEEP, "Keeping"):
        return
    job = jobs.current(KEEP)
    if job is not None and job.status == "done":
        digest, step = job.result()
        if st.session_state.get("lab_kept") != digest:
            st.session_state["lab_kept"] = st.session_state[models.OPENED] = digest
            st.rerun()
        st.success(f"Kept as of step {step:,}: it is in the list of models, and is model A.")
        ui.link("collapse", "See its layers")
    if st.button(
        "Keep", key="lab_keep", icon=":material/save:",
        help="Makes run A a checkpoint, as of the last full 25 steps; every page then opens it.",
    ):  # fmt: skip
        if public() and len(own_checkpoints(models.own_folder())) >= MAX_CHECKPOINTS:
            raise CheckpointError(
                f"You have {MAX_CHECKPOINTS} checkpoints here, which is the most; remove one first."
            )
        from hvae_core.training.lab.jobs import keep_lab

        digest = fingerprint.digest("keep-lab", str(a.folder), a.step)
        jobs.submit(KEEP, digest, keep_lab, str(a.folder), str(models.own_folder()))
        st.rerun()


def _place_of_dot(found: list[Run], chosen: Run) -> None:
    """Where the dot of light is, for those who cannot drag it."""
    st.markdown(f"**A dot of light, which is no {chosen.control.knobs.data.removesuffix('s')}**")
    st.session_state["lab_row"], st.session_state["lab_column"] = chosen.control.dot
    st.slider("Row", 0.0, 7.0, step=0.25, key="lab_row", on_change=_dot, args=(found,))
    st.slider("Column", 0.0, 7.0, step=0.25, key="lab_column", on_change=_dot, args=(found,))


def attaching() -> None:
    """Follow a training of the command line."""
    with st.expander("Follow a training on this machine", icon=":material/monitoring:"):
        path = st.text_input(
            "Its folder", key="lab_run", placeholder="runs/my-run",
            help="The folder of a `train` command; it is read again after every epoch.",
        )  # fmt: skip
        st.button(
            "Follow", key="lab_follow", on_click=lambda: tell(runs.follow, path.strip()),
            icon=":material/visibility:",
        )  # fmt: skip


def page() -> None:
    """Controls beside what they do."""
    found = current()
    problem = st.session_state.pop(PROBLEM, "")
    if problem:
        st.error(ui.plain(problem), icon=":material/error:")
    head(found)
    pictured, beside = st.columns([2, 1], gap="large")
    with pictured:
        head_controls(found)
        _mount(key="lab-moving", data={"address": stream.address(found, palette, owner=visitor())})
        view.units(found, palette)
        with st.container(horizontal=True):
            saving.csv_button(lambda: view.curve_table(found), "lab", "KL over steps (CSV)")
            code.say(found, palette)
    with beside, ui.in_place():
        if len(found) > 1:
            slot = st.segmented_control(
                "Knobs of run", [A, B], default=A, format_func=str.upper, required=True,
                key="lab_slot",
            )  # fmt: skip
            chosen = found[1] if slot == B else found[0]
        else:
            chosen = found[0]
        if not chosen.control.run:
            with ui.settings():
                panel(chosen)
                _place_of_dot(found, chosen)
            keeping(found[0])
        if not public():
            attaching()


page()
