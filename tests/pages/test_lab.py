"""The Lab's page: presets by link, knobs that reach the run, runs that survive a reload."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from starlette.requests import Request
from starlette.responses import Response

from hvae_core.config.lab import STEPS, Act, Control, Knobs, first_control, lab_presets
from hvae_core.figures import LIGHT
from hvae_core.models import model_from_config
from hvae_core.training.lab import again as lab_again
from hvae_core.training.lab.again import LabCurves
from hvae_core.training.lab.first import shipped_frame
from hvae_core.training.lab.frame import write_frame
from hvae_core.training.lab.scene import Scene
from pages.lab import runs, stream
from pages.lab import words as words_of
from pages.shared import jobs
from tests import coroutines
from tests.pages.conftest import Start, alive, run_codes, text
from tests.small import tiny_set


class Table:
    """Runs that are started and never go on."""

    def __init__(self) -> None:
        self.jobs: dict[str, Any] = {}

    def submit(self, name: str, digest: str, fn: Any, *args: Any) -> Any:
        job = SimpleNamespace(active=True, status="running", error=None, fn=fn, args=args)
        self.jobs[name] = job
        return job

    def current(self, name: str) -> Any:
        return self.jobs.get(name)

    def forget(self, digest: str) -> None:
        pass

    def cancel(self, name: str) -> None:
        self.jobs.pop(name, None)


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    found = Table()
    monkeypatch.setattr(runs, "_table", lambda: found)
    return found


def seen(run: runs.Run, step: int = 2 * STEPS) -> None:
    """A frame as the run would write it."""
    model = model_from_config(run.control.knobs.model())
    scene = Scene(tiny_set(80), tiny_set(96, seed=1))
    about = {"step": step, "rate": 300.0, "names": [s.name for s in model.latents],
             "counted": "step", "images": "Bars",
             "began": {**vars(run.control.knobs), "beta": 1.0}, "turned": [[5, {"beta": 2.0}]],
             }  # fmt: skip
    frame = scene.frame(model, about, run.control.dot)
    kl = np.tile([2.0, 0.01, 0.004][: model.n_layers], (4, 1))
    write_frame(run.folder, replace(frame, steps=np.arange(4), kl=kl, loss=np.ones(4)))


def frame_of(run: runs.Run, **asked: str) -> Response:
    """What the server answers a browser that asks for the next frame."""
    token = stream.address([run], LIGHT, owner="a").rpartition("/")[2]
    scope = {"type": "http", "path_params": {"token": token}, "query_string": urlencode(asked)}
    answers: list[Response] = []

    async def ask() -> None:
        answers.append(await stream.answer(Request(scope)))

    coroutines.run(ask())
    return answers[0]


def test_a_link_starts_a_preset_and_the_title_says_what_died(
    start: Start, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "visitor", lambda: "a" * 32)
    app = alive(start("lab", preset="free-bits"))
    assert {name.partition(":")[2] for name in table.jobs} == {"lab-a", "lab-b"}
    assert app.query_params["preset"] == "free-bits"
    assert lab_presets()["free-bits"].look in text(app)
    # The page's own address finds the run again; another's link starts one.
    run, there = runs.find("a"), {key: values[0] for key, values in app.query_params.items()}
    alive(start("lab", **there))
    assert runs.find("a") == run
    alive(start("lab", preset="free-bits", run="0" * 12))
    assert runs.find("a") != run


def test_the_title_has_the_figures_at_the_ends_of_the_lines() -> None:
    kl = np.array([[2.0, 0.5], [1.0, 0.3]])
    frame = SimpleNamespace(kl=kl, now=kl.mean(0), about={"names": ["z1", "z2"], "counted": "step"})
    run: Any = SimpleNamespace(frame=frame, step=40, active=False)
    assert words_of.claim(run) == "At step 40 every layer speaks: z1 1.00, z2 0.300 nats"


def test_the_next_visitor_sees_the_first_picture_of_the_same_network_at_once(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_first", {})
    monkeypatch.setattr(runs, "shipped_frame", lambda control: None)
    first, other = [*lab_presets().values()][:2]

    def arrived(number: int, preset: Any = first, **more: Any) -> runs.Run:
        monkeypatch.setattr(runs, "visitor", lambda: f"{number}" * 32)
        runs.begin_preset(preset, **{"playing": False, "until": 1} | more)
        run = runs.find("a")
        assert run is not None and run.active  # its own process makes what follows
        return run

    run = arrived(1)
    assert run.frame is None
    seen(run, step=2)
    runs.read("a", run.folder)
    assert arrived(2).frame is None  # what the other visitor saw was no longer the first
    seen(run, step=1)
    shown = runs.read("a", run.folder)
    again = arrived(3)
    assert again.step == 1
    np.testing.assert_array_equal(again.frame.samples, shown.frame.samples)  # type: ignore[union-attr]
    for run in (arrived(4, seed=1), arrived(5, other), arrived(6, playing=True, until=0)):
        assert run.frame is None
    # What the Lab begins with ships: the first visitor sees it too.
    monkeypatch.setattr(runs, "_first", {})
    monkeypatch.setattr(runs, "shipped_frame", shipped_frame)
    run = arrived(7)
    assert run.step == 1 and run.control == first_control()


def test_a_run_that_began_anew_with_other_knobs_turns_none_by_itself(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "visitor", lambda: "a" * 32)
    preset = lab_presets()["free-bits"]

    def words(step: int) -> str:
        run = runs.find("a")
        assert run is not None
        return words_of.from_preset(
            SimpleNamespace(slot="a", control=run.control, step=step), preset
        )

    runs.begin_preset(preset)
    assert words(0) == ""
    runs.turn(runs.find("a"), "depth", 4)  # type: ignore[arg-type]
    last = max(act.step for act in preset.acts)
    assert words(0) == words(last + 500) == "layers 4, no knob is turned by itself"


def test_knobs_reach_the_run_and_the_view_follows(
    start: Start, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "visitor", lambda: "a" * 32)
    app = alive(start("lab", preset="top-dies"))
    run = runs.find("a")
    assert run is not None and run.active
    seen(run)
    # 1. What it shows.
    app = alive(app.run())
    assert app.title[0].value == f"At step {2 * STEPS} z2 and z3 say nothing yet"
    frame = runs.read("a", run.folder).frame  # type: ignore[union-attr]
    asked = []

    def train_again(*given: Any) -> LabCurves:
        asked.append(given)
        return LabCurves(tuple(frame.about["names"]), frame.steps, frame.kl, frame.loss)

    monkeypatch.setattr(lab_again, "train_again", train_again)
    assert run_codes(app, monkeypatch) == ["lab-kl"]
    assert asked == [(run.control.knobs, [Act(5, {"beta": 2.0})], 3)]
    answer = frame_of(run)
    assert answer.status_code == 200
    told = json.loads(bytes(answer.body))
    html = {part["name"]: part["html"] for part in told["parts"]}
    assert html["kl"].startswith("<svg") and {"loss", "latents-a", "pictures-a"} <= set(html)
    assert "above" in html["dot"] and told["dot"] == [3.5, 3.5]
    # What was seen is not sent again; a dot that is dragged reaches the run, nonsense does not.
    with monkeypatch.context() as short:
        short.setattr(stream, "PATIENCE", 0.0)
        assert frame_of(run, seen=told["seen"]).status_code == 204
    # Who asks before the next frame is there is answered by it.
    later = threading.Timer(0.1, seen, [run])
    later.start()
    answer = frame_of(run, seen=told["seen"])
    later.join()
    assert answer.status_code == 200 and json.loads(bytes(answer.body))["seen"] != told["seen"]
    assert frame_of(run, dot="1.25,6").status_code == 200
    assert runs.find("a").control.dot == (1.25, 6.0)  # type: ignore[union-attr]
    assert {frame_of(run, dot=bad).status_code for bad in ("9", "a,b", "1,-2")} == {404}
    # 2. What is turned while it runs reaches the run as it is; what cannot begins anew.
    app = alive(app.slider("lab_a_free_bits").set_value(1.0).run())
    now = runs.find("a")
    assert now is not None and now.control.knobs.free_bits == 1.0 and now.folder == run.folder
    assert "Changed from the preset: free bits 1. " in text(app)
    app = alive(app.button("lab_play").click().run())
    now = runs.find("a")
    assert now is not None and not now.control.playing
    app = alive(app.slider("lab_row").set_value(1.0).run())
    app = alive(app.button("lab_step").click().run())
    now = runs.find("a")
    assert now is not None and now.control.until == 2 * STEPS + 1 and now.control.dot[0] == 1.0
    kept: list[Any] = []
    monkeypatch.setattr(jobs, "submit", lambda *args: kept.append(args))
    app = alive(app.button("lab_keep").click().run())
    assert [args[3] for args in kept] == [str(run.folder)]
    app = alive(app.button("lab_reset").click().run())
    again = runs.find("a")
    assert again is not None and again.folder != run.folder and again.frame is None
    assert again.control.knobs.free_bits == 0.0  # as the preset begins
    app = alive(app.slider("lab_a_depth").set_value(2).run())
    now = runs.find("a")
    assert now is not None and now.folder != run.folder and now.control.knobs.depth == 2
    # 3. Two side by side, and a page that is opened again finds both.
    app = alive(app.toggle("lab_two").set_value(True).run())
    assert {name.partition(":lab-")[2] for name in table.jobs} >= {"b"} or runs.find("b")
    anew = alive(start("lab"))
    assert anew.slider("lab_a_depth").value == 2 and anew.toggle("lab_two").value is True
    # 4. Somebody else has runs of their own.
    before = runs.find("a")
    monkeypatch.setattr(runs, "visitor", lambda: "b" * 32)
    assert runs.find("a") is None
    runs.begin_preset(lab_presets()["holes"])
    theirs = runs.find("a")
    assert theirs is not None and before is not None and theirs.folder != before.folder
    runs.turn(theirs, "beta", 2.0)
    runs.change(theirs, playing=False)
    monkeypatch.setattr(runs, "visitor", lambda: "a" * 32)
    assert runs.find("a") == before


def test_a_training_is_followed_by_local_users_alone(
    start: Start, table: Table, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = start("lab")
    app.text_input("lab_run").set_value(str(tmp_path / "nowhere")).run()
    app.button("lab_follow").click().run()
    assert any("There is no folder" in error.value for error in app.error)
    app.text_input("lab_run").set_value(str(tmp_path)).run()
    alive(app.button("lab_follow").click().run())
    (job,) = (one for name, one in table.jobs.items() if name != "lab:warm")
    assert job.fn.__name__ == "follow_run" and job.args[1] == str(tmp_path)
    monkeypatch.setenv("STRATA_PUBLIC", "1")
    public = alive(start("lab", preset="warm-up"))
    assert not [one for one in public.button if one.key == "lab_follow"]


@pytest.mark.parametrize(
    ("counted", "kl", "words"),
    [
        ("step", [[0.05, 0.02], [0.02, 0.01], [0.03, 0.01]], "no layer says anything yet"),
        ("step", [[0.05, 0.2], [0.02, 0.1], [0.03, 0.01]], "no layer says anything"),
        ("step", [[0.05, 0.2, 0.4], [0.03, 0.01, 0.9]], "z1 says nothing yet, z2 nothing"),
        ("step", [[0.05, 0.2], [0.02, 0.4], [0.03, 0.01]], "no layer says anything any more"),
        ("epoch", [[0.0, 0.2], [0.02, 0.1], [0.03, 0.01]], "no layer says anything any more"),
        ("step", [[0.05], [0.02]], "the layer says nothing yet"),
        ("step", [[0.05, 0.0], [0.02, 0.4], [0.03, 0.5]], "z1 says nothing yet"),
        ("step", [[0.05, 0.0], [0.4, 0.4], [0.03, 0.5]], "z1 says nothing any more"),
        (
            "step",
            [[0.05, 0.0, 0.0], [0.02, 0.4, 0.4], [0.03, 0.01, 0.5]],
            "z1 says nothing yet, z2 nothing any more",
        ),
    ],
)
def test_not_learned_yet_is_told_from_collapsed(
    counted: str, kl: list[list[float]], words: str
) -> None:
    table = np.array(kl)
    about = {"counted": counted, "names": ["z1", "z2", "z3"][: table.shape[1]]}
    frame = SimpleNamespace(about=about, kl=table, now=table[-1])
    run: Any = SimpleNamespace(frame=frame, step=46, active=True)
    assert words_of.claim(run) == f"At {counted} 46 {words}"
    over: Any = SimpleNamespace(frame=frame, step=46, active=False)
    assert words_of.claim(over) == f"At {counted} 46 {words.replace(' yet', '')}"


def test_a_run_says_how_fast_it_goes_and_why_it_is_slower() -> None:
    def line(**about: object) -> str:
        control = Control(Knobs(), playing=True, pace=100)
        frame = SimpleNamespace(about={"counted": "step", **about})
        run: Any = SimpleNamespace(
            title="A", job=None, frame=frame, active=True, control=control, step=50
        )
        return words_of.state_line(run)

    assert line(rate=97.0, took=0.004, drawn=0.3) == "Run A trains: step 50, 97 steps a second."
    assert line(rate=20.0, took=0.03, drawn=0.2) == (
        "Run A trains: step 50, 20 steps a second. This is slower than the 100 that are chosen: "
        "one step takes 30 ms, and drawing takes 20 % of the time."
    )
    followed = line(rate=0.1, counted="epoch")
    assert followed == "Run A is followed and has come to epoch 50, 10.0 seconds an epoch."
