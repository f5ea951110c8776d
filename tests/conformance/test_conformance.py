"""That the check of what goes over the wire finds what is wrong, where the services' descriptions are at hand."""

import pytest

from tests.conformance.check import faults
from tests.conformance.specs import MISSING, there
from tests.fakes.traffic import Record, Traffic

pytestmark = pytest.mark.skipif(not there(), reason=MISSING)

SEND = "POST /channels/{}/messages"


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (Record("discord", "request", SEND, {"content": "x" * 4001}), "is too long"),
        (Record("discord", "request", SEND, {"content": ["x"]}), "is not of type"),
        (Record("discord", "request", "POST /channel/{}/message", {}), "there is no such route"),
        (Record("discord", "answer", SEND, {"id": "1"}, 200), "is a required property"),
        (Record("discord", "answer", SEND, {"text": "no"}, 400), "is a required property"),
        (Record("slack", "request", "chat.postMessage", {"channel": "C1", "txt": "x"}), "no such argument: txt"),
        (Record("slack", "request", "chat.update", {"channel": "C1", "text": "x"}), "an argument is missing: ts"),
        (Record("slack", "request", "chat.say", {}), "there is no such method"),
        (
            Record("slack", "answer", "chat.update", {"ok": False, "error": "no_way"}, 200),
            "no documented error: no_way",
        ),
        (Record("slack", "event", "slash_commands", {"command": "/x", "what": 1}), "no such field: $.what"),
        (Record("mem0", "request", "POST /v3/memories/", {"query": {}, "body": {}}), "is a required property"),
        (Record("mem0", "request", "POST /v9/memories/", {"query": {}, "body": {}}), "there is no such route"),
    ],
)
def test_what_a_service_doesnt_know_is_found(record: Record, says: str) -> None:
    """A wrong request, answer or event is told with what is wrong in it."""
    assert any(says in fault for fault in faults(record))


def test_what_a_service_knows_passes() -> None:
    """What the services' own descriptions allow is no fault."""
    assert faults(Record("discord", "request", SEND, {"content": "x", "nonce": "1", "enforce_nonce": True})) == []
    assert faults(Record("slack", "request", "chat.postMessage", {"channel": "C1", "text": "x"})) == []


def test_traffic_is_told_apart_by_its_shape() -> None:
    """The same with another text is known; with another field, or a length beyond a limit, it is new."""
    traffic = Traffic()
    for content in ("a", "b", "c" * 3000):
        traffic.note(Record("discord", "request", SEND, {"content": content}))
    traffic.note(Record("discord", "request", SEND, {"content": "a", "tts": True}))
    assert len(traffic.take()) == 3
    assert traffic.take() == []
