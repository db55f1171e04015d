"""Equal pictures among very many, by digests of their pixels: eight bytes an image in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.far import Folder
from hvae_core.detection.many.columns import part_columns

if TYPE_CHECKING:
    import pyarrow as pa

LISTED = 1000
"""Repeated images that are named."""


@dataclass(frozen=True)
class Repeat:
    """An image whose pixels an earlier one has: places in the source, and both files."""

    row: int
    file: str
    first_row: int
    first_file: str


class Repeats:
    """Digests of parts, by the numbers of these."""

    def __init__(self) -> None:
        self._parts: dict[int, NDArray[np.uint64]] = {}

    def add(self, number: int, digests: pa.ChunkedArray) -> None:
        """Take the column ``digest`` of a part."""
        # An image that could not be read has none; no other has 0 but by a chance of 2^-64.
        self._parts[number] = np.asarray(digests.fill_null(0).to_numpy(), dtype=np.uint64)

    def found(self, folder: Folder, numbers: Sequence[int]) -> tuple[int, tuple[Repeat, ...]]:
        """How many images of these parts repeat an earlier one, and the first such, in order.

        Digests that were not added are read.
        """
        numbers = sorted(numbers)
        for number in numbers:
            if number not in self._parts:
                self.add(number, part_columns(folder, number, ["digest"]).column("digest"))
        digests = [self._parts[number] for number in numbers]
        every = np.concatenate([*digests, np.zeros(0, np.uint64)])
        order = np.argsort(every, kind="stable")  # equal ones in the order of the source
        ranked = every[order]
        new = np.ones(len(ranked), dtype=bool)
        new[1:] = ranked[1:] != ranked[:-1]
        again = np.flatnonzero(~new & (ranked != 0))
        # Of each run of equal ones the first is the original.
        first = np.maximum.accumulate(np.where(new, np.arange(len(ranked)), 0))[again]
        pairs = sorted(zip(order[again].tolist(), order[first].tolist(), strict=True))[:LISTED]
        places = np.array(sorted({place for pair in pairs for place in pair}), dtype=np.int64)
        # Where they are: row and file, from the parts that have any of them.
        ends = np.cumsum([len(each) for each in digests])
        named: dict[int, tuple[int, str]] = {}
        for number, each, end in zip(numbers, digests, ends.tolist(), strict=True):
            here = places[(places >= end - len(each)) & (places < end)]
            if len(here):
                table = part_columns(folder, number, ["row", "file"])
                rows = table.take(here - (end - len(each))).to_pylist()
                named |= {
                    place: (int(row["row"]), str(row["file"]))
                    for place, row in zip(here.tolist(), rows, strict=True)
                }
        return len(again), tuple(Repeat(*named[later], *named[one]) for later, one in pairs)
