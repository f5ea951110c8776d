"""Slack: an answer in a thread is streamed, and what can't be appended is edited; whole, once and in place as ever."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from adapters.slack.adapter import SlackAdapter
from adapters.slack.streams import WRITING
from bot.events import MessageEvent
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import BOT, TEAM, FakeSlack, Fault, Json

pytestmark = pytest.mark.slow

ANN, GENERAL = "U0ANN", "C0GENERAL"
ANSWER = "Here is **what** I know, *piece* by piece, with `code` in it. " * 3
STREAMS = ("chat.startStream", "chat.appendStream", "chat.stopStream")


@pytest.fixture
async def core(slack: FakeSlack) -> AsyncIterator[ScriptedCore]:
    """A core behind an adapter that has edited a message before, so that it knows that edits work."""
    core = ScriptedCore()
    async with running(SlackAdapter(settings(slack), core)) as core.adapter:  # type: ignore[attr-defined]
        _know_edits(core)
        yield core


def _know_edits(core: ScriptedCore) -> None:
    core.adapter._api.edits_work = True  # type: ignore[attr-defined]


def _growing(core: ScriptedCore, answer: str, *, step: int = 12, pause: float = 0.1) -> None:
    core.pieces = [answer[:end] for end in range(step, len(answer), step)]
    core.pause = pause
    core.reply = lambda event: answer


async def _asked(slack: FakeSlack, core: ScriptedCore, place: str = "thread") -> tuple[str, str]:
    """A question in a thread: its channel and thread."""
    if place == "thread":
        return GENERAL, await slack.mention(GENERAL, ANN, "hi")
    root = slack.unheard(slack.dm_channel(ANN), ANN, "earlier")
    await slack.dm(ANN, "hi", root)
    return slack.dm_channel(ANN), root


async def _shown(slack: FakeSlack, core: ScriptedCore, place: str = "thread") -> list[Json]:
    """The messages that show the answer to a question, once the core is done with it."""
    where = await _asked(slack, core, place)
    await _done(slack, core)
    return slack.answers(*where)


async def _done(slack: FakeSlack, core: ScriptedCore, count: int = 1) -> None:
    await slack.wait(lambda: len(core.sent) + len(core.failures) >= count)
    assert core.failures == []


def _whole(messages: Sequence[Json], answer: str) -> None:
    """The messages show the answer as posts do: blocks, metadata, and nothing of a stream."""
    assert "\n".join(message["text"] for message in messages).split() == answer.replace("&", "&amp;").split()
    for number, message in enumerate(messages):
        assert [block["type"] for block in message["blocks"]] == ["markdown"]
        payload = message["metadata"]["event_payload"]
        assert (payload["part"], payload["done"]) == (number, number == len(messages) - 1)


def _sent(slack: FakeSlack, method: str) -> list[Json]:
    return [args for name, args in slack.calls if name == method]


@pytest.mark.parametrize("place", ["thread", "dm thread"])
async def test_streamed(slack: FakeSlack, core: ScriptedCore, place: str) -> None:
    """An answer is shown by one stream and one edit, in a thread of a channel or of a direct message."""
    _growing(core, ANSWER)
    (message,) = await _shown(slack, core, place)
    _whole([message], ANSWER)
    assert slack.counts["chat.postMessage"] == 0
    assert (slack.counts["chat.startStream"], slack.counts["chat.stopStream"], slack.counts["chat.update"]) == (1, 1, 1)
    assert slack.counts["chat.appendStream"] >= 2
    assert core.sent == [(f"slack:{TEAM}:{core.events[0].place.channel}:{message['ts']}",)]
    (start,) = _sent(slack, "chat.startStream")
    recipient = {"recipient_user_id": ANN, "recipient_team_id": TEAM} if place == "thread" else {}
    assert {key: value for key, value in start.items() if key.startswith("recipient")} == recipient
    assert slack.open_streams == []


async def test_words_come_as_they_are_written(slack: FakeSlack, core: ScriptedCore) -> None:
    """The first are there before the answer is whole, and others follow while it grows."""
    _growing(core, ANSWER)
    core.gate = asyncio.Event()
    channel, thread = await _asked(slack, core)
    await slack.wait(lambda: slack.answers(channel, thread))
    await slack.wait(lambda: slack.counts["chat.appendStream"] >= 2)
    assert core.sent == []
    core.gate.set()
    await _done(slack, core)


async def test_only_appended_and_never_broken(slack: FakeSlack, core: ScriptedCore) -> None:
    """While it streams, each text continues the one before, and ends in no open formatting or word."""
    answer = f"{ANSWER}\n\n```python\nx = 1\ny = 2\n```\n\nAnd that's *all*, [see](https://e.x/a_b)."
    _growing(core, answer, step=4, pause=0.03)
    channel, thread = await _asked(slack, core)
    await slack.wait(lambda: slack.open_streams)
    seen = [""]
    while slack.open_streams:
        text = slack.answers(channel, thread)[0]["text"]
        assert text.startswith(seen[-1])
        assert "\\*" not in text
        if "```" not in text:
            assert text.count("**") % 2 == 0
            assert text.count("`") % 2 == 0
        seen.append(text)
        await asyncio.sleep(0.02)
    await _done(slack, core)
    assert slack.counts["chat.update"] == 1
    _whole(slack.answers(channel, thread), answer)


async def test_what_must_be_mended(slack: FakeSlack, core: ScriptedCore) -> None:
    """A snapshot that takes something back ends the stream; the same message is edited, and the answer is whole."""
    core.pieces = ["The capital of Australia is Sydney, I think", "The capital of Australia is Canberra, which", "x"]
    core.pause = 0.8
    core.reply = lambda event: "The capital of Australia is Canberra."
    (message,) = await _shown(slack, core)
    _whole([message], "The capital of Australia is Canberra.")
    assert (slack.counts["chat.startStream"], slack.counts["chat.stopStream"]) == (1, 1)


async def test_longer_than_a_message(slack: FakeSlack, core: ScriptedCore) -> None:
    """An answer that outgrows a message goes on in another, and each is whole."""
    answer = "\n\n".join(f"Paragraph {n}. " + "words & more " * 28 + f"End {n}." for n in range(20))
    _growing(core, answer, step=400)
    messages = await _shown(slack, core)
    _whole(messages, answer)
    assert len(messages) > 1
    assert slack.counts["chat.startStream"] >= 1
    assert slack.open_streams == []


async def test_before_five_minutes(slack: FakeSlack, core: ScriptedCore) -> None:
    """A stream is ended before Slack does so, and the message is edited from there on."""
    pace = core.adapter._api.pace  # type: ignore[attr-defined]
    clock = asyncio.get_running_loop().time
    _growing(core, ANSWER * 3)
    core.gate = asyncio.Event()
    channel, thread = await _asked(slack, core)
    await slack.wait(lambda: slack.counts["chat.appendStream"])  # when it began is known here, too
    pace._clock = lambda: clock() + 241
    await slack.wait(lambda: not slack.open_streams)
    assert core.sent == []
    core.gate.set()
    await _done(slack, core)
    _whole(slack.answers(channel, thread), ANSWER * 3)


@pytest.mark.parametrize("how", ["by Slack", "by a person"])
async def test_cut_short(slack: FakeSlack, core: ScriptedCore, how: str) -> None:
    """A stream that Slack or a person ended is edited, and becomes whole."""
    _growing(core, ANSWER)
    channel, thread = await _asked(slack, core)
    (ts,) = await slack.wait(lambda: slack.open_streams)
    if how == "by Slack":
        slack.clock = lambda: asyncio.get_running_loop().time() + 10_000
    else:
        slack.press_stop(channel, ts)
    await _done(slack, core)
    _whole(slack.answers(channel, thread), ANSWER)


@pytest.mark.parametrize("method", STREAMS)
@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429, retry_after=1),
        Fault(status=429, retry_after=30),
        Fault(status=500),
        Fault(status=503, after=True),
        Fault(drop=True),
        Fault(drop=True, after=True),
        Fault(error="internal_error"),
        Fault(error="channel_type_not_supported"),
        Fault(error="invalid_chunks"),
    ],
    ids=["429", "long 429", "500", "503 though done", "cut", "cut though done", "internal", "type", "chunks"],
)
async def test_once_despite_faults(slack: FakeSlack, core: ScriptedCore, method: str, fault: Fault) -> None:
    """Whatever a call meets, each word of the answer is shown once, and no stream stays open for long."""
    _growing(core, ANSWER)
    slack.fail(method, fault)
    messages = await _shown(slack, core)
    assert " ".join(message["text"] for message in messages).split() == ANSWER.split()
    assert messages[-1]["metadata"]["event_payload"]["done"] is True
    if method != "chat.stopStream":
        assert len(messages) == 1
        assert slack.open_streams == []


@pytest.mark.parametrize("error", ["unknown_method", "missing_scope", "channel_type_not_supported", "team_not_found"])
async def test_refused(slack: FakeSlack, core: ScriptedCore, error: str) -> None:
    """Where streams are refused, answers are posted and edited, and the workspace isn't asked again for an hour."""
    slack.streams_refused = error
    _growing(core, ANSWER)
    _whole(await _shown(slack, core), ANSWER)
    await _asked(slack, core)
    await _done(slack, core, 2)
    assert slack.counts["chat.startStream"] == 1
    assert slack.counts["chat.update"] >= 2


