"""Whatever a file holds, it loads or is refused in a sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvae_core.checkpoint import load_checkpoint
from hvae_core.common.errors import CheckpointError
from hvae_core.models import HierarchicalVAE
from tests.checkpoint.conftest import join, split


def survives(data: bytes) -> None:
    """A file either loads or is refused in a sentence; no other exception, whatever it holds."""
    try:
        model = load_checkpoint(data).model
    except CheckpointError as problem:
        sentence = str(problem)
        assert sentence.isprintable() and sentence.endswith(".") and len(sentence) < 500
    else:
        assert isinstance(model, HierarchicalVAE)


@given(st.data())
def test_flipped_bytes_load_or_are_refused(valid: bytes, draw: st.DataObject) -> None:
    header = 8 + int.from_bytes(valid[:8], "little")
    data = bytearray(valid)
    places = st.one_of(st.integers(0, header - 1), st.integers(0, len(valid) - 1))
    for place in draw.draw(st.lists(places, min_size=1, max_size=4)):
        data[place] = draw.draw(st.integers(0, 255))
    survives(bytes(data))


@given(st.data())
def test_cut_and_spliced_files_load_or_are_refused(valid: bytes, draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(valid)))
    end = draw.draw(st.integers(start, len(valid)))
    survives(valid[:start] + draw.draw(st.binary(max_size=20)) + valid[end:])


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CheckpointError):
        load_checkpoint(data)
    with pytest.raises(CheckpointError):
        load_checkpoint(join(b"{" + data, b""))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.sampled_from(["config", "card", "history", "train"]), JSON)
def test_any_json_as_metadata_loads_or_is_refused(valid: bytes, name: str, value: Any) -> None:
    header, body = split(valid)
    header["__metadata__"][name] = json.dumps(value)
    survives(join(header, body))


@given(st.data(), JSON)
def test_any_json_in_the_header_loads_or_is_refused(
    valid: bytes, draw: st.DataObject, value: Any
) -> None:
    header, body = split(valid)
    entry = header[draw.draw(st.sampled_from(sorted(header)))]
    entry[draw.draw(st.sampled_from(sorted(entry)))] = value
    survives(join(header, body))


@given(st.data(), JSON)
def test_any_value_in_the_configuration_loads_or_is_refused(
    valid: bytes, draw: st.DataObject, value: Any
) -> None:
    header, body = split(valid)
    config = json.loads(header["__metadata__"]["config"])
    config[draw.draw(st.sampled_from(sorted(config)))] = value
    header["__metadata__"]["config"] = json.dumps(config)
    survives(join(header, body))
