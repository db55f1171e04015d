"""For the doors through which images come in: what a reader's libraries raise is a sentence."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from hvae_core.common.errors import DataError, HVAEError
from hvae_core.common.plain import plain
from hvae_core.common.progress import Cancelled

_log = logging.getLogger(__name__)


@contextmanager
def one_sentence(what: object) -> Iterator[None]:
    """Turn foreign exceptions of reading ``what`` into ``DataError``.

    A damaged file can raise nearly anything: numpy reads headers with Python's own tokenizer, which
    has errors of its own, zip and Parquet have theirs, and each may run out of memory or stack.
    """
    name = plain(what)
    try:
        yield
    except (HVAEError, Cancelled):
        raise
    except MemoryError as exc:
        raise DataError(
            f"{name} needs more memory than there is; set a limit on the number of images, or make "
            "a smaller file."
        ) from exc
    except OSError as exc:
        reason = (exc.strerror or "its contents are damaged").lower()
        raise DataError(f"{name} cannot be read: {reason}; check the path and the file.") from exc
    except Exception as exc:
        _log.info("%s was refused: %s: %s", name, type(exc).__name__, exc)
        raise DataError(
            f"{name} is damaged or no kind of file that is known here; get it again from its "
            "source, or save it again."
        ) from exc
