"""Slack: an answer that another process has begun is found, and finished in place."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from adapters.slack.adapter import SlackAdapter
from bot.events import MessageEvent
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import FakeSlack, Fault

pytestmark = pytest.mark.slow

ANN = "U0ANN"
GENERAL = "C0GENERAL"


async def _broken_off(slack: FakeSlack, place: str, *pieces: str) -> MessageEvent:
    """A message in a direct message or a thread whose answer broke off after these pieces."""
    core = ScriptedCore()
    core.pieces, core.pause, core.breaks = list(pieces), 0.7, True
    async with running(SlackAdapter(settings(slack), core)):
        await (slack.dm(ANN, "hi") if place == "dm" else slack.mention(GENERAL, ANN, "hi"))
        await slack.wait(lambda: core.failures)
    return core.events[0]


async def _answered(slack: FakeSlack, place: str, answer: str) -> tuple[MessageEvent, tuple[str, ...]]:
    """A message, and the ids of its answer's messages."""
    core = ScriptedCore()
    core.reply = lambda event: answer
    async with running(SlackAdapter(settings(slack), core)):
        await (slack.dm(ANN, "hi") if place == "dm" else slack.mention(GENERAL, ANN, "hi"))
        await slack.wait(lambda: core.sent)
    return core.events[0], core.sent[0]


async def _snapshots(*texts: str) -> AsyncIterator[str]:
    for text in texts:
        yield text


@pytest.mark.parametrize("place", ["dm", "thread"])
async def test_finished_in_place(slack: FakeSlack, place: str) -> None:
    """An answer that was shown in part is finished in the message that shows it, and nothing is posted anew."""
    event = await _broken_off(slack, place, "so", "so far", "so far so")
    (begun,) = slack.answers(event.place.channel, event.place.thread)
    assert begun["text"].startswith("so")
    async with running(SlackAdapter(settings(slack), ScriptedCore())) as adapter:
        reply = adapter.reply_handle(event)
        assert await reply.found() is None
        ids = await reply.stream(_snapshots("so far so good"))
    (message,) = slack.answers(event.place.channel, event.place.thread)
    assert (message["ts"], message["text"]) == (begun["ts"], "so far so good")
    assert ids == (f"slack:T0FAKE001:{event.place.channel}:{begun['ts']}",)
    assert slack.counts["chat.postMessage"] == 1


async def test_not_asked_whether_it_is_there(slack: FakeSlack) -> None:
    """An answer is finished in place too where nobody has asked for what was found."""
    event = await _broken_off(slack, "dm", "so", "so far", "so far so")
    async with running(SlackAdapter(settings(slack), ScriptedCore())) as adapter:
        await adapter.reply_handle(event).stream(_snapshots("quite another"))
    assert [message["text"] for message in slack.answers(event.place.channel)] == ["quite another"]


@pytest.mark.parametrize("place", ["dm", "thread"])
async def test_found(slack: FakeSlack, place: str) -> None:
    """An answer that is whole is found, with its text and its ids."""
    event, ids = await _answered(slack, place, "1 < 2 & **bold** `x`")
    async with running(SlackAdapter(settings(slack), ScriptedCore())) as adapter:
        assert await adapter.reply_handle(event).found() == ("1 < 2 & **bold** `x`", ids)
        unanswered = replace(event, id=f"{event.id}1")
        assert await adapter.reply_handle(unanswered).found() is None


async def test_found_after_growing(slack: FakeSlack) -> None:
    """An answer that grew under people's eyes is known to be whole at its end, and not before."""
    core = ScriptedCore()
    core.pieces, core.pause = ["You", "You said", "You said: hi"], 0.7
    async with running(SlackAdapter(settings(slack), core)) as adapter:
        await slack.dm(ANN, "hi")
        await slack.answer(slack.dm_channel(ANN))
        assert await adapter.reply_handle(core.events[0]).found() is None
        await slack.wait(lambda: core.sent)
        assert await adapter.reply_handle(core.events[0]).found() == ("You said: hi", core.sent[0])


