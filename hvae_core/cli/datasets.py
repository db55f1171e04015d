"""``datasets``: the worlds and their image sets, and which of them are on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from hvae_core.cli import show
from hvae_core.cli.options import DataRoot, Json, option

if TYPE_CHECKING:
    from hvae_core.data import SetSpec, World
    from hvae_core.data.origins import Origin


def datasets(
    *,
    world: Annotated[str | None, option("show one world only", "NAME")] = None,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """List the worlds and the sets that the papers name, and which are on this machine.

    List the worlds (an in-distribution set and what is held against it) with the number of images,
    whether they are on this machine, and where they come from; then the sets that the papers name,
    with licence and source, which `evaluate`, `train` and the field for your own set take by name.
    Any folder of images, Parquet file, .npz or Hugging Face name serves as well; it needs no entry
    here.

    Examples:
      python -m hvae_core datasets
      python -m hvae_core datasets --data-root ~/images
      python -m hvae_core datasets --world fashion --json
    """
    from hvae_core.common.places import root_of
    from hvae_core.data import describe_shape, worlds
    from hvae_core.data.named import named_world

    root = root_of(data_root)
    listed: list[dict[str, Any]] = [
        {
            "key": each.key,
            "title": each.title,
            "image_shape": list(each.image_shape),
            "sets": [_describe(each, spec, root) for spec in each.sets],
        }
        for each in ([named_world(world)] if world else worlds().values())
    ]
    if as_json:
        show.as_json({"data_root": str(root), "worlds": listed, "sets": _entries(root)})
        return
    for entry in listed:
        rows = [
            (s["name"], s["title"], s["role"], s["source"], "yes" if s["available"] else "no",
             "" if s["images"] is None else f"{s['images']:,}")
            for s in entry["sets"]
        ]  # fmt: skip
        title = f"World {entry['key']}: {entry['title']}, {describe_shape(entry['image_shape'])}"
        heads = ("set", "what it is", "role", "from", "here", "images")
        show.table(title, heads, rows, left=5)
    if world is None:
        _print_entries(root)
    show.say(f"Data folder: {root}")


def _print_entries(root: Path) -> None:
    """The registry: what each set is, where it comes from, whose it is."""
    entries = _entries(root)
    rows = [
        (e["name"], e["title"], e["source"], e["preparation"], ", ".join(e["here"]) or "no",
         e["licence"])
        for e in entries
    ]  # fmt: skip
    heads = ("set", "what it is", "from", "to the model's shape", "here", "licence")
    show.table("Sets that the papers name, as NAME[:SPLIT][+CHANGE...]", heads, rows, left=6)
    show.say("Sources:")
    for citation in dict.fromkeys(e["citation"] for e in entries):
        names = ", ".join(e["name"] for e in entries if e["citation"] == citation)
        show.say(f"  {names}: {citation}")
    show.say()


def _entries(root: Path) -> list[dict[str, Any]]:
    """The registry in plain values, each set with the splits that are on this machine."""
    from hvae_core.data import describe_shape, registered_sets
    from hvae_core.data.stored import find_named

    entries = []
    for entry in registered_sets().values():
        here = []
        for split in ("train", "validation", "test"):
            named = find_named(f"{entry.name}:{split}")
            if named is not None and named.origin.available(root):
                here.append(split)
        base = registered_sets()[entry.of] if entry.of else entry
        done = "cropped" if base.rule == "crop" else "resized"
        entries.append(
            {
                "name": entry.name,
                "title": entry.title,
                "source": f"hub {base.hub_source()}" if base.hub else "its homepage",
                "preparation": f"{done} to {describe_shape(entry.shape)}"
                + (f", {entry.change}" if entry.change else ""),
                "here": here,
                "licence": entry.licence,
                "citation": entry.citation,
            }
        )
    return entries


def _describe(world: World, spec: SetSpec, root: Path) -> dict[str, Any]:
    available = world.available(spec.name, root)
    return {
        "name": spec.name,
        "title": spec.title,
        "role": spec.role,
        "available": available,
        "images": _count(spec.origin, root) if available else None,
        "source": _source(spec.origin),
    }


def _count(origin: Origin, root: Path) -> int | None:
    """The number of images, where it can be told without decoding any."""
    from hvae_core.common.places import ASSETS
    from hvae_core.data import origins
    from hvae_core.data.readers.parquet import row_count

    match origin:
        case origins.Shipped(path=path):
            return row_count(ASSETS / path)
        case origins.Control(of=of):
            return _count(of, root)
        case origins.HandwrittenDigits():
            return 1797
        case origins.DataFolder(span=(start, stop)):
            place = origin.find(root)
            if place is not None and place.suffix == ".parquet":
                rows = row_count(place)
                return round(stop * rows) - round(start * rows)
    return None


def _source(origin: Origin) -> str:
    from hvae_core.data import origins

    match origin:
        case origins.Shipped(path=path):
            return f"assets/{path}"
        case origins.Control(of=of, change=change):
            return f"{_source(of)}, {change}"
        case origins.HandwrittenDigits():
            return "scikit-learn's digits"
        case origins.DataFolder(folder=folder, split=split):
            hub = origin.hub
            return f"{folder}/{split}" + (f", hub {hub}" if hub else "")
    return "your own"