async def test_a_closed_channel_is_no_refusal_of_streams(slack: FakeSlack, core: ScriptedCore) -> None:
    """A channel in which nothing can be posted says nothing about the workspace's streams."""
    slack.closed[GENERAL] = "restricted_action"
    _growing(core, ANSWER)
    await slack.mention(GENERAL, ANN, "hi")
    await slack.wait(lambda: core.failures)
    slack.closed.clear()
    core.failures.clear()
    _whole(await _shown(slack, core), ANSWER)
    assert slack.counts["chat.startStream"] == 2


async def test_not_outside_threads(slack: FakeSlack, core: ScriptedCore) -> None:
    """A direct message outside a thread is answered there, which streams can't, by a post and edits."""
    _growing(core, ANSWER)
    await slack.dm(ANN, "hi")
    await _done(slack, core)
    _whole(slack.answers(slack.dm_channel(ANN)), ANSWER)
    assert slack.counts["chat.startStream"] == 0


async def test_whole_at_once(slack: FakeSlack, core: ScriptedCore) -> None:
    """A short answer is one post, and no stream."""
    _whole(await _shown(slack, core), "You said: hi")
    assert (slack.counts["chat.postMessage"], slack.counts["chat.startStream"]) == (1, 0)


async def test_many_at_once(slack: FakeSlack, core: ScriptedCore) -> None:
    """Past the streams of a minute, answers are posted and edited; Slack limits no call, and all become whole."""
    _growing(core, ANSWER, step=30, pause=0.4)
    asked = [await slack.mention(GENERAL if n % 2 else "G0SECRET0", f"U0P{n}", "hi") for n in range(30)]
    await _done(slack, core, 30)
    for n, ts in enumerate(asked):
        _whole(slack.answers(GENERAL if n % 2 else "G0SECRET0", ts), ANSWER)
    assert slack.limits is not None
    assert 10 <= slack.counts["chat.startStream"] <= 20
    assert not {*STREAMS, "chat.update"} & {*slack.limits.refused}