async def test_long_answer(slack: FakeSlack) -> None:
    """Of an answer in several messages, all are found in order; without one it isn't whole, and is completed."""
    answer = "\n\n".join(f"Paragraph {n}. " + "words " * 150 for n in range(40))
    event, ids = await _answered(slack, "dm", answer)
    assert len(ids) > 2
    channel = event.place.channel
    async with running(SlackAdapter(settings(slack), ScriptedCore())) as adapter:
        found = await adapter.reply_handle(event).found()
        assert found is not None
        assert found[1] == ids
        assert all(f"Paragraph {n}." in found[0] for n in range(40))
        first, *_, last = slack.answers(channel)
        index = slack.messages[channel].index(first)
        slack.messages[channel].remove(first)
        assert await adapter.reply_handle(event).found() is None
        slack.messages[channel].insert(index, first)
        slack.messages[channel].remove(last)
        posted = slack.counts["chat.postMessage"]
        reply = adapter.reply_handle(event)
        assert await reply.found() is None
        again = await reply.stream(_snapshots(answer))
        assert again[:-1] == ids[:-1]
        assert slack.counts["chat.postMessage"] == posted + 1
    together = "\n".join(message["text"] for message in slack.answers(channel))
    assert [together.count(f"Paragraph {n}.") for n in range(40)] == [1] * 40


async def test_stays_until_overtaken(slack: FakeSlack) -> None:
    """What is shown stays until the new text is as long, so that nothing seems to be taken back."""
    event = await _broken_off(slack, "dm", "a long beginning", "a long beginning of", "a long beginning of it")
    core = ScriptedCore()
    core.pieces, core.pause = ["a", "a new", "a new and", "a new and longer beginning"], 0.7
    before = len(slack.calls)
    async with running(SlackAdapter(settings(slack), core)) as adapter:
        await adapter.reply_handle(event).stream(core._snapshots(event))
    shown = [args["text"] for method, args in list(slack.calls)[before:] if method == "chat.update"]
    assert shown == ["a new and longer beginning", "You said: hi"]


async def test_another_answer_is_left_alone(slack: FakeSlack) -> None:
    """An answer to another message there is never taken for this one's, even where it says the same."""
    event, _ = await _answered(slack, "dm", "Noted.")
    other = replace(event, id=f"slack:T0FAKE001:{event.place.channel}:{slack.next_ts()}")
    early = replace(event, id=f"slack:T0FAKE001:{event.place.channel}:1000000000.000001")
    async with running(SlackAdapter(settings(slack), ScriptedCore())) as adapter:
        await adapter.reply_handle(other).stream(_snapshots("Noted."))
        await adapter.reply_handle(early).stream(_snapshots("Noted."))
    assert [message["text"] for message in slack.answers(event.place.channel)] == ["Noted."] * 3


async def test_copies(slack: FakeSlack) -> None:
    """Where two processes showed the same part, one is finished and the other is taken away."""
    event = await _broken_off(slack, "dm", "so", "so far", "so far so")
    channel = event.place.channel
    slack.store(channel, {**slack.answers(channel)[0]}, None)
    async with running(SlackAdapter(settings(slack), ScriptedCore())) as adapter:
        await adapter.reply_handle(event).stream(_snapshots("so far so good"))
    assert [message["text"] for message in slack.answers(channel)] == ["so far so good"]


async def test_history_in_trouble(slack: FakeSlack) -> None:
    """Nothing is posted before Slack has told what is there already."""
    event = await _broken_off(slack, "dm", "so", "so far", "so far so")
    slack.fail("conversations.history", Fault(status=500), Fault(error="internal_error"))
    async with running(SlackAdapter(settings(slack), ScriptedCore())) as adapter:
        await adapter.reply_handle(event).stream(_snapshots("so far so good"))
    assert [message["text"] for message in slack.answers(event.place.channel)] == ["so far so good"]


async def test_history_refused(slack: FakeSlack) -> None:
    """Where Slack never lets the bot look, the answer is given all the same."""
    event, _ = await _answered(slack, "dm", "one")
    slack.messages[event.place.channel].clear()
    slack.fail("conversations.history", Fault(error="missing_scope"))
    async with running(SlackAdapter(settings(slack), ScriptedCore())) as adapter:
        await adapter.reply_handle(event).stream(_snapshots("two"))
    assert [message["text"] for message in slack.answers(event.place.channel)] == ["two"]


async def test_posted_unheard_twice(slack: FakeSlack) -> None:
    """A post that Slack took without our hearing of it is found, however the history fails at first."""
    core = ScriptedCore()
    slack.fail("chat.postMessage", Fault(drop=True, after=True))
    slack.fail("conversations.history", Fault(status=500))
    async with running(SlackAdapter(settings(slack), core)):
        await slack.dm(ANN, "hi")
        await slack.wait(lambda: core.sent or core.failures)
    assert core.failures == []
    assert [message["text"] for message in slack.answers(slack.dm_channel(ANN))] == ["You said: hi"]
