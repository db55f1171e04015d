"""Summaries of many scored images: ranks within their counted error, parts read once."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvae_core.common.errors import DataError, ScoreError
from hvae_core.common.far import Folder
from hvae_core.detection.conformal import conformal_p_values
from hvae_core.detection.many import sketch as sketches
from hvae_core.detection.many import summarise
from hvae_core.detection.many.layout import SUMMARY, Part, part_name, write_job, write_part
from hvae_core.detection.many.repeats import Repeat
from hvae_core.detection.many.sketch import Gathering, Sketch, area, flags_from, p_values
from hvae_core.detection.many.summarise import is_whole, summarised
from hvae_core.detection.metrics import auroc, auroc_interval
from tests.detection.many import scored_folder

numbers = st.lists(st.integers(-4, 9).map(float), min_size=2, max_size=40)


@settings(max_examples=40, deadline=None)
@given(lists=st.lists(numbers, min_size=1, max_size=4), points=st.integers(1, 9))
def test_ranks_stay_within_the_error_that_is_counted(lists: list[list[float]], points: int) -> None:
    """Whatever the numbers, merged and thinned twice."""
    made = Sketch.merged(Sketch.of(one).thinned(points) for one in lists).thinned(points)
    every = np.concatenate(lists)
    assert made.n == pytest.approx(len(every)) and len(made.values) <= points
    for x in (*every, -9.0, 99.0, 0.5):
        below = float(made.weights[made.values < x].sum())
        upto = float(made.weights[made.values <= x].sum())
        assert abs(below - (every < x).sum()) <= made.error + 1e-9
        assert abs(upto - (every <= x).sum()) <= made.error + 1e-9
        assert made.at_least(x) == pytest.approx(made.n - below)


@settings(max_examples=40, deadline=None)
@given(inside=numbers, outside=numbers, points=st.integers(2, 40))
def test_area_is_exact_or_within_its_error(
    inside: list[float], outside: list[float], points: int
) -> None:
    exact = area(Sketch.of(inside), Sketch.of(outside))
    assert exact.error == 0
    assert (exact.value, exact.low, exact.high) == pytest.approx(auroc_interval(inside, outside))
    thin = area(Sketch.of(inside).thinned(points), Sketch.of(outside).thinned(points))
    assert abs(thin.value - auroc(inside, outside)) <= thin.error + 1e-9


@given(reference=numbers, rate=st.floats(0.02, 0.9), points=st.integers(1, 40))
def test_thresholds_flag_where_the_p_value_does(
    reference: list[float], rate: float, points: int
) -> None:
    """As of all numbers where they are there; of a thinned list never more than is promised."""
    every = Sketch.of(reference)
    scores = [*reference, -9.0, 99.0, *(np.array(reference) + 0.5)]
    exact = conformal_p_values(reference, scores)
    np.testing.assert_allclose(p_values(every, scores), exact)
    thin = every.thinned(points)
    assert (p_values(thin, scores) >= exact - 1e-12).all()
    for one in (every, thin):
        if p_values(one, [np.inf])[0] > rate:
            with pytest.raises(ScoreError, match="needs more than"):
                flags_from(one, rate)
        else:
            flagged = np.array(scores) >= flags_from(one, rate)
            np.testing.assert_array_equal(flagged, p_values(one, scores) <= rate)


def test_quantiles_of_a_short_list_are_its_own_numbers() -> None:
    draw = np.random.default_rng(0).normal(size=100)
    found = Sketch.of([*draw, np.nan, np.inf]).quantiles([0.01, 0.07, 0.29, 0.5, 0.57, 1.0])
    np.testing.assert_array_equal(found, np.sort(draw)[[0, 6, 28, 49, 56, 99]])


def test_a_long_list_is_gathered_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketches, "_BLOCK", 512)
    monkeypatch.setattr(sketches, "_THIN", 128)
    draw = np.random.default_rng(1).normal(size=20_000)
    gathering = Gathering()
    for some in np.split(draw, 200):
        gathering.add(some)
        assert len(gathering.sketch().values) <= 512
    made = gathering.sketch()
    ranks = np.searchsorted(np.sort(draw), made.values)
    assert np.abs(ranks - (np.cumsum(made.weights) - made.weights)).max() <= made.error + 1
    assert 0 < made.share_error < 0.3


def test_a_summary_says_what_the_rows_say() -> None:
    folder, values = scored_folder(30, part=8, failed={5: "cut off", 17: "no picture"})
    found = summarised(folder)
    assert (found.rows, found.failed) == (30, 2)
    assert found.errors == ((5, "5.png", "cut off"), (17, "17.png", "no picture"))
    fine = np.delete(np.arange(30), [5, 17])
    for key, column in values.items():
        one, numbers_of = found.scores[key], column[fine]
        assert one.n == 28 and one.sketch.error == 0
        assert one.mean == pytest.approx(numbers_of.mean())
        assert one.deviation == pytest.approx(numbers_of.std(ddof=1))
        assert (one.low, one.high) == (numbers_of.min(), numbers_of.max())
        np.testing.assert_array_equal(one.sketch.values, np.sort(numbers_of))
        order = fine[np.argsort(-numbers_of, kind="stable")]
        assert [each.row for each in one.unusual] == order.tolist()
        assert one.unusual[0].file == f"{order[0]}.png"


def test_equal_pictures_are_found_across_parts_and_as_parts_come() -> None:
    """Digests of rows 0 to 9 stand again in rows 20 to 29, 17 has none; held against a loop."""
    digests = np.arange(1, 31, dtype=np.uint64)
    digests[20:] = digests[:10]
    digests[[25, 29]] = digests[25], digests[25]
    folder, _ = scored_folder(30, part=8, failed={17: "no picture"}, digests=digests)
    first: dict[int, int] = {}
    expected = []
    for row, digest in enumerate(digests.tolist()):
        if row != 17 and digest in first:
            expected.append(Repeat(row, f"{row}.png", first[digest], f"{first[digest]}.png"))
        first.setdefault(digest, row)
    assert len(expected) == 10
    last = part_name(3)
    kept = folder.read(last)
    assert kept is not None
    folder.fs.rm_file(folder.path(last))
    assert summarised(folder).repeated == 4  # rows 20 to 23
    folder.write(last, kept)
    grown = summarised(folder)
    assert (grown.repeated, grown.repeats) == (10, tuple(expected))
    again = summarised(folder)  # as it was kept
    assert (again.repeated, again.repeats) == (10, tuple(expected))


def test_parts_are_read_once_and_again_when_they_change(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    whole = summarise.part_columns

    def noted(folder: Folder, number: int, columns: list[str]) -> object:
        read.append(number)
        return whole(folder, number, columns)

    monkeypatch.setattr(summarise, "part_columns", noted)
    folder, _ = scored_folder(20, part=5)
    last = folder.read(part_name(3)) or b""
    folder.fs.rm_file(folder.path(part_name(3)))
    first = summarised(folder)
    assert first.rows == 15 and read == [0, 1, 2] and is_whole(folder, first)
    folder.write(part_name(3), last)
    assert not is_whole(folder, first)
    grown = summarised(folder)
    assert grown.rows == 20 and read == [0, 1, 2, 3] and summarised(folder).rows == 20
    folder.write(SUMMARY, b"{}")
    again = summarised(folder)
    assert read == [0, 1, 2, 3, 0, 1, 2, 3]
    for key, one in again.scores.items():
        np.testing.assert_array_equal(one.sketch.values, grown.scores[key].sketch.values)
        assert one.mean == pytest.approx(grown.scores[key].mean)
        assert one.deviation == pytest.approx(grown.scores[key].deviation)
    read.clear()
    other, _ = scored_folder(4, part=4)
    folder.write(part_name(1), other.read(part_name(0)) or b"")
    assert summarised(folder).rows == 19 and read == [0, 1, 2, 3]


def test_a_folder_that_may_only_be_read_is_summarised(monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = scored_folder(6, part=3)

    def refused(*_: object) -> None:
        raise DataError("may not be written")

    monkeypatch.setattr(Folder, "write", refused)
    assert summarised(folder).rows == 6 and folder.read(SUMMARY) is None


def test_a_folder_that_says_nothing_is_a_sentence() -> None:
    folder = Folder.of(f"memory://{uuid.uuid4().hex}")
    with pytest.raises(DataError, match="There is no folder of scores"):
        summarised(folder)
    filled, _ = scored_folder(4, part=4)
    write_job(folder, summarise.job_of(filled))
    with pytest.raises(DataError, match="has no parts yet"):
        summarised(folder)
    folder.write(part_name(0), b"PAR1")
    with pytest.raises(DataError, match="is damaged"):
        summarised(folder)
    lacking = Part(
        rows=np.arange(1), files=["a"], labels=[None], digests=np.ones(1, np.uint64),
        errors=[None], bounds=np.zeros((1, 1)), scores={},
    )  # fmt: skip
    write_part(folder, 0, lacking)
    with pytest.raises(DataError, match="has no column"):
        summarised(folder)
