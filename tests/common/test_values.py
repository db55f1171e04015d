"""Values as bytes: what went in comes out, nothing is pickled, and no stranger's name is called."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hvae_core.common.errors import JobError
from hvae_core.common.jobs.job import JobProgress
from hvae_core.common.values import from_bytes, on, to_bytes
from hvae_core.data import worlds
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.evaluation.sets import Sets
from hvae_core.probes.reconstruct import reconstruct
from tests.small import FAMILIES, tiny_set


def there_and_back(value: Any) -> Any:
    return from_bytes(to_bytes(value))


PLAIN: list[Any] = [
    None, True, 3, -0.5, math.inf, "ü <b>", b"\x00bytes", Path("a/b"), range(2, 9, 3),
    [1, (2, "x"), {"k": [None]}], {("a", 1): {1, 2}, 3: frozenset("x")}, (), {}, [],
    JobProgress(0.5, "half", None), EvalSettings(samples=3), reconstruct, EvalSettings,
]  # fmt: skip


@pytest.mark.parametrize("value", PLAIN)
def test_values_come_back_as_they_were(value: Any) -> None:
    back = there_and_back(value)
    assert back == value and type(back) is type(value)


def test_numbers_that_are_none_stay_none() -> None:
    assert math.isnan(there_and_back(math.nan))


def test_arrays_and_tensors_keep_their_bits() -> None:
    arrays = [
        np.arange(6, dtype=np.uint8).reshape(1, 2, 3), np.float32([1.5, np.nan]),
        np.array("text"), np.zeros((0, 4)), np.array([True]), np.int64(7),
    ]  # fmt: skip
    for array in arrays:
        back = there_and_back(array)
        assert back.dtype == array.dtype and back.shape == array.shape
        assert type(back) is type(array)
        np.testing.assert_array_equal(back, array)
    weight = torch.nn.Parameter(torch.randn(2, 3))
    assert torch.equal(there_and_back([weight])[0], weight.detach())


def test_the_project_s_own_classes_come_back_whole() -> None:
    images = tiny_set(3)
    assert there_and_back(images).digest == images.digest
    sets = there_and_back(Sets(worlds()["glyphs"], None, 5))
    assert sets.world == worlds()["glyphs"] and sets.limit == 5
    ours = [one for one in FAMILIES.values() if type(one).__module__.startswith("hvae_core.")]
    assert ours
    for config in ours:
        assert there_and_back(config) == config


@pytest.mark.parametrize("value", [object(), lambda: 0, Path, np.array([object()]), torch, 1j])
def test_what_cannot_travel_is_told_at_once(value: Any) -> None:
    with pytest.raises(TypeError):
        to_bytes(value)


def test_tensors_go_where_the_model_is() -> None:
    given = [torch.ones(2), (torch.ones(1), "x"), 3]
    there = on(given, "meta")
    assert there[0].is_meta and there[1][0].is_meta and there[1][1:] == ("x",) and there[2] == 3
    assert not given[0].is_meta


def _sent(told: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, values=np.frombuffer(json.dumps(told).encode(), np.uint8))
    return file.getvalue()


@pytest.mark.parametrize(
    "told",
    [
        ["name", ["os", "system"]],
        ["name", ["hvae_core.common.cache", "os.system"]],
        ["name", ["hvae_core.common.cache", "__builtins__"]],
        ["name", ["hvae_core.common.files", "Path"]],
        ["object", ["hvae_core.common.cache", "store", []]],
        ["object", ["hvae_core.data.image_set", "ImageSet", [["name", "x"]]]],
        ["array", "a9"],
        ["unheard", 1],
        ["list"],
        {"a": 1},
    ],
    ids=str,
)
def test_damaged_and_hostile_bytes_are_refused_in_a_sentence(told: Any) -> None:
    with pytest.raises(JobError, match="version"):
        from_bytes(_sent(told))


def test_pickles_are_never_read() -> None:
    file = io.BytesIO()
    np.savez(file, values=np.frombuffer(b'["array", "a0"]', np.uint8), a0=np.array([object()]))
    for data in (file.getvalue(), b"", b"PK\x03\x04 and no more"):
        with pytest.raises(JobError):
            from_bytes(data)
