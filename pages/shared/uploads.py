"""A file of the reader's own: read through its gate, and found again by links and after a reload.

What was read stays in the session, since Streamlit forgets a file when another page is opened. The
file itself lies on the visitor's shelf for a day, and for everyone who has the link if the visitor
says so. The link has the digest of its bytes; a small picture stands in it whole with its name, and
nothing else that its file says.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import streamlit as st

from hvae_core.common import shelf
from hvae_core.common.errors import HVAEError
from hvae_core.data.image_set import Pixels, to_picture
from hvae_core.figures.grids import png_bytes
from pages.shared import links, shown, ui, visitor, whole


class Brought(Protocol):
    """What a file was read as."""

    @property
    def pixels(self) -> Pixels | None:
        """Its picture (C, H, W) as it came; None where that does not stand for the file."""


T = TypeVar("T", bound=Brought)
Read = Callable[[bytes, str], T]
Field = Callable[..., Any]
"""A field of Streamlit's that takes a file."""
KIND = "pictures"
FILES = {
    "image": ("i_from", {"upload": "i_file", "camera": "i_photo", "paste": "i_pasted",
                         "draw": "i_drawn"}),
    "compression": ("c_from", {"upload": "c_file"}),
}  # fmt: skip
"""By the page's address: the control of where its picture comes from, and the files held there."""
_TOLD = "uploads_told"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Held(Generic[T]):
    """A file that was read: its digest, its name, what it holds."""

    digest: str
    title: str
    value: T
    linked: str = ""
    """The picture and its name, as a link with room for them holds them; "" where none has."""


@dataclass(frozen=True)
class Refused:
    """Why there is nothing: a file that the gate refuses, or a link to one that is not here."""

    sentence: str
    asked: str = ""
    """The digest that the link has."""


def uploaded(
    label: str,
    key: str,
    read: Read[T],
    *,
    field: Field = st.file_uploader,
    anew: Callable[[], None] | None = None,
    **more: Any,
) -> T | None:
    """What the file holds, or None: nothing is given, the gate refuses it, or it is not here.

    Why stands at the control. ``key`` is that of the ``field``; in links it has the file's digest.
    ``anew`` is called where another file is brought than a link asked for.
    """
    _take_up(key, read)
    field(label, key=key, on_change=_from_field, args=(key, read, anew), **more)
    return _shown(key)


def brought(key: str, read: Read[T]) -> T | None:
    """As ``uploaded``, of a file that comes through ``received`` and has no field."""
    _take_up(key, read)
    return _shown(key)


def received(key: str, data: bytes, name: str, read: Read[T]) -> None:
    """Read a file that was brought, and put it on its visitor's shelf; the last one is lost."""
    st.session_state[_held(key)] = _kept(read, data, name)
    ui.redraw_all()


def on_page(address: str) -> str | None:
    """The key of the file that the page with this address shows, or None where it shows none."""
    if address not in FILES:
        return None
    control, keys = FILES[address]
    return keys.get(str(st.session_state.get(control)))


def only(address: str, source: str) -> None:
    """Take out of the address what belongs to sources of this page that are not chosen."""
    for other, key in FILES[address][1].items():
        if other != source:
            links.say(key, "")


def told() -> None:
    """Note what the address holds while Share is drawn."""
    st.session_state[_TOLD] = _in_address()


def settle() -> None:
    """Draw the page anew where the address holds another file than Share says."""
    if st.session_state.get(_TOLD) != _in_address():
        st.rerun()


def _in_address() -> list[str]:
    return [st.query_params.get(key, "") for _, keys in FILES.values() for key in keys.values()]


def only_here(key: str) -> str:
    """The title of a file that whoever opens this view's link does not get; "" where none is."""
    held = st.session_state.get(_held(key))
    if not isinstance(held, Held) or _fits(key, held):
        return ""
    return held.title if shelf.find((shelf.EVERYONE,), KIND, held.digest) is None else ""


def title_in_link(key: str) -> str:
    """What the file is called whose picture the link holds whole; "" where the link holds none."""
    held = st.session_state.get(_held(key))
    if not isinstance(held, Held) or held.linked != st.query_params.get(key):
        return ""
    return held.title


def absent(key: str) -> str:
    """The digest by which a link names a file that is not here; "" once another was brought."""
    held = st.session_state.get(_held(key))
    return held.asked if isinstance(held, Refused) else ""


def refused(key: str) -> bool:
    """Whether a file was brought, or named by a link, and nothing of it can be shown."""
    return isinstance(st.session_state.get(_held(key)), Refused)


