"""What Streamlit has not sent yet when a part of a page is drawn anew: it must not lose it.

A part's new drawing (``ui.fragment``) replaces what its last one has not sent. Streamlit drops that
also where a drawing of the whole app has ended in between. Its browser is then told that the app is
drawn, takes away every control that it was not sent, and forgets what was chosen there: on a busy
machine *One image* fell back from an upload to the first set.
"""

from __future__ import annotations

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import app_session
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue


class Unsent(ForwardMsgQueue):
    """A session's messages to its browser: those of a whole drawing that has ended stay."""

    def clear(
        self, retain_lifecycle_msgs: bool = False, fragment_ids_this_run: list[str] | None = None
    ) -> None:
        """Drop messages that another drawing replaces, as Streamlit asks when that begins."""
        of_a_part = retain_lifecycle_msgs and fragment_ids_this_run is not None
        if of_a_part and any(map(_ends_whole, self._queue)):
            self._delta_index_map = {}  # nothing is put in the place of what was before the end
        else:
            super().clear(retain_lifecycle_msgs, fragment_ids_this_run)


def _ends_whole(message: ForwardMsg) -> bool:
    """Whether a message says that the whole app is drawn."""
    ended = message.WhichOneof("type") == "script_finished"
    return ended and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY


def keep() -> None:
    """Let sessions that begin from now on have such messages."""
    app_session.ForwardMsgQueue = Unsent  # type: ignore[attr-defined]