async def test_taken_over(slack: FakeSlack, core: ScriptedCore) -> None:
    """Once another process has taken the answer over, nothing more is appended, and the other finishes it in place."""
    _growing(core, ANSWER)
    await _asked(slack, core)
    await slack.wait(lambda: slack.counts["chat.appendStream"])
    core.taken.add(core.events[0].id)
    await slack.wait(lambda: core.failures)
    await _finished_in_place(slack, core.events[0])


async def _finished_in_place(slack: FakeSlack, event: MessageEvent) -> None:
    """The message of a broken stream is recognised and finished by another process, and nothing is shown beside it."""
    channel, thread = event.place.channel, str(event.place.thread)
    (begun,) = slack.answers(channel, thread)
    appended, posted = slack.counts["chat.appendStream"], slack.counts["chat.postMessage"]
    async with running(SlackAdapter(settings(slack), ScriptedCore())) as adapter:
        reply = adapter.reply_handle(event)
        assert await reply.found() is None
        ids = await reply.stream(_snapshots(ANSWER))
        (message,) = slack.answers(channel, thread)
        _whole([message], ANSWER)
        assert message["ts"] == begun["ts"]
        assert ids == (f"slack:{TEAM}:{channel}:{begun['ts']}",)
        assert await adapter.reply_handle(event).found() == (ANSWER.strip(), ids)
    assert (slack.counts["chat.appendStream"], slack.counts["chat.postMessage"]) == (appended, posted)
    assert slack.open_streams == []


async def _snapshots(*texts: str) -> AsyncIterator[str]:
    for text in texts:
        yield text


@pytest.mark.parametrize("when", ["streaming", "expired"])
async def test_killed_amid_a_stream(slack: FakeSlack, core: ScriptedCore, when: str) -> None:
    """A process that dies amid a stream leaves a message that the next one recognises, stops and finishes."""
    _growing(core, ANSWER)
    core.breaks = True
    slack.fail("chat.stopStream", *[Fault(drop=True)] * 4)
    await _asked(slack, core)
    await slack.wait(lambda: slack.counts["chat.stopStream"] == 4)
    assert slack.open_streams
    if when == "expired":
        slack.clock = lambda: asyncio.get_running_loop().time() + 10_000
    (begun,) = slack.answers(GENERAL, core.events[0].place.thread)
    assert begun.get("metadata") is None
    assert WRITING in str(begun["blocks"][0])
    await _finished_in_place(slack, core.events[0])


async def _broken_off(slack: FakeSlack, core: ScriptedCore) -> None:
    """Ask for an answer, off which Claude breaks while it streams."""
    _growing(core, ANSWER)
    core.breaks = True
    await _asked(slack, core)
    await slack.wait(lambda: core.failures)


