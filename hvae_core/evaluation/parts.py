"""Long computations over images in parts: each is kept on disk as soon as it is done.

An interrupted computation continues where it stopped, and memory stays flat however many images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TypeVar

from hvae_core.common import cache, fingerprint
from hvae_core.common.ahead import ahead
from hvae_core.common.cache import Arrays
from hvae_core.common.progress import Progress
from hvae_core.data.image_set import ImageSet

T = TypeVar("T")
Compute = Callable[[ImageSet, Callable[[float], None]], Arrays]
"""``compute(part, report)``: the arrays of some images; ``report`` takes the share that is done."""


def kept_in_parts(
    kind: str,
    key: str,
    images: ImageSet,
    *,
    compute: Compute,
    join: Callable[[Sequence[Arrays]], Arrays],
    unpack: Callable[[Arrays], T],
    size: int,
    progress: Progress,
) -> T:
    """As ``cache.kept``, computed part by part, ``size`` images each; ``join`` packs the whole.

    The images of a part are read, and their digests found, while the part before is computed.
    """
    starts = range(0, len(images), size)
    keys = {start: fingerprint.digest(key, "part-4", start, size) for start in starts}

    def whole() -> Arrays:
        missing = [n for n in starts if not cache.entry_path("parts", keys[n]).exists()]
        with closing(ahead((start, read(start)) for start in missing)) as coming:

            def rows_of(start: int) -> ImageSet:
                # Passed over are parts that another process has computed meanwhile.
                found = (rows for n, rows in coming if n == start) if start in missing else ()
                return next(iter(found), None) or read(start)

            return join([part(start, rows_of) for start in starts])

    def read(start: int) -> ImageSet:
        rows = images.take(range(start, min(start + size, len(images))))
        rows.image_digests()
        return rows

    def part(start: int, rows_of: Callable[[int], ImageSet]) -> Arrays:
        def compute_it() -> Arrays:
            rows = rows_of(start)
            return compute(
                rows,
                lambda done: progress((start + done * len(rows)) / len(images), images.title),
            )

        return cache.kept("parts", keys[start], compute_it, pack=_same, unpack=_same)

    fresh = not cache.entry_path(kind, key).exists()
    result = cache.kept(kind, key, whole, pack=_same, unpack=unpack)
    if fresh and cache.entry_path(kind, key).exists():  # safe as a whole: the parts may go
        for part_key in keys.values():
            cache.entry_path("parts", part_key).unlink(missing_ok=True)
    return result


def _same(arrays: Arrays) -> Arrays:
    return arrays