def is_the(key: str, asked: str) -> bool:
    """Whether a link names the held file, by the start of its digest."""
    held = st.session_state.get(_held(key))
    return isinstance(held, Held) and held.digest.startswith(asked)


def emptied(key: str) -> None:
    """Forget the file that is held under a key."""
    st.session_state.pop(_held(key), None)


def _held(key: str) -> str:
    return f"{key}_held"


def _take_up(key: str, read: Read[T]) -> None:
    """Hold the file that a link names, where it names another one."""
    asked = links.arrived(key)
    if asked:
        st.session_state[_held(key)] = _linked(asked, read)


def _shown(key: str) -> Any:
    """What is held: its value, with the tick for links; or None, with the reason."""
    held: Held[Any] | Refused | None = st.session_state.get(_held(key))
    if isinstance(held, Refused):
        show = st.warning if held.asked else st.error
        show(ui.plain(held.sentence), icon=":material/error:")
        links.say(key, held.asked)
        return None
    if held is None:
        links.say(key, "")
        return None
    fits = _fits(key, held)
    links.say(key, held.linked if fits else held.digest[: shelf.LINKED])
    if not fits:
        _keep_for_links(key, held)
    return held.value


def _fits(key: str, held: Held[Any]) -> bool:
    """Whether there is room in the link for the picture, and for the digests of those shown."""
    return 0 < len(held.linked) <= links.room(key, shown.KEY) - shown.LEAST


def _from_field(key: str, read: Read[T], anew: Callable[[], None] | None) -> None:
    """Read the file that the field has now; an empty field leaves nothing."""
    file, asked = st.session_state.get(key), absent(key)
    if file is None:
        emptied(key)
        return
    received(key, file.getvalue(), file.name, read)
    if anew is not None and not (asked and is_the(key, asked)):
        anew()


def _linked(asked: str, read: Read[T]) -> Held[T] | Refused:
    """The file that a link holds whole, or names by the start of its digest."""
    pixels, title = whole.named_from_text(asked) or (whole.from_text(asked), "Drawing")
    if pixels is not None:  # later the address may have no room for it, and name it by its digest
        return _kept(read, png_bytes(to_picture(pixels)), title)
    found = shelf.find((visitor.visitor(), shelf.EVERYONE), KIND, asked)
    if found is None or hashlib.sha256(found.data).hexdigest() != found.digest:
        return Refused(
            f"The file of this link ({asked[:16]}) is not here: it is too large for a link, and "
            "was opened in another browser or more than a day ago. Open the same file, or ask who "
            "sent the link to tick Keep for links.",
            asked,
        )
    return _through(read, found.data, found.title)


def _kept(read: Read[T], data: bytes, name: str) -> Held[T] | Refused:
    """What a file holds, which then lies on its visitor's shelf."""
    held = _through(read, data, name)
    if isinstance(held, Held):
        me = visitor.visitor()
        shelf.keep(me, KIND, shelf.Kept(held.digest, name, me, data))
    return held


def _through(read: Read[T], data: bytes, name: str) -> Held[T] | Refused:
    try:
        value = read(data, name)
        linked = "" if value.pixels is None else whole.named_to_text(value.pixels, name)
        return Held(hashlib.sha256(data).hexdigest(), name, value, linked)
    except HVAEError as error:
        return Refused(str(error))
    except Exception:
        _log.exception("a file could not be read")
        return Refused(f"{name} cannot be read; open another file.")


def _keep_for_links(key: str, held: Held[T]) -> None:
    """A tick by which everyone who has the link sees the file; who brought it takes it back."""
    me, box = visitor.visitor(), f"{key}_keep"
    shared = shelf.find((shelf.EVERYONE,), KIND, held.digest)
    if shared is not None and shared.by != me:
        st.caption("Whoever sent this link keeps the file for it.")
        return
    st.session_state[box] = shared is not None
    st.checkbox(
        "Keep for links", key=box, on_change=_share, args=(box, held.digest),
        help="Everyone who has this page's link sees this file then. Without it the link shows it "
        "in this browser alone, for a day.",
    )  # fmt: skip


def _share(box: str, digest: str) -> None:
    ui.redraw_all()  # what Share says
    me = visitor.visitor()
    if not st.session_state[box]:
        shelf.drop(shelf.EVERYONE, KIND, digest)
        return
    mine = shelf.find((me,), KIND, digest)
    if mine is not None:
        shelf.keep(shelf.EVERYONE, KIND, mine)