async def test_broken_off(slack: FakeSlack, core: ScriptedCore) -> None:
    """Where Claude breaks off, the stream is ended at once, and finished in place by the next attempt."""
    await _broken_off(slack, core)
    assert slack.open_streams == []
    (begun,) = slack.answers(GENERAL, core.events[0].place.thread)
    assert begun["metadata"]["event_payload"]["done"] is False
    await _finished_in_place(slack, core.events[0])


async def test_redone_in_other_words(slack: FakeSlack, core: ScriptedCore) -> None:
    """An answer that is redone in other words takes the place of the one that broke off, in the same message."""
    await _broken_off(slack, core)
    event, other = core.events[0], "Quite another answer, which is no continuation of the first. " * 5
    async with running(SlackAdapter(settings(slack), ScriptedCore())) as adapter:
        await adapter.reply_handle(event).stream(_snapshots(other[:100], other))
    _whole(slack.answers(GENERAL, event.place.thread), other)


async def test_the_question_edited_meanwhile(slack: FakeSlack, core: ScriptedCore) -> None:
    """An edit of the question while its answer streams reaches the core, and the answer is whole."""
    _growing(core, ANSWER)
    channel, thread = await _asked(slack, core)
    await slack.wait(lambda: slack.open_streams)
    await slack.edit(channel, thread, text=f"<@{BOT}> hi there")
    await _done(slack, core)
    assert [event.text for event in core.edited] == ["hi there"]
    _whole(slack.answers(channel, thread), ANSWER)


async def test_nothing_stays_reserved(slack: FakeSlack, core: ScriptedCore) -> None:
    """However streams end, the next ones have the whole limit."""
    _growing(core, ANSWER)
    for method in (*STREAMS, "chat.update"):
        slack.fail(method, Fault(error="internal_error"), Fault(error="message_not_found"))
        await _asked(slack, core)
    core.breaks = True
    await _asked(slack, core)
    await slack.wait(lambda: len(core.sent) + len(core.failures) == 5)
    assert not any(core.adapter._api.pace._reserved.values())  # type: ignore[attr-defined]


async def test_withdrawn(slack: FakeSlack, core: ScriptedCore) -> None:
    """An answer that is withdrawn while it streams is gone, and its stream with it."""
    gone = asyncio.Event()

    async def snapshots() -> AsyncIterator[str]:
        yield ANSWER
        await gone.wait()
        raise LookupError

    core.whisper = "Later."
    await _asked(slack, core)
    await slack.wait(lambda: core.events)
    reply = core.adapter.reply_handle(core.events[0])  # type: ignore[attr-defined]
    streaming = asyncio.create_task(reply.stream(snapshots()))
    await slack.wait(lambda: slack.open_streams)
    gone.set()
    with pytest.raises(LookupError):
        await streaming
    assert slack.open_streams == []
    await reply.withdraw()
    assert slack.answers(GENERAL, core.events[0].place.thread) == []


async def test_others_streams_are_left_alone(slack: FakeSlack, core: ScriptedCore) -> None:
    """Of two answers that stream in one thread, each is finished in its own message."""
    _growing(core, ANSWER)
    channel, thread = await _asked(slack, core)
    await slack.say(channel, "U0BOB", f"<@{BOT}> and", thread, mention=True)
    await slack.wait(lambda: len(slack.open_streams) == 2)
    await _done(slack, core, 2)
    messages = slack.answers(channel, thread)
    assert len({ids for sent in core.sent for ids in sent}) == 2
    for message in messages:
        _whole([message], ANSWER)


async def test_edits_forbidden_since(slack: FakeSlack, core: ScriptedCore) -> None:
    """Where edits turn out to be forbidden, what the stream lacks is posted after it, and no other is begun."""
    _growing(core, ANSWER)
    slack.no_edits = "cant_update_message"
    messages = await _shown(slack, core)
    assert " ".join(message["text"] for message in messages).split() == ANSWER.split()
    await _asked(slack, core)
    await _done(slack, core, 2)
    assert slack.counts["chat.startStream"] == 1, "a stream that can't be edited is the last for an hour"


async def test_not_before_edits_are_known_to_work(slack: FakeSlack) -> None:
    """A process streams once it has seen that messages can be edited, which ends each stream."""
    core = ScriptedCore()
    _growing(core, ANSWER, pause=0.2)
    async with running(SlackAdapter(settings(slack), core)):
        _whole(await _shown(slack, core), ANSWER)
        assert slack.counts["chat.startStream"] == 0
        await _asked(slack, core)
        await _done(slack, core, 2)
    assert slack.counts["chat.startStream"] == 1
