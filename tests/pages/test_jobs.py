"""A job belongs to one choice: what runs or failed for it is not shown under the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from hvae_core.common.errors import HVAEError
from hvae_core.common.jobs.job import JobProgress
from hvae_core.data.image_set import ImageSet
from hvae_core.data.worlds import worlds
from pages.compression import pictures
from pages.shared import jobs as work
from pages.shared import offers, ui
from pages.shared.state import Context
from pages.shared.store import handle_of
from tests.pages.conftest import Start
from tests.pages.test_two import _context

Change = Callable[[AppTest], Any]


class Table:
    """Jobs by name that never end by themselves."""

    def __init__(self) -> None:
        self.jobs: dict[str, Any] = {}

    def submit(self, name: str, digest: str, function: Any, *args: Any) -> Any:
        self.jobs[name] = SimpleNamespace(
            active=True,
            status="running",
            digest=digest,
            progress=JobProgress(0.5, "half", None),
            kept=set(),
            owners={name.partition(":")[0]},
        )
        return self.jobs[name]

    def active(self, owner: str) -> list[Any]:
        return [job for job in self.jobs.values() if owner in job.owners and job.active]

    def before(self, job: Any) -> list[Any]:
        return [one for one in self.jobs.values() if one is not job and one.active]

    def current(self, name: str) -> Any:
        return self.jobs.get(name)

    def forget(self, digest: str) -> None:
        pass

    def cancel(self, name: str) -> None:
        self.jobs[name].active, self.jobs[name].status = False, "cancelled"

    def fail(self) -> None:
        def result() -> None:
            raise HVAEError("It came to nothing.")

        for job in self.jobs.values():
            job.active, job.status, job.result = False, "failed", result


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Table:
    table = Table()
    monkeypatch.setattr(work, "_table", lambda: table)
    monkeypatch.setattr(pictures, "AT_ONCE", 0)
    return table


def offered(app: AppTest, words: str) -> bool:
    assert not app.exception
    return any(one.label.startswith(words) for one in app.button)


def select(key: str, value: Any) -> Change:
    return lambda app: app.selectbox(key).set_value(value)


CASES: dict[str, tuple[str, dict[str, str], str, Change, Change]] = {
    "the picture": (
        "compression", {}, "Code 1 tiles",
        lambda app: app.number_input("c_id").set_value(1),
        lambda app: app.number_input("c_id").set_value(0),
    ),
    "the settings of an attack": (
        "compression", {"c_view": "Attacks"}, "Attack 4 images",
        lambda app: app.segmented_control("a_steps").set_value(10),
        lambda app: app.segmented_control("a_steps").set_value(50),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_job_is_shown_under_its_own_choice_alone(case: str, start: Start, jobs: Table) -> None:
    page, query, words, other, back = CASES[case]
    app = start(page, **query)
    next(one for one in app.button if one.label.startswith(words)).click()
    assert not offered(app.run(), words) and len(jobs.jobs) == 1  # its progress stands there
    other(app)
    assert offered(app.run(), words)
    back(app)
    assert not offered(app.run(), words)
    jobs.fail()
    assert offered(app.run(), words)
    assert [one.value for one in app.error] == ["It came to nothing."]
    other(app)
    assert offered(app.run(), words) and not app.error


def test_a_job_that_waits_names_what_was_left_running(
    start: Start, jobs: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = start("compression", c_view="Attacks")
    attack = "Attack 4 images"
    next(one for one in app.button if one.label.startswith(attack)).click().run()
    app.segmented_control("a_steps").set_value(10)
    next(one for one in app.run().button if one.label.startswith(attack)).click()

    def told() -> list[str]:
        app.run()
        assert not app.exception
        return [one.value for one in app.caption if "earlier choice" in one.value]

    assert told() == []  # it runs
    first, second = jobs.jobs
    jobs.jobs[second].status = "waiting"
    monkeypatch.setattr(work, "OUT_OF_SIGHT", 1e9)
    assert told() == []  # both may stand on the page
    monkeypatch.setattr(work, "OUT_OF_SIGHT", 0.0)
    assert told() == ["Still running for an earlier choice: Attacking Tiny, plain"]
    next(one for one in app.button if "-before-" in (one.key or "")).click()
    assert told() == [] and not jobs.jobs[first].active and jobs.jobs[second].active


def press(app: AppTest, words: str) -> None:
    next(one for one in app.button if one.label.startswith(words)).click().run()


def test_a_job_is_the_visitors_and_its_bar_is_there_after_a_reload(
    start: Start, jobs: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "visitor", lambda: "ann")
    press(start("compression", c_view="Attacks"), "Attack 4 images")
    assert not offered(start("compression", c_view="Attacks"), "Attack 4 images")
    monkeypatch.setattr(work, "visitor", lambda: "bob")
    assert offered(start("compression", c_view="Attacks"), "Attack 4 images")


def test_a_job_can_be_kept_running_from_its_start_or_later(start: Start, jobs: Table) -> None:
    app = start("compression", c_view="Attacks")
    press(app, "Attack 4 images")
    (name,) = jobs.jobs
    assert jobs.jobs[name].kept == set()
    (box,) = [one for one in app.checkbox if one.label == work.KEEP]
    box.check().run()
    assert jobs.jobs[name].kept == {name}
    jobs.cancel(name)
    app.run()
    (box,) = [one for one in app.checkbox if one.label == work.KEEP]
    box.check()
    press(app, "Attack 4 images")
    assert jobs.jobs[name].kept == {name}


@pytest.mark.parametrize(
    ("owners", "said"),
    [
        ([], "about to start"),
        (["bob"], "waits for another job"),
        (["ann"], "waits for another job of yours"),
        (["bob", "bob"], "waits for 2 other jobs"),
        (["ann", "bob"], "waits for 2 other jobs, 1 of them yours"),
        (["ann", "ann"], "waits for 2 other jobs of yours"),
    ],
)
def test_what_waits_says_for_what(
    owners: list[str], said: str, jobs: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "visitor", lambda: "ann")
    for number, owner in enumerate(owners):
        jobs.submit(f"{owner}:{number}", "", None)
    assert work._waits_for(jobs.submit("ann:last", "", None)) == said


def test_a_visitor_of_a_public_server_has_so_many_jobs(
    jobs: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "MAX_JOBS", 2)
    monkeypatch.setattr(work, "visitor", lambda: "ann")
    for number in range(3):
        work.submit(f"own {number}", "", print)
    monkeypatch.setenv("STRATA_PUBLIC", "1")
    with pytest.raises(HVAEError, match="2 jobs"):
        work.submit("one more", "", print)
    monkeypatch.setattr(work, "visitor", lambda: "bob")
    work.submit("of another", "", print)


def test_a_comparison_is_of_its_sets(start: Start, jobs: Table) -> None:
    app = start("two", b_glyphs="glyphs-hvae3-informative")
    next(one for one in app.button if one.label.startswith("Compare layers")).click()
    assert not offered(app.run(), "Compare layers")
    out = next(one for one in app.multiselect if "digits" in one.value)
    out.set_value([name for name in out.value if name != "digits"])
    assert offered(app.run(), "Compare layers")


def test_a_measure_is_of_its_checkpoint_and_images(tiny_app: Any) -> None:
    ctx: Context = _context(tiny_app)
    offer = offers.Offer("lower", (), ("test", "digits"), limit=None, seconds=1.0)
    pixels = np.zeros((2, 1, 1, 28, 28), np.uint8)
    pixels[1] += 1
    one, other = (ImageSet("test", "Test", each, labels=np.array([-1])) for each in pixels)
    names = [
        offers.job_name(ctx, ctx.a, offer, own={}),
        offers.job_name(ctx, ctx.models[1], offer, own={}),
        offers.job_name(ctx, ctx.a, replace(offer, measure="regret"), own={}),
        offers.job_name(ctx, ctx.a, replace(offer, sets=("test",)), own={}),
        offers.job_name(ctx, ctx.a, replace(offer, limit=100), own={}),
        offers.job_name(replace(ctx, data_root="elsewhere"), ctx.a, offer, own={}),
        offers.job_name(ctx, ctx.a, offer, own={"test": one}),
        offers.job_name(ctx, ctx.a, offer, own={"test": other}),
    ]
    assert len(set(names)) == len(names)
    assert names[0] == offers.job_name(ctx, ctx.a, offer, own={})


def test_a_second_model_without_images_is_not_left_out_in_silence(
    tiny_app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Model A has stored results of the sets, whose images nobody has; B has none."""
    told: list[str] = []
    monkeypatch.setattr(ui, "missing_images", told.append)
    known = handle_of(next((tiny_app / "checkpoints").glob("fashion-*")))
    bare = _context(tiny_app).a
    for models, expected in (((known, bare), 1), ((bare, bare), 0)):
        ctx = Context(worlds()["fashion"], models, ("mnist",), seed=0, data_root=None)
        assert not work.evaluations(ctx, models[1], ["test", "mnist"], name_missing=False)
        assert len(told) == expected
        assert all("Not shown under B" in one and "MNIST" in one for one in told)
        told.clear()


def test_images_are_fitted_to_a_model_once(tiny_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = _context(tiny_app)
    wide = replace(ctx.a, image_shape=(3, 32, 32))
    fits: list[Any] = []
    plain = ImageSet.fit

    def fit(images: ImageSet, shape: Any, *rest: Any) -> ImageSet:
        fits.append(shape)
        return plain(images, shape, *rest)

    monkeypatch.setattr(ImageSet, "fit", fit)
    first, again = (ctx.images("digits", wide) for _ in range(2))
    assert first is again and first.image_shape == (3, 32, 32)
    assert fits.count((3, 32, 32)) == 1
    bare = ctx.images("digits")
    np.testing.assert_array_equal(first.images, plain(bare, (3, 32, 32)).images)


def test_a_bar_says_each_word_once() -> None:
    assert work._said("Comparing layers", "Comparing layers") == "Comparing layers"
    assert work._said("Reading the parts", "part 3") == "Reading the parts: part 3"
