"""Messages that a browser has not had when a part of a page is drawn anew."""

from __future__ import annotations

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import app_session
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

from pages.shared import unsent

PART = "part"


def drawn(text: str) -> ForwardMsg:
    """A text that a part of a page has drawn, at the first place."""
    message = ForwardMsg()
    message.metadata.delta_path.extend([0, 0])
    message.delta.fragment_id = PART
    message.delta.new_element.markdown.body = text
    return message


def waiting(queue: ForwardMsgQueue, *, ended: bool) -> ForwardMsgQueue:
    """The queue with a part's text, and with the end of the whole drawing where it has ended."""
    queue.enqueue(drawn("of the whole"))
    if ended:
        queue.enqueue(ForwardMsg(script_finished=ForwardMsg.FINISHED_SUCCESSFULLY))
    return queue


def texts(queue: ForwardMsgQueue) -> list[str]:
    """What is sent of texts, in its order."""
    sent = queue.flush()
    return [each.delta.new_element.markdown.body for each in sent if each.HasField("delta")]


def test_what_a_whole_drawing_has_drawn_is_sent_before_its_part_is_drawn_anew() -> None:
    queue = waiting(unsent.Unsent(), ended=True)
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=[PART])
    queue.enqueue(drawn("of the part"))
    assert texts(queue) == ["of the whole", "of the part"]


def test_streamlit_itself_drops_it() -> None:
    """Once it does not, this queue of ours has no use."""
    queue = waiting(ForwardMsgQueue(), ended=True)
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=[PART])
    assert texts(queue) == []


@pytest.mark.parametrize(("ended", "part"), [(False, [PART]), (True, None)])
def test_what_is_drawn_again_is_not_sent_twice(ended: bool, part: list[str] | None) -> None:
    queue = waiting(unsent.Unsent(), ended=ended)
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=part)
    assert texts(queue) == []


def test_a_server_has_such_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_session, "ForwardMsgQueue", ForwardMsgQueue)
    unsent.keep()
    assert app_session.ForwardMsgQueue is unsent.Unsent
