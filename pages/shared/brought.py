"""Sets of a visitor's own in links: found again after a reload, and by others if they are kept.

A link has the digest of the images that pages show of a set, and of what is said of them. The set
itself lies on the visitor's shelf for a day, and for everyone who has the link if the visitor says
so.
"""

from __future__ import annotations

import io
import json

import numpy as np
import streamlit as st

from hvae_core.common import fingerprint, shelf
from hvae_core.common.errors import HVAEError
from hvae_core.common.npz import read_npz
from hvae_core.data.image_set import ImageSet
from hvae_core.data.worlds import Role, SetSpec
from pages.shared import links, store, visitor

KEY = "own"
KIND = "sets"
MOST = 16
"""Sets of one link."""
_KNOWN = "own_digests"


def take_up() -> None:
    """Bring the sets that a link names by their digests, or say that they are not here."""
    asked = links.arrived(KEY)
    if not asked:
        return
    absent = []
    for digest in asked.split(",")[:MOST]:
        if any(known.startswith(digest) for _, known in _known().values()):
            continue
        found = shelf.find((visitor.visitor(), shelf.EVERYONE), KIND, digest)
        unpacked = None if found is None else _unpacked(found)
        if unpacked is None:
            absent.append(digest)
            continue
        try:
            store.add_own_set(unpacked[1], unpacked[0], unpacked[1].title)
        except HVAEError as error:
            links.absent(KEY, str(error))
            return
    st.session_state["own_asked"] = absent
    if absent:
        which = "A set" if len(absent) == 1 else f"{len(absent)} sets"
        links.absent(
            KEY,
            f"{which} of this link ({', '.join(absent)[:80]}) cannot be shown: somebody brought it "
            "in another browser or more than a day ago. Add the same files under Images in the "
            "sidebar, or ask who sent the link to tick Keep for links.",
        )


def say() -> None:
    """Keep the visitor's sets for a day, and write their digests into the address."""
    sets, known = store.own_sets(), _known()
    for name in [name for name in known if name not in sets]:
        del known[name]
    for name, (spec, images) in sets.items():
        if known.get(name, ("", ""))[0] != images.digest:
            known[name] = (images.digest, _keep(spec, images))
    here = [digest[: shelf.LINKED] for _, digest in known.values()]
    absent = [one for one in st.session_state.get("own_asked", []) if one not in here]
    links.say(KEY, ",".join((here + absent)[:MOST]))


def keep_box(name: str) -> None:
    """A tick by which everyone who has the link sees a set; who brought it takes it back."""
    if name not in _known():
        return  # it was brought in this run
    me, digest, box = visitor.visitor(), _known()[name][1], f"own_keep_{name}"
    shared = shelf.find((shelf.EVERYONE,), KIND, digest)
    if shared is not None and shared.by != me:
        st.caption("Whoever sent this link keeps the set for it.")
        return
    st.session_state[box] = shared is not None
    st.checkbox(
        "Keep for links", key=box, on_change=_share, args=(box, digest),
        help="Everyone who has a link of yours to this set sees it then. Without it the link shows "
        "it in this browser alone, for a day.",
    )  # fmt: skip


def _share(box: str, digest: str) -> None:
    if not st.session_state[box]:
        shelf.drop(shelf.EVERYONE, KIND, digest)
        return
    mine = shelf.find((visitor.visitor(),), KIND, digest)
    if mine is not None:
        shelf.keep(shelf.EVERYONE, KIND, mine)


def _known() -> dict[str, tuple[str, str]]:
    """Of each set its digest, and that of what is kept of it, by its name in this session."""
    known: dict[str, tuple[str, str]] = st.session_state.setdefault(_KNOWN, {})
    return known


def _keep(spec: SetSpec, images: ImageSet) -> str:
    """Put what pages show of a set on the visitor's shelf; its digest."""
    shown = images.take(store.SHOWN_LIMIT)
    about = json.dumps(
        {
            "title": spec.title,
            "role": spec.role,
            "classes": images.class_names,
            "notes": images.notes,
            "files": images.files[: len(shown)],
        }
    )
    file = io.BytesIO()
    np.savez(file, images=shown.images, labels=shown.labels, about=np.array(about))
    digest = _digest(shown.images, shown.labels, about)
    me = visitor.visitor()
    shelf.keep(me, KIND, shelf.Kept(digest, spec.title, me, file.getvalue()))
    return digest


def _unpacked(kept: shelf.Kept) -> tuple[Role, ImageSet] | None:
    """The set and its role, or None where the file is not what it was."""
    try:
        arrays = read_npz(io.BytesIO(kept.data))
        images, labels, about = arrays["images"], arrays["labels"], str(arrays["about"])
        if _digest(images, labels, about) != kept.digest:
            return None
        words = json.loads(about)
        return words["role"], ImageSet(
            "own", words["title"], images, labels=labels, class_names=tuple(words["classes"]),
            notes=tuple(words["notes"]), files=tuple(words["files"]),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, EOFError, HVAEError):
        return None


def _digest(images: np.ndarray, labels: np.ndarray, about: str) -> str:
    return fingerprint.digest(images, labels, about)
