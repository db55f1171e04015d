"""Image sets from the Hugging Face hub: downloaded once, on request, kept as Parquet.

The only module that reaches the network. `datasets` is imported when a download starts: it takes
a second, and nothing else needs it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hvae_core.common.errors import DataError
from hvae_core.common.files import DISK, why_not
from hvae_core.common.places import cache_data_root
from hvae_core.common.plain import plain
from hvae_core.common.progress import Cancelled, Progress, silent
from hvae_core.data.readers.labels import NAMES as LABEL_NAMES
from hvae_core.data.readers.parquet import IMAGE_COLUMNS, write_parquet

_HUB_NAME = re.compile(
    r"([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?::([\w.+-]{1,60}))?(?::([\w.-]{1,40}))?"
)
_BATCH = 256
_TIMEOUT = 10.0


@dataclass(frozen=True)
class HubName:
    """A set on the hub, the configuration of it (empty for its only one), and the split."""

    name: str
    config: str
    split: str


def read_hub_name(text: str) -> HubName | None:
    """Return what owner/name, owner/name:split or owner/name:config:split means, or None."""
    match = _HUB_NAME.fullmatch(text)
    if match is None or ".." in text:
        return None
    name, *parts = (part for part in match.groups() if part)
    config, split = parts if len(parts) == 2 else ("", *parts) if parts else ("", "test")
    return HubName(name, config, split)


def is_hub_name(text: str) -> bool:
    """Return whether a text has the form owner/name, with a split or configuration and split."""
    return read_hub_name(text) is not None


def hub_path(hub_name: str, split: str = "test", config: str = "") -> Path:
    """Return where a downloaded split of a hub set is kept."""
    folder = "--".join([*hub_name.split("/"), *([config] if config else [])])
    return cache_data_root() / "hub" / folder / f"{split}.parquet"


def download(
    hub_name: str,
    split: str = "test",
    *,
    path: Path | None = None,
    config: str = "",
    columns: tuple[str, str] = ("", ""),
    limit: int | None = None,
    progress: Progress = silent,
) -> Path:
    """Download one split of a hub set into a Parquet file and return its path.

    `columns` names those of images and labels; an empty one is looked for among the usual names.

    Rows are streamed, so that progress is true and a cancel takes effect at once; a download
    that stops early leaves nothing behind. An existing file is returned as it is.
    """
    target = path or hub_path(hub_name, split, config=config)
    if target.is_file():
        return target
    progress(0.0, f"contacting the hub for {hub_name}")
    try:
        stream, total = _open_stream(hub_name, config, split)
        image, label = _columns(stream, hub_name, columns)
        names = tuple(getattr(stream.features.get(label), "names", None) or ())
        if limit is not None:
            stream, total = stream.take(limit), min(total or limit, limit)
        batches = _batches(stream, (image, label), total=total, progress=progress)
        texts = getattr(stream.features.get(label), "dtype", "") in ("string", "large_string")
        write_parquet(target, batches, names, texts=texts)
    except (DataError, Cancelled):
        raise
    except Exception as exc:  # the hub client raises errors of half a dozen libraries
        raise DataError(_explain(hub_name, split, exc)) from exc
    return target


def _open_stream(hub_name: str, config: str, split: str) -> tuple[Any, int | None]:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from datasets import load_dataset

    if is_hub_name(hub_name):
        _knock(hub_name)
    stream = load_dataset(hub_name, config or None, split=split, streaming=True)
    if stream.features is None:
        raise DataError(f"{hub_name} is not a set of images; choose another set.")
    about = (stream.info.splits or {}).get(split)
    # The bytes as they are: decoding them is the work of the project's own gate.
    return stream.decode(False), about.num_examples if about is not None else None


def _knock(hub_name: str) -> None:
    # One question with a short timeout: alone, load_dataset tries for half a minute when offline.
    from huggingface_hub import HfApi

    HfApi().dataset_info(hub_name, timeout=_TIMEOUT)


def _columns(stream: Any, hub_name: str, wanted: tuple[str, str]) -> tuple[str, str | None]:
    columns = list(stream.features)
    images, labels = ((name,) if name else usual for name, usual in
                      zip(wanted, (IMAGE_COLUMNS, LABEL_NAMES), strict=True))  # fmt: skip
    image = next((column for column in images if column in columns), None)
    if image is None:
        raise DataError(
            f"{hub_name} has no column of images (its columns: {', '.join(columns[:8])}); "
            "choose another set."
        )
    return image, next((column for column in labels if column in columns), None)


def _batches(
    stream: Any, columns: tuple[str, str | None], *, total: int | None, progress: Progress
) -> Iterator[tuple[list[bytes], list[int] | list[str]]]:
    image, label = columns
    done = 0
    for batch in stream.iter(_BATCH):
        blobs = [stored["bytes"] for stored in batch[image] if stored and stored["bytes"]]
        if len(blobs) < len(batch[image]):
            raise DataError(
                "This hub set keeps its images outside its tables; download it by hand and "
                "choose the folder."
            )
        stored_labels = batch[label] if label else [None] * len(blobs)
        if any(isinstance(value, str) for value in stored_labels):
            yield blobs, ["" if value is None else str(value) for value in stored_labels]
        else:
            yield blobs, [value if isinstance(value, int) else -1 for value in stored_labels]
        done += len(blobs)
        of = f" of {total:,}" if total else ""
        progress(min(done / total, 1.0) if total else 0.0, f"downloaded {done:,}{of} images")


def _explain(hub_name: str, split: str, exc: Exception) -> str:
    if isinstance(exc, OSError) and exc.errno in DISK:
        return f"{hub_name} cannot be kept in {plain(cache_data_root())}: {why_not(exc)}."
    kinds = {kind.__name__ for kind in type(exc).__mro__}
    if "GatedRepoError" in kinds or "gated" in str(exc).lower():
        return f"{hub_name} asks for a login on the hub; log in there, or choose another set."
    if kinds & {"RepositoryNotFoundError", "DatasetNotFoundError"}:
        return f"The hub has no public set {hub_name}; check the name, written owner/name."
    if isinstance(exc, ValueError) and "config" in str(exc).lower():
        return (
            f"{hub_name} has several configurations, or none of the one asked for; "
            "write owner/name:CONFIGURATION:SPLIT."
        )
    if isinstance(exc, ValueError) and "split" in str(exc).lower():
        return f"{hub_name} has no split named {split}; write owner/name:split with another one."
    return (
        f"{hub_name} could not be downloaded: the hub cannot be reached or did not answer. "
        "Check the connection and try again, or choose a folder that holds the images."
    )
